"""Lock files: one daemon per state folder, one run of a job at a time. The kernel frees them when a process
dies.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

_LOOK_EVERY_S = 0.1


class LockedError(Exception):
    """Another process holds the lock. `pid` is its process id, None if it can't be read."""

    def __init__(self, path: Path, pid: int | None) -> None:
        super().__init__(f"{path} is held by process {pid if pid else 'unknown'}")
        self.path = path
        self.pid = pid


class FileLock:
    """An `flock` on a file that contains the holder's pid.

    The file is never removed: that would be a race.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self, *, wait_s: float = 0.0, stop: Callable[[], bool] = lambda: False) -> Self:
        """Take the lock; wait up to `wait_s` seconds for it. Raises `LockedError`, OSError."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        until = time.monotonic() + wait_s
        while not (taken := _try(descriptor)) and time.monotonic() < until and not stop():
            time.sleep(_LOOK_EVERY_S)
        if not taken:
            os.close(descriptor)
            raise LockedError(self.path, holder(self.path))
        self._descriptor = descriptor
        pid = f"{os.getpid()}\n".encode()
        # Some jobs take their lock every two seconds for years. Fewer writes spare an SD card.
        if os.pread(descriptor, 20, 0) != pid:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, pid, 0)
        return self

    def release(self) -> None:
        """Release the lock. A further call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.release()


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(path: Path) -> int | None:
    """Return the pid of the process that holds the lock; None if nobody does, or if it can't be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if _try(descriptor):
            return None
        text = os.pread(descriptor, 20, 0).strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
