"""Opens single files of the inbox, and moves exactly the opened file away."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.folders import AwayError, InboxFolders
from tallyd.adapters.inbox.open_file import OpenedFile, open_regular
from tallyd.adapters.inbox.quarantine import Quarantine
from tallyd.adapters.inbox.rename import ChangedError, Identity, Wanted, identity
from tallyd.adapters.inbox.scan import instant
from tallyd.adapters.inbox.tracking import MOST_FILES, Troubles
from tallyd.contract.inbox import Waiting
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
        self._opened: dict[str, Identity] = {}

    def open(self, waiting: Waiting) -> AbstractContextManager[OpenedFile]:
        """See `Folder.open`."""
        return _Opening(self, waiting)

    def open_now(self, waiting: Waiting) -> OpenedFile:
        """Open a file that has not changed since the look. Raises `InboxError`."""
        opened = self._open(waiting)
        if not _is_as_seen(waiting, opened.identity):
            opened.close()
            raise InboxError(_changed(waiting))
        self._remember(os.fsdecode(waiting.key), opened.identity)
        return opened

    def done(self, waiting: Waiting, *, delete: bool) -> None:
        """See `Folder.done`."""
        path, wanted = os.fsdecode(waiting.key), self._wanted(waiting)

        def put(inbox: int) -> None:
            if delete:
                self._quarantine.delete(inbox, path, wanted=wanted)
            else:
                day = self._now().astimezone(UTC).date()
                self._quarantine.done(inbox, path, source=waiting.source, day=day, wanted=wanted)

        self._put(waiting, put)

    def rejected(self, waiting: Waiting, reason: Mapping[str, Json]) -> None:
        """See `Folder.rejected`."""
        path, wanted = os.fsdecode(waiting.key), self._wanted(waiting)
        self._put(
            waiting,
            lambda inbox: self._quarantine.rejected(
                inbox, path, reason, source=waiting.source, wanted=wanted
            ),
        )

    def _put(self, waiting: Waiting, put: Callable[[int], None]) -> None:
        """Move or delete a file.

        If it is gone, that is fine; but first check whether a held folder is gone.
        """
        try:
            with self._used(waiting), self._inbox_folders.inbox() as inbox:
                put(inbox)
        except FileNotFoundError:
            if self._inbox_folders.release():
                with suppress(FileNotFoundError), self._used(waiting), self._inbox_folders.inbox() as inbox:
                    put(inbox)
        self._forget(os.fsdecode(waiting.key))

    def _open(self, waiting: Waiting) -> OpenedFile:
        path = os.fsdecode(waiting.key)
        try:
            with (
                self._used(waiting),
                self._inbox_folders.inbox() as inbox,
                self._inbox_folders.folder_of(inbox, path) as (folder, name),
            ):
                opened = OpenedFile(
                    *open_regular(folder, name),
                    shown=waiting.name,
                    max_bytes=self._max_bytes,
                    there=lambda: self._identity_of(path),
                    failed=lambda reason: self._failed(waiting, opened.identity, reason),
                )
                return opened
        except FileNotFoundError as error:
            raise InboxError(f"{waiting.name} is gone") from error

    def _used(self, waiting: Waiting) -> _Used:
        return _Used(waiting, self._note)

    def _note(self, waiting: Waiting, reason: str) -> None:
        self._inbox_folders.release()  # the held folders may be the cause
        path = os.fsdecode(waiting.key)
        found = self._identity_of(path)
        if found is not None:
            self._troubles.note(path, found, reason)

    def _identity_of(self, path: str) -> Identity | None:
        """Return the identity of the file at a path in the inbox; None if there is none, or if unknown."""
        try:
            with (
                self._inbox_folders.inbox() as inbox,
                self._inbox_folders.folder_of(inbox, path) as (folder, name),
            ):
                return identity(os.stat(name, dir_fd=folder, follow_symlinks=False))
        except (OSError, InboxError):
            return None

    def _failed(self, waiting: Waiting, found: Identity, reason: str) -> InboxError:
        self._troubles.note(os.fsdecode(waiting.key), found, reason)
        return InboxError(f"{waiting.name}: {reason}")

    def _remember(self, path: str, found: Identity) -> None:
        self._opened.pop(path, None)
        if len(self._opened) >= MOST_FILES:
            del self._opened[next(iter(self._opened))]
        self._opened[path] = found

    def _forget(self, path: str) -> None:
        self._opened.pop(path, None)
        self._troubles.forget(path)

    def _wanted(self, waiting: Waiting) -> Wanted:
        opened = self._opened.get(os.fsdecode(waiting.key))
        if opened is not None and _is_as_seen(waiting, opened):
            return lambda found: identity(found) == opened
        return lambda found: _is_as_seen(waiting, identity(found))


class _Opening:
    """The context manager of `Files.open`. `contextlib` would take as long as reading a small file."""

    __slots__ = ("_files", "_opened", "_waiting")

    def __init__(self, files: Files, waiting: Waiting) -> None:
        self._files, self._waiting = files, waiting

    def __enter__(self) -> OpenedFile:
        self._opened = self._files.open_now(self._waiting)
        return self._opened

    def __exit__(self, *_exception: object) -> None:
        self._opened.close()


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


def _is_as_seen(waiting: Waiting, found: Identity) -> bool:
    return (waiting.size, waiting.modified_at) == (found[2], instant(found[3]))


def _changed(waiting: Waiting) -> str:
    return f"{waiting.name} changed after it was seen; tallyd checks it again later"
