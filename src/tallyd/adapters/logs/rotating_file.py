"""A log file for years: limited in size, rotated, and opened anew if somebody moves it away."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, kw_only=True)
class LogFile:
    """The path of the log, its maximum size in bytes, and how many older files to keep."""

    path: Path
    max_bytes: int = 5_000_000
    backups: int = 9


class RotatingFile:
    """Appends lines to `settings.path`. It is opened at the first line. `X.1` is the newest older file.

    Why not `logging.handlers.RotatingFileHandler`: after a full disk its buffer repeats half a line, it keeps
    writing into a deleted file, and it loses lines if it can't rotate. The caller must hold a lock, and only
    one process may write.
    """

    def __init__(self, settings: LogFile) -> None:
        self.settings = settings
        self._fd: int | None = None

    def append(self, line: bytes) -> OSError | None:
        """Append `line` (with its line break) completely or not at all.

        Return the error if the file could not be rotated: it then grows past its size and loses no lines.
        Raises OSError if the line could not be written. The next call opens the file anew.
        """
        unrotated = None
        try:
            fd = self._opened()
            if self._is_full(fd, len(line)):
                try:
                    self._rotate()
                except OSError as failure:
                    unrotated = failure
                fd = self._opened()
            self._write(fd, line)
        except OSError:
            self.close()
            raise
        return unrotated

    def close(self) -> None:
        """Close the file. The next line opens it again."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with suppress(OSError):  # NFS reports a failed write here, too late to repeat it
                os.close(fd)

    def _opened(self) -> int:
        """Return a descriptor of the file at the path. Opens a new one if somebody deleted or moved it."""
        if self._fd is not None:
            try:
                is_ours = os.path.samestat(self.settings.path.stat(), os.fstat(self._fd))
            except FileNotFoundError:
                is_ours = False
            if not is_ours:
                self.close()
        if self._fd is None:
            self._fd = self._open()
        return self._fd

    def _open(self) -> int:
        path = self.settings.path
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        fd = os.open(path, _FLAGS, 0o640)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                return fd
            if found.st_size == 0:
                with suppress(PermissionError):  # somebody else owns the file, but we may write to it
                    os.fchmod(fd, 0o640)  # whatever the umask is
            elif os.pread(fd, 1, found.st_size - 1) != b"\n":  # a power failure cut the last line
                os.write(fd, b"\n")
        except OSError:
            os.close(fd)
            raise
        return fd

    def _is_full(self, fd: int, more: int) -> bool:
        size = os.fstat(fd).st_size
        return size > 0 and size + more > self.settings.max_bytes

    def _rotate(self) -> None:
        path, backups = self.settings.path, self.settings.backups
        if backups == 0:
            path.unlink()
            return
        for number in range(backups, 0, -1):
            newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
            with suppress(FileNotFoundError):
                newer.replace(path.with_name(f"{path.name}.{number}"))

    @staticmethod
    def _write(fd: int, line: bytes) -> None:
        size = os.fstat(fd).st_size
        rest = line
        try:
            while rest:
                rest = rest[os.write(fd, rest) :]
        except OSError:
            if len(rest) < len(line):
                with suppress(OSError):  # if this fails, the next opening ends the partial line
                    os.ftruncate(fd, size)
            raise
