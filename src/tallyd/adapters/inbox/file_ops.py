"""Opens single files of the inbox, and moves exactly the opened file away."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.folders import AwayError, InboxFolders
from tallyd.adapters.inbox.open_file import OpenedFile, open_regular
from tallyd.adapters.inbox.quarantine import Quarantine
from tallyd.adapters.inbox.rename import ChangedError, identity
from tallyd.adapters.inbox.tracking import Troubles
from tallyd.contract.inbox import Identity, Waiting
from tallyd.core.errors import InboxError
from tallyd.core.reading import Json


class Files:
    """The operations of `contract.Inbox` on one file. Files that can't be used are noted in `troubles`."""

    def __init__(
        self,
        inbox_folders: InboxFolders,
        quarantine: Quarantine,
        troubles: Troubles,
        *,
        max_bytes: int,
        now: Callable[[], datetime],
    ) -> None:
        self._inbox_folders = inbox_folders
        self._quarantine = quarantine
        self._troubles = troubles
        self._max_bytes = max_bytes
        self._now = now

    def open(self, waiting: Waiting) -> OpenedFile:
        """See `Folder.open`."""
        try:
            with (
                _Used(waiting, self._note),
                self._inbox_folders.inbox() as inbox,
                self._inbox_folders.folder_of(inbox, waiting.key) as (folder, name),
            ):
                descriptor, found = open_regular(folder, name)
        except FileNotFoundError as error:
            raise InboxError(f"{waiting.name} is gone") from error
        if found != waiting.identity:
            os.close(descriptor)
            raise InboxError(_changed(waiting))
        return OpenedFile(
            descriptor,
            waiting,
            max_bytes=self._max_bytes,
            identity_of=self._identity_of,
            failed=self._failed,
        )

    def done(self, waiting: Waiting, *, delete: bool) -> None:
        """See `Folder.done`."""
        if delete:
            self._put(waiting, lambda inbox: self._quarantine.delete(inbox, waiting))
        else:
            day = self._now().astimezone(UTC).date()
            self._put(waiting, lambda inbox: self._quarantine.done(inbox, waiting, day=day))

    def rejected(self, waiting: Waiting, reason: Mapping[str, Json]) -> None:
        """See `Folder.rejected`."""
        self._put(waiting, lambda inbox: self._quarantine.rejected(inbox, waiting, reason))

    def _put(self, waiting: Waiting, put: Callable[[int], None]) -> None:
        """Move or delete a file.

        If it is gone, that is fine; but first check whether a held folder is gone.
        """
        try:
            with _Used(waiting, self._note), self._inbox_folders.inbox() as inbox:
                put(inbox)
        except FileNotFoundError:
            if self._inbox_folders.release():
                with (
                    suppress(FileNotFoundError),
                    _Used(waiting, self._note),
                    self._inbox_folders.inbox() as inbox,
                ):
                    put(inbox)
        self._troubles.forget(waiting.key)

    def _note(self, waiting: Waiting, reason: str) -> None:
        self._inbox_folders.release()  # the held folders may be the cause
        found = self._identity_of(waiting)
        if found is not None:
            self._troubles.note(waiting.key, found, reason)

    def _identity_of(self, waiting: Waiting) -> Identity | None:
        """Return the identity of the file that has the name now; None if there is none, or if unknown."""
        try:
            with (
                self._inbox_folders.inbox() as inbox,
                self._inbox_folders.folder_of(inbox, waiting.key) as (folder, name),
            ):
                return identity(os.stat(name, dir_fd=folder, follow_symlinks=False))
        except (OSError, InboxError):
            return None

    def _failed(self, waiting: Waiting, reason: str) -> InboxError:
        self._troubles.note(waiting.key, waiting.identity, reason)
        return InboxError(f"{waiting.name}: {reason}")


class _Used:
    """Converts errors of a file into `InboxError`, and notes those that may last.

    FileNotFoundError is not converted: the caller decides whether that is an error.
    """

    __slots__ = ("_note", "_waiting")

    def __init__(self, waiting: Waiting, note: Callable[[Waiting, str], None]) -> None:
        self._waiting, self._note = waiting, note

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is None or isinstance(error, FileNotFoundError | AwayError):
            return
        if isinstance(error, ChangedError):
            raise InboxError(_changed(self._waiting)) from error
        if isinstance(error, InboxError):
            self._note(self._waiting, error.text)
        elif isinstance(error, OSError):
            self._note(self._waiting, why(error))
            raise InboxError(f"{self._waiting.name}: {why(error)}") from error


def _changed(waiting: Waiting) -> str:
    return f"{waiting.name} changed after it was seen; tallyd checks it again later"
