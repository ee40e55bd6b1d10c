"""The readings of a run: what they say of problems, what their out files begin with, what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tallyd.adapters.state import OutFile
from tallyd.config.jobs import Task
from tallyd.core.alerts.rules import Alert, Observations, closed_by_reading
from tallyd.core.naming import key_segments
from tallyd.core.out_document import Heading, is_clock_suspect
from tallyd.core.reading import LATE_AFTER_S, OutboxMessage, Problem, Reading, Slot


@dataclass(frozen=True, kw_only=True)
class StoreResult:
    """What became of a reading, which says what is known of its report by now.

    `out` is its reserved out file (None: nothing to write, or not stored yet). `is_stored`: it is committed,
    else it is held in memory. `not_written` is why its file is not written yet, if so.
    """

    reading: Reading
    out: OutFile | None
    is_stored: bool
    not_written: str | None = None


def outbox_of(results: Iterable[StoreResult]) -> tuple[OutboxMessage, ...]:
    """Return what committed readings send; what is held in memory is not to be sent yet."""
    return tuple(message for each in results if each.is_stored for message in each.reading.outbox)


def observations_of(task: Task, slot: Slot, readings: Sequence[Reading], *, now: datetime) -> Observations:
    """Return what the readings of one run say of alerts, all together.

    What they end has ended at their slot, where they were not late. A run without any is a good one that has
    nothing to say; it was over at `now`.
    """
    evaluated = [task.job.evaluates if each.evaluates is None else each.evaluates for each in readings]
    return task.observations(
        tuple(problem for each in readings for problem in each.problems),
        now=slot.stands_for(readings[-1].taken_at if readings else now),
        may_resolve=closed_by_reading(*task.name, frozenset().union(*evaluated)),
    )


def is_idle(reading: Reading) -> bool:
    """Whether a reading changes nothing that is stored, but for problems."""
    return reading.facts is None and reading.memory is None and not reading.outbox


def beside(task: Task, readings: Sequence[Reading], alerts: Iterable[Alert]) -> tuple[Problem, ...]:
    """Return the open problems of the poller that other jobs than this one find, by key."""
    evaluated = [task.job.evaluates if each.evaluates is None else each.evaluates for each in readings]
    is_own = closed_by_reading(*task.name, frozenset().union(*evaluated))
    named = {problem.key for each in readings for problem in each.problems}
    others = [
        alert
        for alert in alerts
        if alert.is_open
        and alert.key not in named
        and key_segments(alert.key)[0] == task.poller
        and not is_own(alert.key)
    ]
    return tuple(alert.problem for alert in sorted(others, key=lambda alert: alert.key))


def heading_of(
    task: Task, slot: Slot, reading: Reading, *, in_timetable: bool, beside: tuple[Problem, ...] = ()
) -> Heading:
    """Return what the out file of a reading begins with."""
    due_at = slot.due_at if in_timetable else None
    # A run of a plain interval is due when it begins; one that takes its time is not late.
    is_late = slot.key is not None and (reading.taken_at - slot.due_at).total_seconds() > LATE_AFTER_S
    return Heading(
        poller=task.poller,
        kind=task.source.kind,
        origin="once" if not in_timetable else "late" if is_late else "live",
        due_at=due_at,
        taken_at=reading.taken_at,
        zone=task.zone,
        tallyd=task.alert_policy.tallyd,
        clock_suspect=is_clock_suspect(reading.skew_s),
        part=reading.part,
        beside=beside,
    )
