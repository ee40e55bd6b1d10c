"""One daemon on an inbox: an `flock` on `.tallyd/lock`, which any death frees."""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.folders import OWN, Places
from tallyd.core.errors import InboxError

_NAME = "lock"


class InboxHeldError(InboxError):
    """Another process works on this inbox; `pid` is its number where that could be read."""

    def __init__(self, shown: str, pid: int | None) -> None:
        super().__init__(
            f"{shown} is the inbox of another tallyd (process {pid or 'unknown'}); "
            "stop that one, or give this poller a folder of its own"
        )
        self.pid = pid


class InboxLock:
    """The lock of one inbox. While it is held, the file system of the inbox is busy for umount."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._descriptor: int | None = None

    def take(self, inbox: int) -> None:
        """Take the lock of an open inbox, unless it is held. Raises `InboxHeldError`, `InboxError`."""
        if self._is_held(inbox):
            return
        self.release()  # of a folder that was deleted, or of one that is no longer mounted
        try:
            with self._places.own(inbox, make=True) as own:
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(_NAME, flags, 0o600, dir_fd=own)
        except OSError as error:
            raise InboxError(f"{self._places.shown}: no lock in {OWN}: {why(error)}") from error
        try:
            self._lock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; a further call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, descriptor: int) -> None:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InboxError(f"{self._places.shown}/{OWN}/{_NAME} is no file. Remove it.")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = os.pread(descriptor, 20, 0).strip()
            raise InboxHeldError(self._places.shown, int(text) if text.isdigit() else None) from error
        except OSError as error:
            raise InboxError(f"{self._places.shown}: no lock in {OWN}: {why(error)}") from error
        with suppress(OSError):  # a full disk: the lock holds, only who holds it can't be read
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def _is_held(self, inbox: int) -> bool:
        if self._descriptor is None:
            return False
        try:
            there = os.stat(f"{OWN}/{_NAME}", dir_fd=inbox, follow_symlinks=False)
        except OSError:
            return False
        held = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
