"""Moves files from `.tallyd` back into the inbox."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date
from typing import Final

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.filenames import source_of
from tallyd.adapters.inbox.folders import OpenInbox, enter, names_in
from tallyd.adapters.inbox.open_file import NotRegularError, open_regular
from tallyd.adapters.inbox.quarantine import DONE
from tallyd.adapters.inbox.rename import put_back
from tallyd.contract.passages import Fingerprint
from tallyd.core.errors import InboxError
from tallyd.core.language.messages import english
from tallyd.core.texts import visible

IsKnown = Callable[[Collection[Fingerprint]], Collection[Fingerprint]]
"""Returns those of the files that the ledger has as done (`Records.known`)."""
_SHORTEST_RECORD_BYTES: Final = 16
"""A shorter file has no record: it was a sign of life, which no ledger knows."""


def folders_of(inbox: OpenInbox, sources: Iterable[str], own_source: str) -> Mapping[str, str]:
    """Return the folder of each source ("" for the inbox itself), also of those to create.

    A source that is missing had a folder that is gone, and its exact name is not known.
    """
    plain = {one: one for one in sources if source_of(one) == one}
    with os.scandir(inbox.descriptor) as entries:
        there = {source_of(one.name): one.name for one in entries if one.is_dir(follow_symlinks=False)}
    return plain | there | {own_source: ""}


def moved_back(inbox: OpenInbox, own: int, name: str, folder: str) -> bool:
    """Move a file from an open folder of ours into a folder of the inbox. Return whether it was still there.

    Files in the inbox are not overwritten: the new one gets another name (`-2`). Raises `InboxError`.
    """
    if folder:
        with suppress(FileExistsError):
            os.mkdir(folder, dir_fd=inbox.descriptor)
    target = enter(inbox.descriptor, folder or ".")
    try:
        put_back(name, name, folder=own, new_folder=target)
    except FileNotFoundError:
        return False
    except OSError as error:
        text = english("{file} can't be moved back: {why}", file=visible(name), why=why(error))
        raise InboxError(text) from error
    finally:
        os.close(target)
    return True


# -- files that were done, of which a ledger from a backup does not know -------------------------------------


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
