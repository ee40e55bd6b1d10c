"""Rejected files: lists them with their reasons, and moves them back into the inbox."""

from __future__ import annotations

import heapq
import json
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tallyd.adapters.inbox.filenames import REASON, Pattern
from tallyd.adapters.inbox.folders import OpenInbox, enter, names_in
from tallyd.adapters.inbox.open_file import open_regular
from tallyd.adapters.inbox.put_back import folders_of, moved_back
from tallyd.adapters.inbox.quarantine import REJECTED
from tallyd.contract.inbox import instant
from tallyd.core.errors import InboxError
from tallyd.core.language.messages import english, mark
from tallyd.core.reading import Json
from tallyd.core.texts import listed, visible

_MOST_REASON_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A rejected file. `name` is for `replay`. `reason` is None if it can't be read."""

    source: str
    name: str
    size: int
    rejected_at: datetime
    reason: Mapping[str, Json] | None


@dataclass(frozen=True)
class RejectedEntry:
    """A file below `rejected/`, with the time when it was moved there. `size` is None for a reason without
    file.
    """

    source: str
    name: str
    size: int | None
    since_ns: int

    @property
    def path(self) -> str:
        return f"{self.source}/{self.name}"


class RejectedFiles:
    """The folder `rejected/` of an open inbox. Raises `InboxError`, OSError."""

    def __init__(self, pattern: Pattern, own_source: str) -> None:
        self._pattern = pattern
        self._own_source = own_source

    def newest(self, inbox: OpenInbox, *, most: int) -> tuple[Rejected, ...]:
        """Return the newest files with their reasons, newest first."""
        files = (one for one in self.entries(inbox) if one.size is not None)
        newest = heapq.nlargest(most, files, key=lambda one: (one.since_ns, one.path))
        return tuple(
            Rejected(
                source=one.source,
                name=one.path,
                size=one.size or 0,
                rejected_at=instant(one.since_ns),
                reason=self._reason(inbox, one),
            )
            for one in newest
        )

    def replay(
        self,
        inbox: OpenInbox,
        names: Collection[str] | Literal["all"],
        source: str | None,
        show_progress: Callable[[int, int], None],
    ) -> tuple[str, ...]:
        """See `Folder.replay`."""
        files = [one for one in self.entries(inbox) if one.size is not None and source in {None, one.source}]
        if names != "all":
            unknown = set(names) - {one.path for one in files}
            if unknown:
                ends = {one.name for one in files} & {name.rpartition("/")[2] for name in unknown}
                near = listed([visible(one.path) for one in files if one.name in ends])
                advice = (
                    english("did you mean {names}?", names=near)
                    if near
                    else mark("write SOURCE/NAME, as `files --rejected` lists them")
                )
                text = english(
                    "not among the rejected files: {names}; {advice}",
                    names=visible(", ".join(sorted(unknown))),
                    advice=advice,
                )
                raise InboxError(text)
            files = [one for one in files if one.path in names]
        if not files:
            return ()
        folders = folders_of(inbox, names_in(inbox.own(REJECTED, make=False)), self._own_source)
        self._check_targets(inbox, files, folders)
        moved = []
        for number, one in enumerate(files, start=1):
            if self._replay(inbox, one, folders):
                moved.append(one.path)
            show_progress(number, len(files))
        return tuple(moved)

    def entries(self, inbox: OpenInbox) -> Iterator[RejectedEntry]:
        """Yield all entries, sorted by source and name. None if the folder does not exist."""
        with suppress(FileNotFoundError):
            for source in sorted(names_in(inbox.own(REJECTED, make=False))):
                with suppress(NotADirectoryError, FileNotFoundError):
                    folder = enter(inbox.own(REJECTED, make=False), source)
                    try:
                        yield from _entries(folder, source)
                    finally:
                        os.close(folder)

    def _check_targets(
        self, inbox: OpenInbox, files: Collection[RejectedEntry], folders: Mapping[str, str]
    ) -> None:
        for one in files:
            if one.source not in folders:
                text = english(
                    "the folder of source {source} is gone, and tallyd can't know its exact name from "
                    "the source; create it again in {folder}, then replay",
                    source=one.source,
                    folder=inbox.shown,
                )
                raise InboxError(text)
            if not self._pattern.wants(one.name):
                text = english(
                    "{file} does not match `pattern`; move it from .tallyd/rejected by hand", file=one.path
                )
                raise InboxError(text)

    def _replay(self, inbox: OpenInbox, one: RejectedEntry, folders: Mapping[str, str]) -> bool:
        rejected = inbox.own(REJECTED, one.source, make=False)
        if not moved_back(inbox, rejected, one.name, folders[one.source]):
            return False  # another replay was faster
        with suppress(OSError):  # the retention deletes it later
            os.unlink(one.name + REASON, dir_fd=rejected)
        return True

    def _reason(self, inbox: OpenInbox, one: RejectedEntry) -> Mapping[str, Json] | None:
        try:
            folder = inbox.own(REJECTED, one.source, make=False)
            with open(open_regular(folder, one.name + REASON)[0], "rb") as file:  # noqa: PTH123 # a descriptor
                found = json.loads(file.read(_MOST_REASON_BYTES))
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


def _entries(folder: int, source: str) -> Iterator[RejectedEntry]:
    names = {name for name in names_in(folder) if not name.startswith(".")}
    for name in sorted(names):
        with suppress(FileNotFoundError):
            if name.endswith(REASON) and name.removesuffix(REASON) in names:
                continue
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                continue
            # A moved file keeps its modification time. Its reason has the time of the move.
            since_ns = found.st_ctime_ns
            if name + REASON in names:
                since_ns = os.stat(name + REASON, dir_fd=folder, follow_symlinks=False).st_mtime_ns
            size = None if name.endswith(REASON) else found.st_size
            yield RejectedEntry(source, name, size, since_ns)
