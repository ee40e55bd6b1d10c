"""Opens a file of the inbox, and nothing else that may have its name."""

from __future__ import annotations

import errno
import os
import stat

from tallyd.adapters.inbox.rename import identity
from tallyd.contract.inbox import Identity
from tallyd.core.language.messages import mark

CHUNK_BYTES = 256 * 1024
# O_NONBLOCK: if a FIFO has replaced the file, opening it would block all other files.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# A link, or a socket.
_NO_FILE = (errno.ELOOP, errno.ENXIO)


class NotRegularError(OSError):
    """It is not a regular file (any more)."""

    def __init__(self) -> None:
        super().__init__(0, mark("no regular file"))


def open_regular(folder: int, name: str) -> tuple[int, Identity]:
    """Open a regular file for reading; return its descriptor and identity.

    Raises `NotRegularError`, OSError.
    """
    try:
        descriptor = os.open(name, _FLAGS, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise NotRegularError from error
        raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise NotRegularError
    return descriptor, identity(found)
