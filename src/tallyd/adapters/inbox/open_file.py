"""A file of the inbox: opened once, read any number of times, always with the same content."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.rename import Identity, identity
from tallyd.core.errors import InboxError

CHUNK_BYTES = 256 * 1024
# O_NONBLOCK: if a FIFO has replaced the file, opening it would block all other files.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NotRegularError(OSError):
    """It is not a regular file (any more)."""


def open_regular(folder: int, name: str) -> tuple[int, Identity]:
    """Open a regular file for reading; return its descriptor and identity.

    Raises `NotRegularError`, OSError.
    """
    # Check first: opening some devices already has an effect.
    if not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise NotRegularError(0, "no regular file")
    descriptor = os.open(name, _FLAGS, dir_fd=folder)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise NotRegularError(0, "no regular file")
    return descriptor, identity(found)


class OpenedFile:
    """Implements `contract.OpenFile`.

    `there` returns the identity of the file that has its name now, None if there is none. `failed` gets the
    reason why the file can't be read, and returns the exception to raise. If the content changes during or
    between two reads, `chunks()` raises `InboxError`, at its end at the latest.
    """

    def __init__(
        self,
        descriptor: int,
        found: Identity,
        *,
        shown: str,
        max_bytes: int,
        there: Callable[[], Identity | None],
        failed: Callable[[str], InboxError],
    ) -> None:
        self._descriptor = descriptor
        self._shown = shown
        self._max_bytes = max_bytes
        self._there = there
        self._failed = failed
        self._sha256: str | None = None
        self.identity = found

    @property
    def size(self) -> int:
        return self.identity[2]

    @property
    def sha256(self) -> str:
        if self._sha256 is None:
            raise RuntimeError("the hash is known once all chunks were read")
        return self._sha256

    def is_unchanged(self) -> bool:
        """See `contract.OpenFile`. Also false if another file, or none, has its name now.

        It asks by name only, so it also works for a closed file: a sweep waits for hundreds of files at once.
        """
        return self._there() == self.identity

    def chunks(self) -> Iterator[bytes]:
        """See `contract.OpenFile`. Two reads may run at the same time."""
        digest, position = hashlib.sha256(), 0
        while chunk := self._read(position):
            position += len(chunk)
            if position > self._max_bytes:
                raise self._failed(f"is larger than {self._max_bytes} bytes")
            digest.update(chunk)
            yield chunk
        found = digest.hexdigest()
        if position != self.size or not self._is_still() or found != (self._sha256 or found):
            raise InboxError(f"{self._shown} changed while it was read")
        self._sha256 = found

    def close(self) -> None:
        os.close(self._descriptor)

    def _read(self, position: int) -> bytes:
        most = min(CHUNK_BYTES, self._max_bytes + 1 - position)
        try:
            return os.pread(self._descriptor, most, position)
        except OSError as error:
            raise self._failed(why(error)) from error

    def _is_still(self) -> bool:
        return identity(os.fstat(self._descriptor)) == self.identity
