"""The lock for one daemon per inbox: an `flock` on `.tallyd/lock`.

The kernel frees it if the process dies.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.folders import OWN, OpenInbox
from tallyd.core.errors import InboxError
from tallyd.core.language.messages import english, mark

_NAME = "lock"


class InboxHeldError(InboxError):
    """Another process has locked this inbox. `pid` is its process id, None if it can't be read."""

    def __init__(self, shown: str, pid: int | None) -> None:
        text = english(
            "{folder} is the inbox of another tallyd (process {pid}); "
            "stop that one, or give this poller its own folder",
            folder=shown,
            pid=pid or mark("unknown"),
        )
        super().__init__(text)
        self.pid = pid


class InboxLock:
    """The lock of one inbox. While it is held, the inbox's file system can't be unmounted."""

    def __init__(self) -> None:
        self._descriptor: int | None = None

    def take(self, inbox: OpenInbox) -> None:
        """Take the lock of an open inbox, unless we hold it. Raises `InboxHeldError`, `InboxError`."""
        if self._is_held(inbox):
            return
        self.release()  # the old lock may be in a folder that was deleted or unmounted
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(_NAME, flags, 0o600, dir_fd=inbox.own(make=True))
        except OSError as error:
            raise _failed(inbox.shown, error) from error
        try:
            self._lock(descriptor, inbox.shown)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock. A further call does nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, descriptor: int, shown: str) -> None:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file = f"{shown}/{OWN}/{_NAME}"
            raise InboxError(english("{file} is not a file. Remove it.", file=file))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            text = os.pread(descriptor, 20, 0).strip()
            raise InboxHeldError(shown, int(text) if text.isdigit() else None) from error
        except OSError as error:
            raise _failed(shown, error) from error
        with suppress(OSError):  # a full disk: the lock works, but it does not show our pid
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def _is_held(self, inbox: OpenInbox) -> bool:
        if self._descriptor is None:
            return False
        try:
            there = os.stat(f"{OWN}/{_NAME}", dir_fd=inbox.descriptor, follow_symlinks=False)
        except OSError:
            return False
        held = os.fstat(self._descriptor)
        return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


def _failed(shown: str, error: OSError) -> InboxError:
    return InboxError(english("{folder}: no lock in .tallyd: {why}", folder=shown, why=why(error)))
