"""Runs without a reading and slots without a run: how they are recorded, and the problems they raise."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from tallyd.adapters.state import Recorded
from tallyd.config.jobs import Task
from tallyd.core.alerts import run_alerts
from tallyd.core.alerts.rules import Observations
from tallyd.core.errors import SourceError
from tallyd.core.language.messages import english
from tallyd.core.naming import problem_key
from tallyd.core.reading import LATE_AFTER_S, Problem, Slot
from tallyd.core.schedule.timetable import BUSY, NOT_STARTED, OVERTAKEN, Missed
from tallyd.runs.toolbox import job_fields
from tallyd.storage.store import Store

log = logging.getLogger("tallyd")

NOTIFY_WITHIN_S = 900.0
"""While a slot is still being retried, people are notified after this time at the latest, in seconds."""


@dataclass(frozen=True, kw_only=True)
class MissedSlots:
    """Records slots without a reading. A job without `alerts_on_missed` raises no problem for them."""

    store: Store
    now: Callable[[], datetime]

    def release(self, task: Task, slot: Slot) -> None:
        """Make a slot due again after a shutdown ended its run: the next start may catch it up."""
        if slot.key is None:
            return
        now = self.now()
        self.store.settle(
            task,
            (slot,),
            lambda observations: self.store.state.slots.fail(
                task.ref,
                slot,
                reason=english("tallyd was stopped during the run"),
                not_before=now,
                observations=observations,
            ),
            task.observations((), now=now),
        )

    def crashed(self, task: Task, slot: Slot, kind: str) -> None:
        """Commit a run that ended with a bug. If the same bug breaks this too, it is only logged."""
        try:
            problem = run_alerts.crashed(self._described(task, slot), kind)
            again_at = self._again_at(task, slot, pause_s=task.policy.longest_wait_s)
            reason = english("tallyd itself failed ({kind})", kind=kind)
            self._end_without(task, slot, reason, problem, again_at=again_at)
        except Exception:
            log.exception("the crash could not be recorded", extra=job_fields(task))

    def failed(self, task: Task, slot: Slot, failure: SourceError, *, attempts: int) -> None:
        """Commit a run that got no reading from the source after this number of attempts."""
        asked_s, pause_s = failure.retry_after_s or 0.0, task.policy.longest_wait_s
        fields: dict[str, object] = {"slot": slot.key, "reason": failure.text, "attempts": attempts}
        if asked_s:
            fields["retry_after_s"] = round(asked_s, 1)
        log.info("run failed", extra={**job_fields(task), **fields})
        again_at = self._again_at(task, slot, pause_s=max(pause_s, asked_s)) if failure.transient else None
        # Mention the wait that the source asked for only if it is longer than our own pause.
        run = replace(self._described(task, slot), asked_s=asked_s if asked_s > pause_s else 0.0)
        if not failure.transient:
            problem = run_alerts.refused(run, failure.text)
        elif again_at is None:
            problem = run_alerts.failed_for_good(run, failure.text, attempts=attempts)
        else:
            until = _catch_up_ends(task, slot)
            problem = run_alerts.failed_for_now(run, failure.text, attempts=attempts, until=until)
            # Most outages are short and the slot is caught up. Notify early only if that takes long.
            goes_on_until = again_at if run.asked_s else run.now
            is_notified = (goes_on_until - slot.due_at).total_seconds() >= NOTIFY_WITHIN_S
            problem = replace(problem, at_once=is_notified and task.alert_policy.rules.raise_after == 1)
        named = problem if task.job.alerts_on_missed else None
        self._end_without(task, slot, failure.text, named, again_at=again_at)

    def _described(self, task: Task, slot: Slot) -> run_alerts.Run:
        now = self.now()
        return run_alerts.Run(
            poller=task.poller,
            job=task.job.name,
            due_at=slot.due_at if slot.key is not None else None,
            now=now,
            next_at=task.next_at(now),
        )

    def _again_at(self, task: Task, slot: Slot, *, pause_s: float) -> datetime | None:
        """Return when to run the slot again, after a pause; None if its catch-up ends before that."""
        if slot.key is None or self.store.state_trouble is not None:
            return None  # a failure that is only in memory settles the slot, so it counts as missed
        again_at = self.now() + timedelta(seconds=pause_s)
        return again_at if again_at <= _catch_up_ends(task, slot) else None

    def _end_without(
        self, task: Task, slot: Slot, reason: str, problem: Problem | None, *, again_at: datetime | None
    ) -> None:
        """Commit a run without a reading: the slot is run again at `again_at`, or is missed (None)."""
        now, slots = self.now(), self.store.state.slots
        observations = task.observations((problem,) if problem else (), now=now, counts=again_at is None)
        given_up: tuple[Missed, ...] = ()

        def store(observations: Observations) -> Recorded:
            if again_at is not None:
                return slots.fail(
                    task.ref, slot, reason=reason, not_before=again_at, observations=observations
                )
            return slots.miss(task.ref, given_up, now=now, observations=observations)

        if slot.key is not None and again_at is None:
            log.error("slot given up, recorded as missed", extra={**job_fields(task), "slot": slot.key})
            given_up = (Missed(slot.key, slot.due_at, reason, None),)
        self.store.settle(task, (slot,), store, observations)

    # -- slots without a run -----------------------------------------------------------------------------

    def record_missed(self, task: Task, missed: tuple[Missed, ...], *, older_since: datetime | None) -> None:
        """Commit slots that were found to have no reading, each with its own reason.

        `older_since`: the planner has not checked the slots from then until the first of these, because the
        time was too long.
        """
        older = {"not_looked_at_since": older_since.isoformat()} if older_since else {}
        for reason in dict.fromkeys(one.reason for one in missed):
            group = tuple(one for one in missed if one.reason == reason)
            described = self._described(task, Slot(group[-1].key, group[-1].due_at))
            named = (
                self._missed_problem(task, described, group, older_since) if task.job.alerts_on_missed else ()
            )
            observations = task.observations(named, now=described.now)
            store = partial(self._miss, task, group, described.now)
            self.store.settle(task, group, store, observations)
            fields = {"count": len(group), "last": group[-1].key, "reason": reason, **older}
            log.warning("slots missed", extra={**job_fields(task), **fields})

    def _miss(
        self, task: Task, group: tuple[Missed, ...], now: datetime, observations: Observations
    ) -> Recorded:
        return self.store.state.slots.miss(task.ref, group, now=now, observations=observations)

    def _missed_problem(
        self,
        task: Task,
        described: run_alerts.Run,
        group: tuple[Missed, ...],
        older_since: datetime | None,
    ) -> tuple[Problem, ...]:
        """Return the problem of slots that were missed for the same reason. One outage is one problem."""
        reason = group[0].reason
        if reason not in (NOT_STARTED, BUSY, OVERTAKEN):
            return (run_alerts.failed_for_good(described, reason, attempts=1),)
        failed = problem_key(*task.name, "failed")
        if reason == BUSY and any(alert.key == failed for alert in self.store.state.alerts.open()):
            return ()  # they waited for a run that failed, and that alert is already open
        before = self.store.state.readings.missed_since_taken(*task.name, now=described.now, reason=reason)
        times = {*before, *(one.due_at for one in group)}
        # Slots found together count as one bad reading. Raise at once if they alone reach `raise_after`.
        is_enough = len(times) >= task.alert_policy.rules.raise_after
        problem = run_alerts.missed(described, sorted(times), reason, older_since=older_since)
        return (replace(problem, at_once=is_enough),)


def _catch_up_ends(task: Task, slot: Slot) -> datetime:
    return slot.due_at + timedelta(seconds=max(task.job.catch_up_s or 0.0, LATE_AFTER_S))
