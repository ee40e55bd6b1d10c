"""The inbox: looking into it, opening files, and moving them away."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.file_ops import Files
from tallyd.adapters.inbox.filenames import MOST_BYTES, Pattern
from tallyd.adapters.inbox.folders import OWN, AwayError, OpenInbox
from tallyd.adapters.inbox.lock import InboxHeldError, InboxLock
from tallyd.adapters.inbox.put_back import IsKnown, put_back_unknown
from tallyd.adapters.inbox.quarantine import Quarantine
from tallyd.adapters.inbox.rejected import Rejected, RejectedFiles
from tallyd.adapters.inbox.retention import InboxRetention
from tallyd.adapters.inbox.scan import Scan
from tallyd.adapters.inbox.tracking import Arrivals, Settling, Troubles
from tallyd.contract.inbox import Look
from tallyd.core.errors import InboxError
from tallyd.core.language.messages import english

if TYPE_CHECKING:
    from tallyd.adapters.inbox.watcher import Watcher

# A look at 100,000 files takes 0.4 s with this limit; without it, 0.8 s and 30 MiB. An existing inbox may
# contain millions.
MOST_OFFERED = 10_000


class Folder(Files):
    """A folder on disk; implements `contract.Inbox`. Not thread-safe, except for `prune`.

    `own_source` is the source of files directly in it. A look offers the oldest `most` files. Raises
    ValueError if `own_source` can't be the name of a folder (empty, `.`, `..`, with a slash, over 200 bytes).
    """

    def __init__(
        self,
        path: Path,
        *,
        own_source: str,
        pattern: str = "*.json",
        settle_s: float = 2.0,
        is_mount: bool = False,
        max_bytes: int = 1 << 30,
        most: int = MOST_OFFERED,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if own_source in {"", ".", ".."} or "/" in own_source or len(own_source.encode()) > MOST_BYTES:
            raise ValueError(f"not a valid source name: {own_source!r}")
        self._path, self._own_source, self._most = path, own_source, most
        self._monotonic = monotonic
        self._pattern = Pattern(pattern)
        opened, troubles = partial(OpenInbox, path, is_mount=is_mount), Troubles(monotonic=monotonic)
        super().__init__(opened, Quarantine(self._pattern), troubles, max_bytes=max_bytes, now=now)
        self._settling = Settling(settle_s, now=now, monotonic=monotonic)
        self._arrivals = Arrivals(now=now)
        self._rejected_files = RejectedFiles(self._pattern, own_source)
        self._retention = InboxRetention(self._rejected_files)
        self._lock: InboxLock | None = None
        self._watcher: Watcher | None = None

    def look(self) -> Look:
        """See `contract.Inbox`. If somebody made the folder anew, locks and watches the new one.

        While another process holds the lock, the look offers no files.
        """
        try:
            with self._open() as inbox:
                return self._look(inbox)
        except AwayError as error:
            if self._watcher:
                self._watcher.tend(None)
            if self._lock:
                self._lock.release()
            return Look(state=error.state, arrivals=self._arrivals.known())
        except InboxError as error:
            return Look(
                state="here", arrivals=self._arrivals.known(), untakable={".": error.text}, is_blind=True
            )

    def take_lock(self) -> None:
        """Lock the inbox until `close`. Raises `InboxHeldError`, `InboxError`.

        If the inbox is missing, the first look that finds it takes the lock.
        """
        self._lock = self._lock or InboxLock()
        with suppress(AwayError), self._open() as inbox:
            self._lock.take(inbox)

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call `on_change` from another thread each time a file arrives, until `close`.

        The first 64 folders of sources are watched too, after the look that finds them. This is only a
        wake-up: if there are no events, looks still find all files. Each look checks that the current folder
        is watched. `on_change` must not call this object.
        """
        from tallyd.adapters.inbox.watcher import Watcher  # noqa: PLC0415 # only the daemon watches

        if self._watcher:
            self._watcher.close()
        self._watcher = Watcher(self._path, self._pattern, on_change, monotonic=self._monotonic)
        with suppress(InboxError), self._open() as inbox:
            self._watcher.tend(inbox.descriptor)

    def close(self) -> None:
        """End the watch and release the lock. A further call does nothing."""
        if self._watcher:
            self._watcher.close()
        if self._lock:
            self._lock.release()
        self._watcher = self._lock = None

    def replay(
        self,
        names: Collection[str] | Literal["all"],
        *,
        source: str | None = None,
        show_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> tuple[str, ...]:
        """Move rejected files back to the folders of their sources. Return the names of the moved files.

        `names` are those of `rejected_files()`. With `source`, only files of that source are moved. Files in
        the inbox are not overwritten: the new one gets another name (`-2`). The reasons are deleted. A daemon
        may run meanwhile. `show_progress(done, total)` is called after each file. Raises `InboxError`: before
        any move if a name is unknown, otherwise some files may have been moved.
        """
        with self._opened() as inbox:
            return self._rejected_files.replay(inbox, names, source, show_progress)

    def put_back_unknown(self, *, since: date, known: IsKnown) -> int:
        """Move done files that the ledger does not know back to the folders of their sources (`put_back.py`).

        Nobody else may use the inbox meanwhile: take its lock first. Raises `InboxError`.
        """
        with self._opened() as inbox:
            return put_back_unknown(inbox, self._own_source, since=since, known=known)

    def rejected_files(self, *, most: int = 1000) -> tuple[Rejected, ...]:
        """Return the newest rejected files with their reasons, newest first. Raises `InboxError`."""
        with self._opened() as inbox:
            return self._rejected_files.newest(inbox, most=most)

    def prune(self, *, done_before: date, rejected_before: datetime, most: int) -> int:
        """Delete at most `most` old done and rejected files; return how many. Raises `InboxError`.

        Files that can't be deleted are skipped. Fewer than `most` means that nothing more can be done now.
        """
        with self._opened() as inbox:
            return self._retention.prune(
                inbox, done_before=done_before, rejected_before=rejected_before, most=most
            )

    def _look(self, inbox: OpenInbox) -> Look:
        untakable = {}
        try:
            if self._lock:
                self._lock.take(inbox)
            with suppress(FileNotFoundError):
                inbox.own(make=False)
        except InboxHeldError as error:
            untakable[f"{OWN}/lock"] = error.text
            return Look(state="here", arrivals=self._arrivals.known(), untakable=untakable, is_blind=True)
        except (InboxError, OSError) as error:
            # Counting continues: the ledger knows the files that can't be moved.
            untakable[OWN] = error.text if isinstance(error, InboxError) else why(error)
        self._settling.begin(self._watcher.finished() if self._watcher else {})
        scan = Scan(self._pattern, self._own_source, self._settling, self._troubles, most=self._most)
        scan.through(inbox.descriptor)
        if self._watcher:
            self._watcher.tend(inbox.descriptor, scan.folders)
        waiting = scan.waiting()
        return Look(
            state="here",
            waiting=waiting,
            more=scan.more,
            unsettled=scan.unsettled,
            arrivals=self._arrivals.seen(scan.arrived),
            untakable=untakable | scan.untakable,
            is_blind=scan.is_blind,
        )

    @contextmanager
    def _opened(self) -> Iterator[OpenInbox]:
        """Open the inbox, and convert errors below `.tallyd` into `InboxError`."""
        with self._open() as inbox:
            try:
                yield inbox
            except OSError as error:
                own = f"{inbox.shown}/{OWN}"
                raise InboxError(english("{place}: {why}", place=own, why=why(error))) from error
