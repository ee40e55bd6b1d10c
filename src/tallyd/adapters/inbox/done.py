"""Files in `done/` that the ledger does not know, because it was restored from a backup."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import date
from typing import Final

from tallyd.adapters.inbox.folders import OpenInbox, names_in
from tallyd.adapters.inbox.open_file import NotRegularError, open_regular
from tallyd.adapters.inbox.put_back import folders_of, moved_back
from tallyd.adapters.inbox.quarantine import DONE
from tallyd.contract.passages import Fingerprint

IsKnown = Callable[[Collection[Fingerprint]], Collection[Fingerprint]]
"""Returns those of the files that the ledger has as done (`Records.known`)."""
_SHORTEST_RECORD_BYTES: Final = 16
"""A shorter file has no record: it was a sign of life, which no ledger knows."""


def put_back_unknown(inbox: OpenInbox, own_source: str, *, since: date, known: IsKnown) -> int:
    """Move the files back into the inbox that were done on that day (UTC) or later and are not `known`.

    Return how many. They are ingested again, each once. Raises `InboxError`, OSError.
    """
    count = 0
    for day, source in _folders(inbox, since):
        digests = dict(_digests(inbox.own(DONE, day, source, make=False)))
        done = {sha256 for _, sha256 in known({(source, each) for each in digests.values()})}
        folder = folders_of(inbox, [source], own_source).get(source)
        if folder is not None:
            for name in [name for name, sha256 in digests.items() if sha256 not in done]:
                count += moved_back(inbox, inbox.own(DONE, day, source, make=False), name, folder)
    return count


def _folders(inbox: OpenInbox, since: date) -> Iterator[tuple[str, str]]:
    with suppress(FileNotFoundError):
        for day in sorted(names_in(inbox.own(DONE, make=False))):
            with suppress(NotADirectoryError, ValueError):
                if date.fromisoformat(day) >= since:
                    yield from (
                        (day, source) for source in sorted(names_in(inbox.own(DONE, day, make=False)))
                    )


def _digests(folder: int) -> Iterator[tuple[str, str]]:
    """Yield the files of a folder that have records, with the SHA-256 of their content."""
    for name in sorted(names_in(folder)):
        with (
            suppress(NotRegularError, FileNotFoundError),
            open(open_regular(folder, name)[0], "rb") as file,  # noqa: PTH123 # a descriptor, not a path
        ):
            if os.fstat(file.fileno()).st_size >= _SHORTEST_RECORD_BYTES:
                yield name, hashlib.file_digest(file, "sha256").hexdigest()
