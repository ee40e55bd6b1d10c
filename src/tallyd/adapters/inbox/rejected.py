"""Rejected files: what lies there and why, and back into the inbox with them."""

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

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.filenames import REASON, Pattern, source_of
from tallyd.adapters.inbox.folders import Places, enter, names_in
from tallyd.adapters.inbox.open_file import open_regular
from tallyd.adapters.inbox.quarantine import REJECTED
from tallyd.adapters.inbox.rename import put_back
from tallyd.adapters.inbox.scan import instant
from tallyd.core.errors import InboxError
from tallyd.core.reading import Json
from tallyd.core.texts import visible

_MOST_REASON_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """A rejected file. `name` is what `replay` takes; `reason` is None where it can't be read."""

    source: str
    name: str
    size: int
    rejected_at: datetime
    reason: Mapping[str, Json] | None


@dataclass(frozen=True)
class Lying:
    """One file below `rejected/`, with when it came there; of a reason without its file `size` is None."""

    source: str
    name: str
    size: int | None
    since_ns: int

    @property
    def path(self) -> str:
        return f"{self.source}/{self.name}"


class Rejects:
    """The folder `rejected/` of an open inbox. Raises `InboxError`, OSError."""

    def __init__(self, places: Places, pattern: Pattern, own_source: str) -> None:
        self._places = places
        self._pattern = pattern
        self._own_source = own_source

    def newest(self, inbox: int, *, most: int) -> tuple[Rejected, ...]:
        """Return the newest files with their reasons, newest first."""
        files = (one for one in self.lying(inbox) if one.size is not None)
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
        inbox: int,
        names: Collection[str] | Literal["all"],
        source: str | None,
        show_progress: Callable[[int, int], None],
    ) -> tuple[str, ...]:
        """See `Folder.replay`."""
        files = [one for one in self.lying(inbox) if one.size is not None and source in {None, one.source}]
        if names != "all":
            unknown = set(names) - {one.path for one in files}
            if unknown:
                raise InboxError(f"not among the rejected files: {visible(', '.join(sorted(unknown)))}")
            files = [one for one in files if one.path in names]
        if not files:
            return ()
        folders = self._folders(inbox)
        self._refuse_lost(files, folders)
        moved = []
        for number, one in enumerate(files, start=1):
            if self._replay(inbox, one, folders):
                moved.append(one.path)
            show_progress(number, len(files))
        return tuple(moved)

    def lying(self, inbox: int) -> Iterator[Lying]:
        """Yield what lies there, by source and name; nothing where there is no such folder."""
        with suppress(FileNotFoundError), self._places.own(inbox, REJECTED, make=False) as rejected:
            for source in sorted(names_in(rejected)):
                with suppress(NotADirectoryError, FileNotFoundError):
                    folder = enter(rejected, source)
                    try:
                        yield from _lying(folder, source)
                    finally:
                        os.close(folder)

    def _refuse_lost(self, files: Collection[Lying], folders: Mapping[str, str]) -> None:
        for one in files:
            if one.source not in folders:
                raise InboxError(
                    f"the folder from which {one.source} delivered is gone, and its name can't be told from "
                    f"the source; make it again in {self._places.shown}, then replay"
                )
            if not self._pattern.wants(one.name):
                raise InboxError(
                    f"{one.path} would not be looked at (pattern); move it from .tallyd/{REJECTED} by hand"
                )

    def _folders(self, inbox: int) -> Mapping[str, str]:
        """Return by source the folder it delivers to ("" for the inbox itself), folders to be made too."""
        with self._places.own(inbox, REJECTED, make=False) as rejected:
            plain = {one: one for one in names_in(rejected) if source_of(one) == one}
        with os.scandir(inbox) as entries:
            there = {source_of(one.name): one.name for one in entries if one.is_dir(follow_symlinks=False)}
        return plain | there | {self._own_source: ""}

    def _replay(self, inbox: int, one: Lying, folders: Mapping[str, str]) -> bool:
        name = folders[one.source]
        with self._places.own(inbox, REJECTED, one.source, make=False) as rejected:
            if name:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=inbox)
            target = enter(inbox, name or ".")
            try:
                put_back(one.name, one.name, folder=rejected, new_folder=target)
            except FileNotFoundError:
                return False  # another replay was quicker
            except OSError as error:
                raise InboxError(f"{one.path} can't be moved back: {why(error)}") from error
            finally:
                os.close(target)
            with suppress(OSError):  # it goes when it is old
                os.unlink(one.name + REASON, dir_fd=rejected)
        return True

    def _reason(self, inbox: int, one: Lying) -> Mapping[str, Json] | None:
        try:
            with (
                self._places.own(inbox, REJECTED, one.source, make=False) as folder,
                open(open_regular(folder, one.name + REASON)[0], "rb") as file,  # noqa: PTH123 # a descriptor
            ):
                found = json.loads(file.read(_MOST_REASON_BYTES))
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


def _lying(folder: int, source: str) -> Iterator[Lying]:
    names = {name for name in names_in(folder) if not name.startswith(".")}
    for name in sorted(names):
        with suppress(FileNotFoundError):
            if name.endswith(REASON) and name.removesuffix(REASON) in names:
                continue
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode):
                continue
            # The file keeps its own time of change when it is moved; its reason was written then.
            since_ns = found.st_ctime_ns
            if name + REASON in names:
                since_ns = os.stat(name + REASON, dir_fd=folder, follow_symlinks=False).st_mtime_ns
            size = None if name.endswith(REASON) else found.st_size
            yield Lying(source, name, size, since_ns)
