"""The daemon's memory of one job as plain dicts, so that the rule of what is due can be run for years.

And an oracle: which slots there are, found by trying offsets instead of by PEP 495.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from tallyd.core.reading import Slot
from tallyd.core.schedule.timetable import At, Every, Missed, Pending, Plan, due, watermarks

DAY = timedelta(days=1)
STEP = timedelta(minutes=15)
ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Asuncion",
    "America/New_York",
    "America/Nuuk",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Chatham",
)
"""Zones whose clocks change in every way: by an hour or less, at odd hours, rarely, or never."""


@dataclass
class Outcome:
    """What became of a slot: taken or missed, when that was said (on the clock of then), and how late."""

    due_at: datetime
    state: Literal["taken", "missed"]
    said_at: datetime
    late_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Settled:
    """The slots that are settled at an instant; a set of them would take as long as their number."""

    outcomes: Mapping[str, Outcome]
    now: datetime

    def __contains__(self, key: object) -> bool:
        found = self.outcomes.get(str(key))
        return found is not None and (found.state == "taken" or found.said_at <= self.now)


@dataclass
class Ledger:
    """One job's watermarks, its slots begun and settled. `look` moves them as the daemon moves state.db."""

    when: At | Every
    zone: ZoneInfo
    catch_up_s: float = 900.0
    marks: dict[str, datetime] = field(default_factory=dict)
    pending: dict[str, Pending] = field(default_factory=dict)
    settled: dict[str, Outcome] = field(default_factory=dict)
    takes: list[str] = field(default_factory=list)
    older_since: datetime | None = None
    last: Plan = field(default_factory=Plan)

    def plan(self, now: datetime) -> Plan:
        """Look; what is missed is not recorded yet."""
        self.marks = watermarks(self.marks, self.when, self.zone, now=now)
        return due(
            self.when,
            self.zone,
            now=now,
            marks=self.marks,
            pending=tuple(self.pending.values()),
            settled_since=lambda _since: Settled(self.settled, now),
            catch_up_s=self.catch_up_s,
        )

    def look(self, now: datetime) -> Slot | None:
        """Look, record what is missed, claim what is due and return it; the caller settles it or dies."""
        plan = self.last = self.plan(now)
        self.older_since = plan.older_since or self.older_since
        for one in plan.missed:
            self.miss(one, now)
        if plan.run is None or plan.run.key is None:
            return None
        key = plan.run.key
        starts = self.pending[key].starts if key in self.pending else 0
        self.pending[key] = Pending(key, plan.run.due_at, "claimed", starts + 1)
        if plan.watermark is not None:
            self.marks[plan.watermark] = plan.run.due_at
        return plan.run

    def miss(self, one: Missed, now: datetime) -> None:
        self.pending.pop(one.key, None)
        known = self.settled.get(one.key)
        assert known is None or known.state == "missed", f"{one.key} is taken, and now missed"
        self.settled[one.key] = Outcome(one.due_at, "missed", now, reason=one.reason)
        if one.watermark is not None:
            self.marks[one.watermark] = one.due_at

    def take(self, slot: Slot, now: datetime) -> None:
        assert slot.key is not None
        del self.pending[slot.key]
        self.takes.append(slot.key)
        self.settled[slot.key] = Outcome(slot.due_at, "taken", now, slot.late_s)

    def fail(self, slot: Slot, now: datetime, *, pause_s: float) -> None:
        """The run failed: it is begun again after a pause, or given up where there is no room for that."""
        assert slot.key is not None
        again_at = now + timedelta(seconds=pause_s)
        if again_at > slot.due_at + timedelta(seconds=max(self.catch_up_s, 60.0)):
            self.miss(Missed(slot.key, slot.due_at, "failed", None), now)
            return
        starts = self.pending[slot.key].starts
        self.pending[slot.key] = Pending(slot.key, slot.due_at, "failed", starts, "failed", again_at)


def expected_slots(when: At, zone: ZoneInfo, *, after: datetime, until: datetime) -> dict[str, datetime]:
    """Return the slots with after < instant <= until: the local date and time by name, and the instant."""
    found: dict[str, datetime] = {}
    for day in _days(after.date() - 2 * DAY, until.date() + 2 * DAY):
        for one in when.times:
            if day.weekday() in when.days:
                nominal = datetime.combine(day, one)
                instant = first_instant(nominal, zone) or _moved_on(nominal, when, zone)
                if instant is not None and after < instant <= until:
                    found[nominal.isoformat()] = instant
    return found


def first_instant(nominal: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first instant at which clocks in the zone show `nominal`; None if they never do."""
    near = nominal.replace(tzinfo=UTC)
    offsets = {_offset(near + hours * timedelta(hours=1), zone) for hours in range(-30, 31, 3)}
    shown = [near - offset for offset in offsets if _local(near - offset, zone) == nominal]
    return min(shown, default=None)


def _moved_on(nominal: datetime, when: At, zone: ZoneInfo) -> datetime | None:
    """Return the instant of a time that a gap leaves out; None where another slot stands there."""
    before = nominal.replace(tzinfo=UTC) - timedelta(hours=30)
    while _local(before + STEP, zone) < nominal:
        before += STEP
    instant = nominal.replace(tzinfo=UTC) - _offset(before, zone)
    real = _local(instant, zone)
    return None if real.time() in when.times and real.weekday() in when.days else instant


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    offset = instant.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += DAY


def times(*texts: str) -> tuple[time, ...]:
    """Return times of day."""
    return tuple(time.fromisoformat(text) for text in texts)
