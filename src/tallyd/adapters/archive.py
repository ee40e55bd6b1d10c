"""The file of a backup: a zip archive, with a manifest that has the size and the SHA-256 of every member.

Any program can open it. The manifest is the last member, so an archive without one is not complete.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from pydantic import TypeAdapter

from tallyd.core.errors import BackupError
from tallyd.core.language.messages import english
from tallyd.core.system_words import reason_of

FORMAT: Final = 1
_MANIFEST: Final = "manifest.json"
_MOST_MANIFEST_BYTES: Final = 1 << 28
_BLOCK_BYTES: Final = 1 << 20
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, RuntimeError, OSError)
"""What `zipfile` raises for an archive that is damaged, encrypted, or none."""
_PACKED: Final = zipfile.ZIP_DEFLATED
_LEVEL: Final = 3
"""On a small machine, the best compression would take three times as long for a tenth less."""


@dataclass(frozen=True)
class Member:
    """A file in the archive."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What an archive is: made when, by which version, in which time zone, and its files by name.

    `is_private`: it has secrets and user names. `elsewhere`: databases that are on a server, so not in it.
    """

    format: int
    tallyd: str
    made_at: datetime
    timezone: str
    is_private: bool
    elsewhere: tuple[str, ...]
    files: Mapping[str, Member]


@dataclass(frozen=True)
class _Version:
    """What the manifest of every format has."""

    format: int
    tallyd: str


_MANIFEST_JSON, _VERSION_JSON = TypeAdapter(Manifest), TypeAdapter(_Version)


class NewArchive:
    """An archive that is being written."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w", _PACKED, compresslevel=_LEVEL)
        self.files: dict[str, Member] = {}

    def add(self, name: str, path: Path) -> None:
        """Add a file. Raises OSError."""
        with path.open("rb") as source:
            self._add(name, source)

    def add_content(self, name: str, content: bytes) -> None:
        self._add(name, io.BytesIO(content))

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, and complete the archive."""
        with self._zip.open(_MANIFEST, "w") as target:
            target.write(_MANIFEST_JSON.dump_json(manifest, indent=1))
        self.close()

    def close(self) -> None:
        """End the archive; without a manifest, it is not complete. A further call does nothing."""
        self._zip.close()

    def _add(self, name: str, source: BinaryIO) -> None:
        digest, size_bytes = hashlib.sha256(), 0
        with self._zip.open(name, "w", force_zip64=True) as target:
            while block := source.read(_BLOCK_BYTES):
                digest.update(block)
                size_bytes += len(block)
                target.write(block)
        self.files[name] = Member(size_bytes, digest.hexdigest())


class Archive:
    """An archive to read. Raises `BackupError` if it is not a complete backup of this or an older version."""

    def __init__(self, file: BinaryIO, place: str) -> None:
        self.place = place
        try:
            self._zip = zipfile.ZipFile(file)
            info = self._zip.getinfo(_MANIFEST)
            if info.file_size > _MOST_MANIFEST_BYTES:
                raise ValueError
            content = self._zip.read(info)
            made_by = _VERSION_JSON.validate_json(content)
            if made_by.format > FORMAT:
                newer = english(
                    "{file} was made by a newer tallyd ({version})", file=place, version=made_by.tallyd
                )
                raise BackupError(newer)
            self.manifest = _MANIFEST_JSON.validate_json(content)
            if not all(map(self._is_sound, self.manifest.files)):
                raise ValueError
        except _BROKEN:
            raise BackupError(
                english("{file} is not a backup of tallyd, or it is not complete", file=place)
            ) from None

    def names(self, folder: str) -> list[str]:
        """Return the names of the files below a folder, sorted."""
        return sorted(name for name in self.manifest.files if name.startswith(f"{folder}/"))

    def check(self) -> None:
        """Raise `BackupError` unless every file is as it was when the backup was made."""
        for name in self.manifest.files:
            for _block in self._blocks(name):
                pass

    def read(self, name: str) -> bytes:
        """Return the content of a small file. Raises `BackupError`."""
        return b"".join(self._blocks(name))

    def extract(self, name: str, target: Path, *, mode: int = 0o640, is_durable: bool = True) -> None:
        """Write a file whole or not at all, to a path where there is none. Raises `BackupError`."""
        beside = target.with_name(f".{target.name}.tmp")
        try:
            beside.unlink(missing_ok=True)  # left by a restore that was killed
            with _made(beside, mode, is_durable=is_durable) as file:
                for block in self._blocks(name):
                    file.write(block)
            beside.rename(target)
        except OSError as error:
            raise _not_written(target, error) from error
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def _blocks(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file. At its end, raises `BackupError` if it was not as it was made."""
        wanted, digest, size_bytes = self.manifest.files[name], hashlib.sha256(), 0
        try:
            with self._zip.open(name) as source:
                while (block := source.read(_BLOCK_BYTES)) and size_bytes <= wanted.size_bytes:
                    digest.update(block)
                    size_bytes += len(block)
                    yield block
        except _BROKEN as error:
            raise self._damaged(name) from error
        if (size_bytes, digest.hexdigest()) != (wanted.size_bytes, wanted.sha256):
            raise self._damaged(name)

    def _damaged(self, name: str) -> BackupError:
        return BackupError(english("{file} is damaged: {why}", file=self.place, why=name))

    def _is_sound(self, name: str) -> bool:
        """Whether a member is there, packed as we do it, and stays below the folder where it is written."""
        path = PurePosixPath(name)
        is_below = str(path) == name and not path.is_absolute() and ".." not in path.parts
        return is_below and self._zip.getinfo(name).compress_type == _PACKED


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that appears at `path` once it is complete, readable only by its owner.

    Raises `BackupError`, also if there is a file already. An OSError about another file passes.
    """
    if os.path.lexists(path):
        raise BackupError(english("{file} already exists; nothing was changed", file=path))
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with _made(beside, 0o600) as file:
            yield file
        beside.rename(path)
        _sync(path.parent)
    except OSError as error:
        if error.filename not in (None, beside, str(beside)):
            raise
        raise _not_written(path, error) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


@contextmanager
def _made(path: Path, mode: int, *, is_durable: bool = True) -> Iterator[BinaryIO]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:  # noqa: PTH123 # a descriptor, not a path
        yield file
        file.flush()
        if is_durable:
            os.fsync(descriptor)


def _not_written(path: Path, error: OSError) -> BackupError:
    return BackupError(english("cannot write {file}: {why}", file=path, why=reason_of(error)))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some file systems can't
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
