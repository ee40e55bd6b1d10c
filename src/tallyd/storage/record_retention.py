"""Deletes old rows and files in small batches, on the executor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime

from tallyd.core.errors import InboxError, RecordsError

log = logging.getLogger("tallyd")

BATCH = 2_000
"""Rows or files in one batch. It takes a small machine about a tenth of a second."""


@dataclass(frozen=True)
class Prunable:
    """Something with old rows or files. `prune(most)` deletes at most `most` and returns how many.

    `prune` raises `RecordsError` or `InboxError` if they can't be deleted now.
    """

    poller: str
    what: str
    prune: Callable[[int], int]


class RecordRetention:
    """Deletes what is old, one pass at a time. Only the scheduler thread calls `begin`."""

    def __init__(
        self,
        executor: Executor,
        prunables: Callable[[datetime], Iterable[Prunable]],
        stop: Callable[[], bool],
    ) -> None:
        self._executor = executor
        self._prunables = prunables
        self._stop = stop
        self._future: Future[None] | None = None

    def begin(self, now: datetime) -> None:
        """Begin a pass that deletes what is too old at `now`, unless a pass is running."""
        if not self.under_way():
            self._future = self._executor.submit(self._prune_all, now)

    def under_way(self) -> list[Future[None]]:
        """Return the pass that has not ended, if any."""
        return [self._future] if self._future is not None and not self._future.done() else []

    def _prune_all(self, now: datetime) -> None:
        for prunable in self._prunables(now):
            fields = {"poller": prunable.poller, "what": prunable.what}
            try:
                deleted = self._prune(prunable)
            except (RecordsError, InboxError) as error:
                # The next pass deletes it. If the database is down, the jobs that need it raise an alert.
                log.info("old data cannot be deleted now", extra={**fields, "reason": error.text})
            except Exception:
                # Nobody reads the future, so a bug must be handled here.
                log.exception("deleting old data crashed", extra=fields)
            else:
                if deleted:
                    log.info("old data deleted", extra={**fields, "count": deleted})

    def _prune(self, prunable: Prunable) -> int:
        deleted = 0
        while not self._stop():
            batch = prunable.prune(BATCH)
            deleted += batch
            if batch == 0:
                break
        return deleted
