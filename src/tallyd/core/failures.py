"""What a person is told of runs that gave no reading: what, when, why, and what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from tallyd.core.document import is_clock_suspect
from tallyd.core.naming import problem_key
from tallyd.core.reading import Problem
from tallyd.core.texts import clock, day_clock, listed, span

CLOCK_KEY = "tallyd/clock"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that gave no reading: whose it was, its slot, and when its next slot comes (None: none does)."""

    poller: str
    job: str
    due_at: datetime | None
    now: datetime
    zone: tzinfo
    next_at: datetime | None

    def next_text(self) -> str:
        """` Next slot 12:00.`, or nothing."""
        if self.next_at is None:
            return ""
        return f" Next slot {clock(self.next_at, self.zone, now=self.now)}."

    def slot_text(self) -> str:
        """` for Fri 08:00`, or nothing outside the timetable."""
        return f" for {day_clock(self.due_at, self.zone)}" if self.due_at else ""


def failed_for_now(run: Run, failure: str, *, attempts: int, until: datetime) -> Problem:
    """Return the problem of a run that will be begun again before `until`, the end of its catch-up."""
    tried = _tried(attempts, run)
    return Problem(
        key=problem_key(run.poller, run.job, "failed"),
        text=f"{run.poller}: no reading{run.slot_text()} yet: {failure}{tried}. "
        f"Tried again until {clock(until, run.zone, now=run.now)}.",
        since=run.due_at or run.now,
    )


def failed_for_good(run: Run, failure: str, *, attempts: int) -> Problem:
    """Return the problem of a slot that has no reading and will have none."""
    recorded = " Recorded as missing, not zero." if run.due_at else ""
    return Problem(
        key=problem_key(run.poller, run.job, "failed"),
        text=f"{run.poller}: no reading{run.slot_text()}: {failure}{_tried(attempts, run)}."
        f"{run.next_text()}{recorded}",
        since=run.due_at or run.now,
    )


def refused(run: Run, failure: str) -> Problem:
    """Return the problem of a failure that another try would not mend (a wrong key)."""
    retry = f" No retry before {clock(run.next_at, run.zone, now=run.now)}." if run.next_at else ""
    recorded = " Recorded as missing, not zero." if run.due_at else ""
    return Problem(
        key=problem_key(run.poller, run.job, "failed"),
        text=f"{run.poller}: no reading{run.slot_text()}: {failure}.{retry}{recorded}",
        since=run.due_at or run.now,
        at_once=True,
    )


def missed(run: Run, slots: Sequence[datetime], reason: str) -> Problem:
    """Return the problem of slots at which nothing ran; `slots` are those since the last reading."""
    times = listed([clock(at, run.zone, now=run.now) for at in slots])
    noun = "reading" if len(slots) == 1 else "readings"
    return Problem(
        key=problem_key(run.poller, run.job, "missed"),
        text=f"{run.poller}: no {noun} for {times}: {reason}.{run.next_text()} "
        "Recorded as missing, not zero.",
        since=slots[0],
        severity="warning",
    )


def crashed(run: Run, kind: str) -> Problem:
    """Return the problem of a bug; `kind` is the exception's type, its text may hold anything."""
    return Problem(
        key=problem_key(run.poller, run.job, "crashed"),
        text=f"{run.poller}: no reading{run.slot_text()}: tallyd itself failed ({kind}). "
        f"The log has the traceback; please report it.{run.next_text()}",
        since=run.due_at or run.now,
    )


def part_crashed(part: str, kind: str, *, now: datetime) -> Problem:
    """Return the problem of a bug outside of any run; `kind` is the exception's type."""
    return Problem(
        key=problem_key("tallyd", part, "crashed"),
        text=f"tallyd itself failed ({kind}) at: {part}. The rest goes on and it is tried again. "
        "The log has the traceback; please report it.",
        since=now,
    )


def overdue(poller: str, job: str, *, since: datetime, now: datetime, zone: tzinfo) -> Problem:
    """Return the problem of a run that shows no progress; `since` is its beginning."""
    return Problem(
        key=problem_key(poller, job, "overdue"),
        text=f"{poller}: the {job} begun at {clock(since, zone, now=now)} shows no progress for "
        f"{span((now - since).total_seconds())}. The other jobs go on; if it stays so, restart tallyd.",
        since=since,
        at_once=True,
    )


def _tried(attempts: int, run: Run) -> str:
    if attempts <= 1:
        return ""
    return f" ({attempts} attempts until {clock(run.now, run.zone, now=run.now)})"


def clock_suspect(skew_s: float, *, now: datetime) -> Problem | None:
    """Return the problem of a clock that a source contradicts; None while they agree to a minute.

    `skew_s` is how far our clock is ahead, in seconds.
    """
    if not is_clock_suspect(skew_s):
        return None
    direction = "ahead of" if skew_s > 0 else "behind"
    return Problem(
        key=CLOCK_KEY,
        text=f"this machine's clock is {span(abs(skew_s))} {direction} the clock of a source. "
        "Readings bear wrong times (clock_suspect). Check the time with: timedatectl",
        since=now,
        severity="warning",
    )
