"""Reads single files of the inbox, and moves exactly the file that was read away."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.folders import AwayError, OpenInbox
from tallyd.adapters.inbox.open_file import CHUNK_BYTES, open_regular
from tallyd.adapters.inbox.quarantine import Quarantine
from tallyd.adapters.inbox.rename import ChangedError, identity
from tallyd.adapters.inbox.tracking import Troubles
from tallyd.contract.inbox import Identity, Waiting
from tallyd.core.errors import InboxError
from tallyd.core.language.messages import english
from tallyd.core.reading import Json


class Files:
    """The operations of `contract.Inbox` on one file. Files that can't be used are noted in `troubles`.

    `opened` opens the inbox. It stays open for one operation, or until the end of `held`.
    """

    def __init__(
        self,
        opened: Callable[[], OpenInbox],
        quarantine: Quarantine,
        troubles: Troubles,
        *,
        max_bytes: int,
        now: Callable[[], datetime],
    ) -> None:
        self._open = opened
        self._quarantine = quarantine
        self._troubles = troubles
        self._max_bytes = max_bytes
        self._now = now
        self._inbox: OpenInbox | None = None
        self._is_held = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """See `contract.Inbox`. At most `MOST_HELD` folders of the inbox, and as many of ours, at a time."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            self._release()

    def chunks(self, waiting: Waiting) -> Iterator[bytes]:
        """See `contract.Inbox`. A file that can't be read is noted: it is not tried again at each look."""
        if waiting.size > self._max_bytes:
            reason = english("is larger than {most} bytes", most=self._max_bytes)
            raise self._failed(waiting, waiting.identity, reason)
        descriptor, found = self._open_file(waiting)
        try:
            if found != waiting.identity:
                raise _changed(waiting)
            left = waiting.size
            while left and (chunk := os.read(descriptor, min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk
            if left or identity(os.fstat(descriptor)) != waiting.identity:
                raise _changed(waiting)
        except OSError as error:
            raise self._failed(waiting, waiting.identity, why(error)) from error
        finally:
            os.close(descriptor)

    def is_unchanged(self, waiting: Waiting) -> bool:
        """See `contract.Inbox`. Also false if another file, or none, has its name now."""
        return self._identity_of(waiting) == waiting.identity

    def done(self, waiting: Waiting, *, delete: bool = False) -> None:
        """See `contract.Inbox`. If it is another file, or has changed since the look, it stays in the inbox.

        It goes to `.tallyd/done/<today, UTC>/<source>/`.
        """
        if delete:
            self._put(waiting, lambda inbox: self._quarantine.delete(inbox, waiting))
        else:
            day = self._now().astimezone(UTC).date()
            self._put(waiting, lambda inbox: self._quarantine.done(inbox, waiting, day=day))

    def rejected(self, waiting: Waiting, reason: Mapping[str, Json]) -> None:
        """See `contract.Inbox`. Like `done`, but it goes to `.tallyd/rejected/<source>/`."""
        self._put(waiting, lambda inbox: self._quarantine.rejected(inbox, waiting, reason))

    def _open_file(self, waiting: Waiting) -> tuple[int, Identity]:
        try:
            return open_regular(*self._use().folder_of(waiting.key))
        except FileNotFoundError as error:
            raise InboxError(english("{file} is gone", file=waiting.name)) from error
        except (OSError, InboxError) as error:
            raise self._unusable(waiting, error) from error
        finally:
            self._end_use()

    def _put(self, waiting: Waiting, put: Callable[[OpenInbox], None]) -> None:
        """Move or delete a file. If it is gone, that is fine; but a held folder may be gone instead."""
        try:
            try:
                put(self._use())
            except FileNotFoundError:
                self._release()
                put(self._use())
        except FileNotFoundError:
            pass
        except ChangedError as error:
            raise _changed(waiting) from error
        except (OSError, InboxError) as error:
            raise self._unusable(waiting, error) from error
        finally:
            self._end_use()
        self._troubles.forget(waiting.key)

    def _use(self) -> OpenInbox:
        self._inbox = self._inbox or self._open()
        return self._inbox

    def _end_use(self) -> None:
        if not self._is_held:
            self._release()

    def _release(self) -> None:
        if self._inbox is not None:
            self._inbox.close()
            self._inbox = None

    def _unusable(self, waiting: Waiting, error: OSError | InboxError) -> InboxError:
        """Return the exception to raise; note an error that may last."""
        self._release()  # the held folders may be the cause
        if isinstance(error, AwayError):
            return error
        found = self._identity_of(waiting)
        if isinstance(error, OSError):
            return self._failed(waiting, found, why(error))
        if found is not None:
            self._troubles.note(waiting.key, found, error.text)
        return error

    def _failed(self, waiting: Waiting, found: Identity | None, reason: str) -> InboxError:
        if found is not None:
            self._troubles.note(waiting.key, found, reason)
        return InboxError(english("{place}: {why}", place=waiting.name, why=reason))

    def _identity_of(self, waiting: Waiting) -> Identity | None:
        """Return the identity of the file that has the name now; None if there is none, or if unknown."""
        try:
            folder, name = self._use().folder_of(waiting.key)
            return identity(os.stat(name, dir_fd=folder, follow_symlinks=False))
        except (OSError, InboxError):
            return None
        finally:
            self._end_use()


def _changed(waiting: Waiting) -> InboxError:
    text = english("{file} changed after it was seen; tallyd checks it again later", file=waiting.name)
    return InboxError(text)
