"""The readings of one run: their observations and out file headings, and the result of storing them."""

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
    """Result of storing one reading.

    `reading` includes what is known about its report by now, but no memory, and problems only outside the
    timetable: else they are alerts. `out` is its reserved out file (None: nothing to write, or not stored
    yet). `is_stored`: committed; otherwise held in memory. `not_written` is the reason why its file is not
    written yet, if so.
    """

    reading: Reading
    out: OutFile | None
    is_stored: bool
    not_written: str | None = None


def outbox_of(results: Iterable[StoreResult]) -> tuple[OutboxMessage, ...]:
    """Return the outbox messages of committed readings. Readings held in memory must not send yet."""
    return tuple(message for each in results if each.is_stored for message in each.reading.outbox)


def observations_of(task: Task, slot: Slot, readings: Sequence[Reading], *, now: datetime) -> Observations:
    """Return the observations of all readings of one run.

    They are dated at the slot if the run was not late. A run without readings is a good run that found
    nothing; it is dated at `now`.
    """
    evaluated = [task.job.evaluates if each.evaluates is None else each.evaluates for each in readings]
    return task.observations(
        tuple(problem for each in readings for problem in each.problems),
        now=slot.stands_for(readings[-1].taken_at if readings else now),
        may_resolve=closed_by_reading(*task.name, frozenset().union(*evaluated)),
        outside_hours=frozenset().union(*(each.outside_hours for each in readings)),
    )


def is_idle(reading: Reading) -> bool:
    """Whether a reading stores nothing except problems."""
    return reading.facts is None and reading.memory is None and not reading.outbox


def beside(task: Task, readings: Sequence[Reading], alerts: Iterable[Alert]) -> tuple[Problem, ...]:
    """Return the open problems that the poller's other jobs found, sorted by key."""
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
    return tuple(sorted(others, key=lambda alert: alert.key))


def heading_of(
    task: Task, slot: Slot, reading: Reading, *, by_daemon: bool, beside: tuple[Problem, ...] = ()
) -> Heading:
    """Return the heading of a reading's out file."""
    due_at = slot.due_at if by_daemon else None
    # A run of a plain interval is due when it begins, so a slow run is not late.
    is_late = slot.key is not None and (reading.taken_at - slot.due_at).total_seconds() > LATE_AFTER_S
    return Heading(
        poller=task.poller,
        kind=task.source.kind,
        origin="once" if not by_daemon else "late" if is_late else "live",
        due_at=due_at,
        taken_at=reading.taken_at,
        zone=task.zone,
        tallyd=task.alert_policy.tallyd,
        clock_suspect=is_clock_suspect(reading.skew_s),
        part=reading.part,
        beside=beside,
    )
