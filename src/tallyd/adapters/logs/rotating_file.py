"""A file that is appended to for years: bounded, rotated, and found again when others moved it away."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, kw_only=True)
class LogFile:
    """Where the log is, the size in bytes it does not grow past, and how many older ones are kept."""

    path: Path
    max_bytes: int = 5_000_000
    backups: int = 9


class RotatingFile:
    """Appends lines to `settings.path`, opened at the first one; `X.1` is the newest of the older files.

    Not `logging.handlers.RotatingFileHandler`, whose buffer repeats half a line after a full disk, which
    goes on writing into a file that was deleted, and which loses lines where it can't rotate. One process
    writes at a time; the caller holds a lock.
    """

    def __init__(self, settings: LogFile) -> None:
        self.settings = settings
        self._fd: int | None = None

    def append(self, line: bytes) -> OSError | None:
        """Append `line` (with its line break) as a whole or not at all.

        Return why the file could not be rotated, if so: it then grows past its size rather than losing
        lines. Raises OSError when the line could not be written; the next one tries everything anew.
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
        """Close the file; the next line opens it again."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with suppress(OSError):  # NFS reports a failed write here; nothing is left to be done about it
                os.close(fd)

    def _opened(self) -> int:
        """Return the descriptor of the file that now stands at the path; deleted or moved: of a new one."""
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
                with suppress(PermissionError):  # not our file, but one that we may write
                    os.fchmod(fd, 0o640)  # whatever the umask is
            elif os.pread(fd, 1, found.st_size - 1) != b"\n":  # the power failed in the middle of a line
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
                with suppress(OSError):  # then the next opening ends the torn line
                    os.ftruncate(fd, size)
            raise
