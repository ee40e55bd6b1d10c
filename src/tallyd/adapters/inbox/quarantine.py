"""Moves files into `.tallyd`: done files by day, rejected files with their reasons."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date

from tallyd.adapters.inbox.filenames import REASON, Pattern, flat_name, free_names
from tallyd.adapters.inbox.folders import OpenInbox
from tallyd.adapters.inbox.rename import Wanted, identity, take
from tallyd.contract.inbox import Waiting
from tallyd.core.language.messages import mark
from tallyd.core.reading import Json

DONE, REJECTED, GOING = "done", "rejected", "going"


class Quarantine:
    """Moves or deletes files. Every method raises `ChangedError`, FileNotFoundError, OSError, `InboxError`.

    It does not sync folders after a rename, which would take longer than counting the file. So a power
    failure may bring a file back into the inbox. The ledger then knows that it is done.
    """

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern

    def done(self, inbox: OpenInbox, waiting: Waiting, *, day: date) -> None:
        """Move a file to `done/<day>/<source>/`."""
        self._take(inbox, waiting, DONE, day.isoformat(), waiting.source)

    def delete(self, inbox: OpenInbox, waiting: Waiting) -> None:
        """Delete a file, but not another file that has just replaced it."""
        # Unlinking by name could hit another file. So move it first, and check its identity.
        new = self._take(inbox, waiting, GOING)
        os.unlink(new, dir_fd=inbox.own(GOING, make=True))

    def rejected(self, inbox: OpenInbox, waiting: Waiting, reason: Mapping[str, Json]) -> None:
        """Write the reason, then move the file to `rejected/<source>/`."""
        folder, name = inbox.folder_of(waiting.key)
        target = inbox.own(REJECTED, waiting.source, make=True)
        for new in free_names(self._flat(waiting)):
            if _exists(new, target):
                continue
            with suppress(FileExistsError), _reason_beside(new, reason, target):
                take(name, new, folder=folder, new_folder=target, wanted=_is(waiting))
                return
        raise _all_taken()

    def _take(self, inbox: OpenInbox, waiting: Waiting, *own: str) -> str:
        """Move a file into a folder of ours under a name that is free; return that name."""
        folder, name = inbox.folder_of(waiting.key)
        target = inbox.own(*own, make=True)
        for new in free_names(self._flat(waiting)):
            try:
                take(name, new, folder=folder, new_folder=target, wanted=_is(waiting))
            except FileExistsError:
                continue
            return new
        raise _all_taken()

    def _flat(self, waiting: Waiting) -> str:
        parts = waiting.key.split("/")
        return flat_name(parts[1:] or parts, self._pattern)


def _is(waiting: Waiting) -> Wanted:
    return lambda found: identity(found) == waiting.identity


@contextmanager
def _reason_beside(name: str, reason: Mapping[str, Json], folder: int) -> Iterator[None]:
    """Write the reason of a file that the block moves. If that fails, delete the reason."""
    # A killed process may leave a reason without its file. That one may be replaced.
    temporary, final = f".{name}.tmp", name + REASON
    text = json.dumps(reason, ensure_ascii=False, indent=1) + "\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(temporary, flags, 0o600, dir_fd=folder)
        with open(descriptor, "wb") as file:  # noqa: PTH123 # a descriptor, not a path
            file.write(text.encode("utf-8", "backslashreplace"))  # a lone surrogate becomes a JSON escape
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, final, src_dir_fd=folder, dst_dir_fd=folder)
        yield
    except BaseException:
        for leftover in (temporary, final):
            with suppress(OSError):
                os.unlink(leftover, dir_fd=folder)
        raise


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _all_taken() -> OSError:
    return OSError(errno.EEXIST, mark("no free name found"))
