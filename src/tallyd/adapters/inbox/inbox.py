"""The inbox as a whole: looks, opened files, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from tallyd.adapters.inbox.errors import why
from tallyd.adapters.inbox.file_ops import Files
from tallyd.adapters.inbox.filenames import MOST_BYTES, Pattern
from tallyd.adapters.inbox.folders import OWN, AwayError, Places
from tallyd.adapters.inbox.lock import InboxHeldError, InboxLock
from tallyd.adapters.inbox.quarantine import Quarantine
from tallyd.adapters.inbox.rejected import Rejected, Rejects
from tallyd.adapters.inbox.retention import Pruning
from tallyd.adapters.inbox.scan import Sweep
from tallyd.adapters.inbox.tracking import Arrivals, Settling, Troubles
from tallyd.adapters.inbox.watcher import Watcher
from tallyd.contract.inbox import Look, OpenFile, Waiting
from tallyd.core.errors import InboxError
from tallyd.core.reading import Json

# A look at 100,000 files takes 0.4 s with this, 0.8 s and 30 MiB when all are offered; and an inbox
# that is taken over may hold millions.
MOST_OFFERED = 10_000


class Folder:
    """A folder on disk as `contract.Inbox`; used by one thread at a time, but for `prune`.

    `own_source` is the source of files that lie directly in it. A look offers at most `most` files, the
    oldest. Raises ValueError for an `own_source` that can be
    no folder's name (empty, `.`, `..`, with a slash, over 200 bytes).
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
            raise ValueError(f"no name for a source: {own_source!r}")
        self._path, self._own_source, self._most = path, own_source, most
        self._monotonic = monotonic
        self._pattern = Pattern(pattern)
        self._places = Places(path, is_mount=is_mount)
        self._settling = Settling(settle_s, now=now, monotonic=monotonic)
        self._troubles = Troubles(monotonic=monotonic)
        self._arrivals = Arrivals(now=now)
        quarantine = Quarantine(self._places, self._pattern)
        self._files = Files(self._places, quarantine, self._troubles, max_bytes=max_bytes, now=now)
        self._rejects = Rejects(self._places, self._pattern, own_source)
        self._pruning = Pruning(self._places, self._rejects)
        self._lock: InboxLock | None = None
        self._watcher: Watcher | None = None

    def look(self) -> Look:
        """See `contract.Inbox`. Takes the lock and the watch again where the folder was made anew.

        While another process holds the lock nothing is offered.
        """
        try:
            with self._places.inbox() as inbox:
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

    def open(self, waiting: Waiting) -> AbstractContextManager[OpenFile]:
        """See `contract.Inbox`. Raises on entering, for a file that changed since the look too."""
        return self._files.open(waiting)

    def held(self) -> AbstractContextManager[None]:
        """See `contract.Inbox`. At most `places.MOST_HELD` folders at a time."""
        return self._places.held()

    def done(self, waiting: Waiting, *, delete: bool = False) -> None:
        """See `contract.Inbox`. The file must be what was opened, unchanged; else it stays.

        It goes to `.tallyd/done/<today, UTC>/<source>/`.
        """
        self._files.done(waiting, delete=delete)

    def rejected(self, waiting: Waiting, reason: Mapping[str, Json]) -> None:
        """See `contract.Inbox`. As `done`; one that was never opened must be as it was at the look.

        It goes to `.tallyd/rejected/<source>/`.
        """
        self._files.rejected(waiting, reason)

    def take_lock(self) -> None:
        """Hold the inbox from now on, until `close`. Raises `InboxHeldError`, `InboxError`.

        Where the inbox is not there that is no error: the look that finds it takes the lock.
        """
        self._lock = self._lock or InboxLock(self._places)
        with suppress(AwayError), self._places.inbox() as inbox:
            self._lock.take(inbox)

    def watch(self, on_change: Callable[[], None]) -> None:
        """Call `on_change`, from another thread, when files came, until `close`; as often as they come.

        Folders of sources are watched from the look on that finds them, the first 64.

        A wake-up and no more: `watch_trouble` says why there are no events, if so. Each look sees to it that
        the folder that is there now is the one that is watched. `on_change` may not call this object.
        """
        if self._watcher:
            self._watcher.close()
        self._watcher = Watcher(self._path, self._pattern, on_change, monotonic=self._monotonic)
        with suppress(InboxError), self._places.inbox() as inbox:
            self._watcher.tend(inbox)

    @property
    def watch_trouble(self) -> str | None:
        """Why nothing is watched although `watch` was called; None while all is well."""
        return self._watcher.trouble if self._watcher else None

    def close(self) -> None:
        """End the watch and give back the lock; a further call does nothing."""
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
        """Move rejected files back to the folder of their source, and return the names of those.

        `names` are as in `rejected_files()`; with `source` only those of that source are meant. A file in
        the inbox is not overwritten (`-2`); the reasons are deleted. A daemon may be at work meanwhile.
        `show_progress` is told how many are done, of how many.
        Raises `InboxError`: where a name is not among them nothing was moved, else perhaps some were.
        """
        with self._kept(), self._places.inbox() as inbox:
            return self._rejects.replay(inbox, names, source, show_progress)

    def rejected_files(self, *, most: int = 1000) -> tuple[Rejected, ...]:
        """Return the newest rejected files with their reasons, newest first. Raises `InboxError`."""
        with self._kept(), self._places.inbox() as inbox:
            return self._rejects.newest(inbox, most=most)

    def prune(self, *, done_before: date, rejected_before: datetime, most: int) -> int:
        """Delete at most `most` files that were put aside before; return how many. Raises `InboxError`.

        What can't be deleted is passed over: fewer than `most` means that there is no more to do now.
        """
        with self._kept(), self._places.inbox() as inbox:
            return self._pruning.prune(
                inbox, done_before=done_before, rejected_before=rejected_before, most=most
            )

    def _look(self, inbox: int) -> Look:
        untakable = {}
        try:
            if self._lock:
                self._lock.take(inbox)
            with suppress(FileNotFoundError), self._places.own(inbox, make=False):
                pass
        except InboxHeldError as error:
            untakable[f"{OWN}/lock"] = error.text
            return Look(state="here", arrivals=self._arrivals.known(), untakable=untakable, is_blind=True)
        except (InboxError, OSError) as error:
            # Counting goes on: what can't be moved is known to the ledger.
            untakable[OWN] = error.text if isinstance(error, InboxError) else why(error)
        self._settling.begin(self._watcher.finished() if self._watcher else {})
        sweep = Sweep(self._pattern, self._own_source, self._settling, self._troubles, most=self._most)
        sweep.through(inbox)
        if self._watcher:
            self._watcher.tend(inbox, sweep.folders)
        waiting = sweep.waiting()
        return Look(
            state="here",
            waiting=waiting,
            more=sweep.more,
            unsettled=sweep.unsettled,
            arrivals=self._arrivals.seen(sweep.arrived),
            untakable=untakable | sweep.untakable,
            is_blind=sweep.is_blind,
        )

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Turn what goes wrong below `.tallyd` into `InboxError`."""
        try:
            yield
        except OSError as error:
            raise InboxError(f"{self._places.shown}/{OWN}: {why(error)}") from error
