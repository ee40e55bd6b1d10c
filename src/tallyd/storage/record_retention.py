"""Deletes old rows and files in small batches, on the executor."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime

from tallyd.adapters.background import BackgroundTask
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


class RecordRetention(BackgroundTask):
    """Deletes what is old, one pass at a time."""

    def __init__(
        self,
        executor: Executor,
        prunables: Callable[[datetime], Iterable[Prunable]],
        stop: Callable[[], bool],
    ) -> None:
        super().__init__(executor, "deleting old data")
        self._prunables = prunables
        self._stop = stop

    def prune(self, now: datetime) -> None:
        """Begin a pass that deletes what is too old at `now`, unless a pass is running."""
        self.begin(lambda: self._prune_all(now))

    def _prune_all(self, now: datetime) -> None:
        for prunable in self._prunables(now):
            fields = {"poller": prunable.poller, "what": prunable.what}
            try:
                deleted = self._prune(prunable)
            except (RecordsError, InboxError) as error:
                # The next pass deletes it. If the database is down, the jobs that need it raise an alert.
                log.info("old data cannot be deleted now", extra={**fields, "reason": error.text})
            except Exception:
                # A bug in one of them must not keep the others.
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
