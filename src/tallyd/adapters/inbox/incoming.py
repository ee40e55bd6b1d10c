"""A file that a program sends to tallyd: it comes into the inbox whole, or not at all."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.folders import OpenInbox, enter
from tallyd.adapters.inbox.rename import put_back
from tallyd.core.errors import InboxError
from tallyd.core.language.messages import english

INCOMING: Final = "incoming"
"""The folder in `.tallyd` for files that are not whole yet."""
_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Incoming:
    """One such file, in `.tallyd/incoming`. Raises `InboxError`. Its calls wait for each other."""

    def __init__(self, inbox: Path, *, is_mount: bool) -> None:
        self.size = 0
        self._inbox = OpenInbox(inbox, is_mount=is_mount)
        self._name = secrets.token_hex(16)
        self._is_put = self._is_closed = False
        self._at_work = threading.Lock()
        try:
            with self._working():
                self._folder = self._inbox.own(INCOMING, make=True)
                self._descriptor = os.open(self._name, _FILE, 0o640, dir_fd=self._folder)
        except BaseException:
            self._inbox.close()
            raise

    def write(self, data: bytes) -> None:
        """Add to its content."""
        self.size += len(data)
        with self._working():
            while data:
                data = data[os.write(self._descriptor, data) :]

    def put(self, source: str, name: str) -> str:
        """Move it to the folder of its source. Return its path in the inbox.

        Once this returns, a power failure does not lose it. If there is such a file, it gets a similar name.
        """
        with self._working():
            root = self._inbox.descriptor
            os.fsync(self._descriptor)
            with suppress(FileExistsError):
                os.mkdir(source, 0o770, dir_fd=root)
                os.fsync(root)
            folder = enter(root, source)
            try:
                name = put_back(self._name, name, folder=self._folder, new_folder=folder)
                self._is_put = True
                os.fsync(folder)
            finally:
                os.close(folder)
        return f"{source}/{name}"

    def close(self) -> None:
        """End; a file that was not put is deleted."""
        with self._at_work:
            self._is_closed = True
            if not self._is_put:
                with suppress(OSError):
                    os.unlink(self._name, dir_fd=self._folder)
            os.close(self._descriptor)
            self._inbox.close()

    @contextmanager
    def _working(self) -> Iterator[None]:
        # A request that is cut off closes the file while a thread may still work with it. Other files could
        # then get the numbers of its descriptors.
        with self._at_work:
            if self._is_closed:
                raise InboxError(english("{place}: {why}", place=self._inbox.shown, why="cut off"))
            try:
                yield
            except OSError as error:
                text = english("{place}: {why}", place=self._inbox.shown, why=why(error))
                raise InboxError(text) from error
