"""Retention: what is older than it is kept for is deleted, a little at a time, beside everything else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime

from tallyd.core.errors import InboxError, RecordsError

log = logging.getLogger("tallyd")

BATCH = 2_000
"""So many rows or files at a time: a tenth of a second of a small machine."""


@dataclass(frozen=True)
class Shelf:
    """Something that keeps things for so long. `prune(most)` deletes at most so many and returns how many.

    `prune` raises `RecordsError` or `InboxError` where that can't be done now.
    """

    poller: str
    what: str
    prune: Callable[[int], int]


class Keeper:
    """Clears shelves on the executor, one pass at a time. `begin` belongs to the schedule's thread."""

    def __init__(
        self, executor: Executor, shelves: Callable[[datetime], Iterable[Shelf]], stop: Callable[[], bool]
    ) -> None:
        self._executor = executor
        self._shelves = shelves
        self._stop = stop
        self._future: Future[None] | None = None

    def begin(self, now: datetime) -> None:
        """Begin a pass over what is old at `now`, unless one is under way."""
        if not self.under_way():
            self._future = self._executor.submit(self._clear_all, now)

    def under_way(self) -> list[Future[None]]:
        """Return the pass that has not ended."""
        return [self._future] if self._future is not None and not self._future.done() else []

    def _clear_all(self, now: datetime) -> None:
        for shelf in self._shelves(now):
            fields = {"poller": shelf.poller, "what": shelf.what}
            try:
                deleted = self._clear(shelf)
            except (RecordsError, InboxError) as error:
                # The next pass makes up for it; that the database is away is told by those who need it.
                log.info("old things cannot be deleted now", extra={**fields, "reason": error.text})
            except Exception:
                # Nobody asks the future: here is where a bug in a pass ends.
                log.exception("deleting old things crashed", extra=fields)
            else:
                if deleted:
                    log.info("old things deleted", extra={**fields, "count": deleted})

    def _clear(self, shelf: Shelf) -> int:
        deleted = 0
        while not self._stop():
            batch = shelf.prune(BATCH)
            deleted += batch
            if batch == 0:
                break
        return deleted
