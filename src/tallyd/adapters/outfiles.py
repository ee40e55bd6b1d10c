"""The out files on disk. A file is written completely or not at all, and never overwritten."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Literal

from tallyd.core.language.messages import english
from tallyd.core.naming import is_out_name
from tallyd.core.system_words import reason_of

FILE_MODE = 0o640
FOLDER_MODE = 0o750
LATEST = "latest.json"


class OutError(Exception):
    """An out file can't be written now. The text names the path and the reason. No partial file is left."""


class OutFiles:
    """The folder `out/`. It has a folder for each poller, and in that one for each month.

    `is_durable` false: a power failure may lose files that are written, which is many times faster.
    """

    def __init__(self, root: Path, *, is_durable: bool = True) -> None:
        self.root = root
        self._replace = replace_file if is_durable else _replace_soon

    def exists(self, poller: str, name: str) -> bool:
        """Whether there is a file with this name, whoever wrote it."""
        return os.path.lexists(self.root / poller / name)

    def write(self, poller: str, name: str, text: str) -> Literal["written", "taken"]:
        """Write one out file durably. Return `taken` if a file with other content has this name.

        If a file with exactly this content exists, it counts as written: the process died before it noted
        that. Raises `OutError`.
        """
        path = self.root / poller / name
        content = text.encode("utf-8")
        try:
            if os.path.lexists(path):
                return "written" if _content(path, len(content)) == content else "taken"
            _make_folder(path.parent, top=self.root.parent)
            self._replace(path, content)
        except OSError as error:
            raise _not_written(path, error) from error
        return "written"

    def write_latest(self, poller: str, text: str) -> None:
        """Replace the poller's `latest.json` atomically. Raises `OutError`."""
        path = self.root / poller / LATEST
        try:
            _make_folder(path.parent, top=self.root.parent)
            self._replace(path, text.encode("utf-8"))
        except OSError as error:
            raise _not_written(path, error) from error

    def remove_leftovers(self) -> int:
        """Delete temporary files of a killed process; return how many."""
        removed = 0
        for path in self.root.glob("*/**/.*.json.*tmp"):
            with suppress(OSError):  # the next out file in this folder reports the error
                path.unlink()
                removed += 1
        return removed

    def prune(self, poller: str, *, before: date) -> int:
        """Delete the poller's out files of days before `before`, by their names; return how many."""
        deleted = 0
        for month, name in self._names(poller):
            if name[:10] < before.isoformat():
                with suppress(OSError):  # the next pruning tries again
                    (self.root / poller / month / name).unlink(missing_ok=True)
                    deleted += 1
                with suppress(OSError):  # not empty yet
                    (self.root / poller / month).rmdir()
        return deleted

    def contents(
        self, *, skip: Callable[[str, str], bool] = lambda _poller, _name: False
    ) -> Iterator[tuple[str, str, str]]:
        """Yield (poller, name, text) of every readable out file, oldest first for each poller.

        Files for which `skip(poller, name)` is true are not read.
        """
        for folder in sorted(self._folders()):
            for month, name in self._names(folder):
                if skip(folder, f"{month}/{name}"):
                    continue
                try:
                    text = (self.root / folder / month / name).read_text("utf-8")
                    json.loads(text)
                except (OSError, ValueError, RecursionError):
                    continue  # not written by tallyd, although the name looks like it
                yield folder, f"{month}/{name}", text

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield the path of every out file, relative to the root and whole, whatever it contains."""
        for folder in sorted(self._folders()):
            if (self.root / folder / LATEST).is_file():
                yield f"{folder}/{LATEST}", self.root / folder / LATEST
            for month, name in self._names(folder):
                yield f"{folder}/{month}/{name}", self.root / folder / month / name

    def _folders(self) -> list[str]:
        return [entry.name for entry in _entries(self.root) if entry.is_dir()]

    def _names(self, poller: str) -> list[tuple[str, str]]:
        return sorted(
            (month.name, file.name)
            for month in _entries(self.root / poller)
            if month.is_dir(follow_symlinks=False)
            for file in _entries(month.path)
            if file.is_file(follow_symlinks=False) and is_out_name(month.name, file.name)
        )


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """Return the entries of a folder; none if it is no folder or can't be read (`lost+found`)."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _content(path: Path, expected_bytes: int) -> bytes | None:
    """Return the content of a regular file of the expected size, else None."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != expected_bytes:
        return None
    return path.read_bytes()


def _make_folder(folder: Path, *, top: Path) -> None:
    """Make a folder and its parents durably."""
    if folder.is_dir():
        return
    missing = [one for one in (folder, *folder.parents) if not one.is_dir()]
    for one in reversed(missing):
        one.mkdir(mode=FOLDER_MODE, exist_ok=True)
        if top in one.parents:
            _sync_folder(one.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Write `path` atomically: temporary file beside it, fsync, rename, fsync of the folder.

    Raises `OSError`.
    """
    _replace_soon(path, content, then=os.fsync)
    _sync_folder(path.parent)


def _replace_soon(
    path: Path, content: bytes, *, then: Callable[[int], None] = lambda _descriptor: None
) -> None:
    """Write `path` atomically for other processes, but not durably. Raises `OSError`.

    `then` gets the temporary file before it is renamed.
    """
    # The pid in the name: `tallyd once` may write the same file at the same time.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE
    )
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 # a descriptor, not a path
            os.fchmod(descriptor, FILE_MODE)
            file.write(content)
            file.flush()
            then(descriptor)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems can't sync a folder. The file itself is on disk.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _not_written(path: Path, error: OSError) -> OutError:
    return OutError(english("cannot write {file}: {why}", file=path, why=reason_of(error)))
