"""A file of the inbox: opened once, read any number of times, always with the same content."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.rename import identity
from tallyd.contract.inbox import Identity, Waiting
from tallyd.core.errors import InboxError

CHUNK_BYTES = 256 * 1024
# O_NONBLOCK: if a FIFO has replaced the file, opening it would block all other files.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# A link, or a socket.
_NO_FILE = (errno.ELOOP, errno.ENXIO)


class NotRegularError(OSError):
    """It is not a regular file (any more)."""

    def __init__(self) -> None:
        super().__init__(0, "no regular file")


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


class OpenedFile:
    """Implements `contract.OpenFile`. As a context manager, it closes the file.

    `identity_of` returns the identity of the file that has a name now, None if there is none. `failed` gets
    the reason why the file can't be read, and returns the exception to raise. If the content changes during
    or between two reads, `chunks()` raises `InboxError`, at its end at the latest.
    """

    def __init__(
        self,
        descriptor: int,
        waiting: Waiting,
        *,
        max_bytes: int,
        identity_of: Callable[[Waiting], Identity | None],
        failed: Callable[[Waiting, str], InboxError],
    ) -> None:
        self._descriptor = descriptor
        self._waiting = waiting
        self._max_bytes = max_bytes
        self._identity_of = identity_of
        self._failed = failed
        self._sha256: str | None = None

    def __enter__(self) -> OpenedFile:
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self._descriptor)

    @property
    def sha256(self) -> str:
        if self._sha256 is None:
            raise RuntimeError("the hash is known once all chunks were read")
        return self._sha256

    def is_unchanged(self) -> bool:
        """See `contract.OpenFile`. Also false if another file, or none, has its name now.

        It asks by name only, so it also works for a closed file: a sweep waits for hundreds of files at once.
        """
        return self._identity_of(self._waiting) == self._waiting.identity

    def chunks(self) -> Iterator[bytes]:
        """See `contract.OpenFile`. Two reads may run at the same time."""
        size = self._waiting.size
        if size > self._max_bytes:
            raise self._failed(self._waiting, f"is larger than {self._max_bytes} bytes")
        digest, position = hashlib.sha256(), 0
        while position < size and (chunk := self._read(position, min(CHUNK_BYTES, size - position))):
            position += len(chunk)
            digest.update(chunk)
            yield chunk
        found = digest.hexdigest()
        if position != size or not self._is_still() or found != (self._sha256 or found):
            raise InboxError(f"{self._waiting.name} changed while it was read")
        self._sha256 = found

    def _read(self, position: int, most: int) -> bytes:
        try:
            return os.pread(self._descriptor, most, position)
        except OSError as error:
            raise self._failed(self._waiting, why(error)) from error

    def _is_still(self) -> bool:
        return identity(os.fstat(self._descriptor)) == self._waiting.identity
