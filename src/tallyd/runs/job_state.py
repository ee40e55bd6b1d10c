"""The jobs while the daemon runs."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from tallyd.config.jobs import Task
from tallyd.core.alerts import run_alerts
from tallyd.core.reading import Problem
from tallyd.core.schedule.timetable import BUSY, NOT_STARTED, OVERTAKEN, Missed, Plan
from tallyd.runs.stats import Ended
from tallyd.runs.toolbox import Progress, job_fields

log = logging.getLogger("tallyd")

WAKE_PAUSE_S = 0.03


@dataclass
class JobState:
    """One job while the daemon runs: its task, its current run, and the slots that wait for the run to end.

    `is_woken`: a run without a slot should start at once. `begun_s` is when the last run began (monotonic).
    """

    task: Task
    future: Future[Ended] | None = None
    progress: Progress | None = None
    slot: str | None = None
    has_waiting_slot: bool = False
    is_woken: bool = False
    begun_s: float = -math.inf
    skipped: set[str] = field(default_factory=set)
    has_skipped_run: bool = False

    def with_reasons(self, missed: tuple[Missed, ...]) -> tuple[Missed, ...]:
        """Return missed slots with reason BUSY for those that waited while the job was still running."""
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
        """Note that a run begins. If `tallyd once` locked out the run before, its slot still waits."""
        before = self.future
        was_locked = before is not None and before.exception() is None and before.result() == "locked"
        if not was_locked:
            self.skipped = set()
        elif self.slot is not None:
            self.skipped.add(self.slot)
        self.is_woken, self.has_skipped_run, self.begun_s = False, False, monotonic_s
        self.progress, self.slot = progress, slot

    def keep_waiting(self, plan: Plan) -> None:
        """Note, once, a slot that comes while the job is still running. The slot stays due."""
        # If several slots come at once, only the newest waits. The others are missed because of this run.
        self.skipped |= {one.key for one in plan.missed if one.reason == OVERTAKEN}
        if plan.run is None or plan.run.key is None or plan.watermark is None:
            return
        if plan.run.key in self.skipped or plan.run.key == self.slot:
            return  # the current run may not have claimed its own slot yet
        self.skipped.add(plan.run.key)
        self.has_waiting_slot = True
        fields = {"slot": plan.run.key, "skipped": len(self.skipped)}
        log.warning("job is still running, the slot waits", extra={**job_fields(self.task), **fields})

    def skip_run(self) -> None:
        """Log, once per run, that the next run of an interval was due before this one was over."""
        if not self.has_skipped_run:
            self.has_skipped_run = True
            log.info("job is still running, a run is skipped", extra=job_fields(self.task))

    def pause_s(self, monotonic_s: float) -> float:
        """Return how long a woken job must still wait. Events come in bursts, and each run is a commit."""
        return max(0.0, self.begun_s + WAKE_PAUSE_S - monotonic_s)

    def overdue(self, *, monotonic_s: float) -> Problem | None:
        """Return a problem if the run has shown no progress for longer than its limit."""
        task, progress = self.task, self.progress
        if not self.is_running or progress is None or monotonic_s - progress.alive_s <= task.job.limit_s:
            return None
        return run_alerts.overdue(*task.name, since=progress.began_at, limit_s=task.job.limit_s)


class JobStates:
    """The jobs of the active config, and those that left the config while they were running."""

    def __init__(self) -> None:
        self._active: dict[tuple[str, str], JobState] = {}
        self._leaving: dict[tuple[str, str], JobState] = {}

    def __iter__(self) -> Iterator[JobState]:
        return iter(self._active.values())

    def replace(self, tasks: Iterable[Task]) -> None:
        """Make these the active jobs. A job that was there before keeps its state."""
        # A job that was removed and comes back may still be running: it must not begin a second time.
        old, self._active = {**self._leaving, **self._active}, {}
        for task in tasks:
            before = old.pop(task.name, None)
            self._active[task.name] = replace(before, task=task) if before else JobState(task)
        self._leaving = {name: job_state for name, job_state in old.items() if job_state.is_running}

    def tasks(self) -> tuple[Task, ...]:
        """Return the tasks of the active jobs."""
        return tuple(job_state.task for job_state in self)

    def names(self) -> frozenset[tuple[str, str]]:
        """Return the active jobs as (poller, job)."""
        return frozenset(self._active)

    def running(self) -> frozenset[tuple[str, str]]:
        """Return the jobs that are running now, also those that left the config, as (poller, job)."""
        job_states = {**self._leaving, **self._active}
        return frozenset(name for name, job_state in job_states.items() if job_state.is_running)

    def futures(self) -> list[Future[Ended]]:
        """Return the last run of every job, also of those that left the config."""
        job_states = (*self._leaving.values(), *self._active.values())
        return [job_state.future for job_state in job_states if job_state.future is not None]

    def wake(self, names: Iterable[tuple[str, str]]) -> None:
        """Note that these jobs should run once more. Names that are not in the config are ignored."""
        for name in names:
            if name in self._active:
                self._active[name].is_woken = True

    def woken(self) -> list[JobState]:
        """Return the woken jobs that are not running."""
        return [job_state for job_state in self if job_state.is_woken and not job_state.is_running]

    def overdue(self, *, monotonic_s: float) -> list[Problem]:
        """Return the problems of runs that have shown no progress for longer than their limit."""
        found = (job_state.overdue(monotonic_s=monotonic_s) for job_state in self)
        return [problem for problem in found if problem is not None]
