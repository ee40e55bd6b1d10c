"""One job while the daemon runs."""

from __future__ import annotations

import logging
import math
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from tallyd.config.jobs import Task
from tallyd.core.alerts import daemon_alerts
from tallyd.core.reading import Problem
from tallyd.core.schedule.timetable import BUSY, NOT_STARTED, OVERTAKEN, Missed, Plan
from tallyd.runs.stats import Ended
from tallyd.runs.toolbox import Progress

log = logging.getLogger("tallyd")

WAKE_PAUSE_S = 0.1


@dataclass
class JobState:
    """One job while the daemon runs: its task, its run under way, and the slots that wait for its end.

    `is_woken`: a run outside of slots is wanted at once. `begun_s` is when the last run began (monotonic).
    """

    task: Task
    future: Future[Ended] | None = None
    progress: Progress | None = None
    slot: str | None = None
    has_waiting: bool = False
    is_woken: bool = False
    begun_s: float = -math.inf
    skipped: set[str] = field(default_factory=set)

    def with_reasons(self, missed: tuple[Missed, ...]) -> tuple[Missed, ...]:
        """Return missed slots with the better reason for those that waited while the job still ran."""
        return tuple(
            replace(one, reason=BUSY)
            if one.key in self.skipped and one.reason in (NOT_STARTED, OVERTAKEN)
            else one
            for one in missed
        )

    @property
    def is_running(self) -> bool:
        return self.future is not None and not self.future.done()

    def begins(self, slot: str | None, progress: Progress, *, monotonic_s: float) -> None:
        """Note that a run begins. A slot that `tallyd once` kept it from beginning still waits."""
        before = self.future
        was_locked = before is not None and before.exception() is None and before.result() == "locked"
        if not was_locked:
            self.skipped = set()
        elif self.slot is not None:
            self.skipped.add(self.slot)
        self.is_woken, self.begun_s = False, monotonic_s
        self.progress, self.slot = progress, slot

    def keep_waiting(self, plan: Plan) -> None:
        """Note, once, a slot that comes while the job still runs; it stays due."""
        # Of several that come at once all but the newest are missed, and it was the run that kept them.
        self.skipped |= {one.key for one in plan.missed if one.reason == OVERTAKEN}
        if plan.run is None or plan.run.key is None or plan.mark is None:
            return
        if plan.run.key in self.skipped or plan.run.key == self.slot:
            return  # the run itself may not have claimed it yet
        self.skipped.add(plan.run.key)
        self.has_waiting = True
        fields = {"slot": plan.run.key, "skipped": len(self.skipped)}
        log.warning("job still runs, slot has to wait", extra={**self.whose, **fields})

    def pause_s(self, monotonic_s: float) -> float:
        """Return how long a job that was woken waits yet: events come in bursts, and each run is a commit."""
        return max(0.0, self.begun_s + WAKE_PAUSE_S - monotonic_s)

    def overdue(self, *, monotonic_s: float) -> Problem | None:
        """Return the problem of a run that has shown no progress for longer than its limit."""
        task, progress = self.task, self.progress
        if not self.is_running or progress is None or monotonic_s - progress.alive_s <= task.job.limit_s:
            return None
        return daemon_alerts.overdue(*task.name, since=progress.began_at, limit_s=task.job.limit_s)

    @property
    def whose(self) -> dict[str, object]:
        """The fields of a line in the log that is about the job."""
        return {"poller": self.task.poller, "job": self.task.job.name}
