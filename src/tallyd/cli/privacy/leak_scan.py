"""Searches everything that tallyd has written for texts: files, databases, the journal. Writes nothing.

It reads files in pieces, so a large file needs no more memory than a small one.
"""

from __future__ import annotations

import codecs
import os
import shutil
import sqlite3
import stat
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from io import BufferedReader
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast
from urllib.parse import quote

from tallyd.adapters.state import State, StateError
from tallyd.adapters.state.bodies import readable
from tallyd.config.model import Config
from tallyd.core.language.messages import tr, translated
from tallyd.core.privacy.leak_search import Finder, Personal
from tallyd.core.system_words import reason_of
from tallyd.core.texts import visible

CHUNK_BYTES = 1 << 20
UNIT = "tallyd.service"
_SQLITE = b"SQLite format 3\0"
_ZIP = b"PK\x03\x04"


@dataclass
class Place:
    """Where one text was found: the first position (`line 12`, `byte 4096`) and the total number."""

    first: str
    times: int = 1


@dataclass
class Search:
    """A search: what was searched so far, and what was found, by text and file (or table, or the journal).

    `unread` has the files and folders that could not be read, and why.
    """

    finder: Finder
    files: int = 0
    size_bytes: int = 0
    found: dict[tuple[Personal, str], Place] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)
    _met: set[tuple[int, int]] = field(default_factory=set)

    def search_written(self, config: Config) -> None:
        """Search what tallyd has written, and the copies of its databases that an upgrade has made.

        The newest log comes first: if it is rotated meanwhile, the search finds it again under its next name.
        """
        self._search_folder(config.out_dir)
        self._search_folder(config.state_dir)
        self._search_folder(config.log_dir, "tallyd.log*")
        self._search_folder(config.data_dir / "backups", "*.zip")
        if config.state_url is not None:
            self._search_state(config.state_url)

    def _search_folder(self, root: Path, names: str = "*") -> None:
        """Search the files below a folder. It follows links, because tallyd also writes through links."""
        for folder, inner, files in os.walk(root, onerror=self._unreadable, followlinks=True):
            inner[:] = [name for name in inner if self._is_new(Path(folder, name))]
            for name in inner:
                for hit in self.finder.scan([name]):
                    self._note(hit.personal, folder, tr("the name of a folder"))
            for name in sorted(files, key=lambda name: (len(name), name)):
                if fnmatch(name, names):
                    self._search_file(Path(folder, name))

    def _is_new(self, path: Path) -> bool:
        """Whether this file was not searched before, also not under another name."""
        try:
            found = path.stat()
        except OSError:
            return True  # opening it will say why
        identity = (found.st_dev, found.st_ino)
        is_new = identity not in self._met
        self._met.add(identity)
        return is_new

    def _unreadable(self, error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # rotated, temporary, or never created
            self.unread.append(f"{error.filename}: {translated(reason_of(error))}")

    def _search_file(self, path: Path) -> None:
        try:
            file = _opened(path)
        except OSError as error:
            self._unreadable(error)
            return
        if file is None or not self._is_new(path):
            return
        beginning = self._search_content(file, str(path))
        for hit in self.finder.scan([path.name]):
            self._note(hit.personal, str(path.parent), tr("the name of a file"))
        if beginning.startswith(_SQLITE):
            self._search_database(path, str(path))
        elif beginning.startswith(_ZIP):
            self._search_archive(path)

    def _search_content(self, file: BufferedReader, place: str) -> bytes:
        """Search the bytes of a file, and close it; return the first of them."""
        with file:
            beginning = file.peek()
            is_text = b"\0" not in beginning
            for hit in self.finder.scan(_chunks(file)):
                spot = _line(hit.line) if is_text else tr("byte {byte}", byte=hit.byte)
                self._note(hit.personal, place, spot)
            self.files += 1
            self.size_bytes += file.tell()
        return beginning

    def _search_archive(self, path: Path) -> None:
        """Search the files in a backup, unpacked one after the other."""
        with zipfile.ZipFile(path) as archive, TemporaryDirectory() as folder:
            copy = Path(folder, "copy")
            for name in archive.namelist():
                with archive.open(name) as source, copy.open("wb") as target:
                    shutil.copyfileobj(source, target)
                if self._search_content(copy.open("rb"), f"{path}/{name}").startswith(_SQLITE):
                    self._search_database(copy, f"{path}/{name}")

    def _search_database(self, path: Path, shown: str) -> None:
        """Search the values of a database, row by row, as far as it is readable.

        A search of its bytes is not enough: values are next to each other there, so that two words become
        one, and a long value is split.
        """
        for table, number, text in _rows(path):
            for hit in self.finder.scan([text]):
                place = tr("{file}, table {table}", file=shown, table=table)
                self._note(hit.personal, place, tr("row {row}", row=number))

    def _search_state(self, url: str) -> None:
        """Search a state that is not a file."""
        try:
            with closing(State(url, reads_only=True)) as state:
                self.files += 1
                for table, number, text in state.texts():
                    self.size_bytes += len(text)
                    for hit in self.finder.scan([text]):
                        place = tr("{file}, table {table}", file=translated(state.place), table=table)
                        self._note(hit.personal, place, tr("row {row}", row=number))
        except StateError as error:
            self.unread.append(translated(str(error)))

    def search_journal(self) -> str | None:
        """Search what the service wrote to the journal. Return why that was not fully possible, else None."""
        program = shutil.which("journalctl")
        if program is None:
            return tr("this machine has no journalctl")
        command = [program, "--unit", UNIT, "--output", "cat", "--all", "--no-pager"]
        environment = {**os.environ, "LC_ALL": "C"}
        with subprocess.Popen(  # noqa: S603 # systemd's own program, constant arguments
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        ) as process:
            stdout, stderr = cast("IO[bytes]", process.stdout), cast("IO[bytes]", process.stderr)
            for hit in self.finder.scan(_chunks(stdout)):
                self._note(hit.personal, tr("the journal of {unit}", unit=UNIT), _line(hit.line))
            # One or two lines, which fit into the pipe while nobody reads it.
            complaint = stderr.read().decode("utf-8", "replace").strip()
        if process.returncode or complaint:
            first = visible(complaint.split("\n")[0])
            if first:
                return tr("journalctl reported: {complaint}", complaint=first)
            return tr("journalctl reported: it ended with status {status}", status=str(process.returncode))
        return None

    def _note(self, personal: Personal, place: str, spot: str) -> None:
        known = self.found.get((personal, place))
        if known:
            known.times += 1
        else:
            self.found[personal, place] = Place(spot)


def _line(number: int) -> str:
    return tr("line {line}", line=number)


def _opened(path: Path) -> BufferedReader | None:
    """Open a file for reading; None if it is not a regular file (a pipe). Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return open(descriptor, "rb")  # noqa: PTH123 # a descriptor, not a path


def _chunks(file: IO[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    while block := file.read(CHUNK_BYTES):
        yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _rows(path: Path) -> Iterator[tuple[str, int, str]]:
    """Yield table, number and text of each row of a database, without damaged rows."""
    with suppress(sqlite3.Error), closing(_read_only(path)) as db:
        db.text_factory = _decoded
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        for table in tables:
            quoted = table.replace('"', '""')
            with suppress(sqlite3.Error):
                for number, row in enumerate(db.execute(f'SELECT * FROM "{quoted}"'), start=1):  # noqa: S608 # quoted
                    yield (
                        table,
                        number,
                        "\n".join(readable(_decoded(each)) for each in row if isinstance(each, str | bytes)),
                    )


def _decoded(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def _read_only(path: Path) -> sqlite3.Connection:
    """Open a database without a trace: no -wal, no -shm, no lock file.

    SQLite reads the -wal of a running daemon through its -shm. If these two files are missing, SQLite would
    create them, unless it is opened as immutable. A -wal that was left over is searched as a file.
    """
    in_use = all(path.with_name(path.name + ending).exists() for ending in ("-wal", "-shm"))
    mode = "readonly_shm=1" if in_use else "immutable=1"
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro&{mode}", uri=True, timeout=5.0)
