"""The one rule that decides what is due, what was missed and what to catch up.

`schedule` says when to look. This module decides what a look finds, from aware UTC instants, so that no local
arithmetic of `schedule` can make a run early, late or double. Local times of day follow PEP 495 with fold=0:
a time that does not exist (02:30 when clocks jump from 02:00 to 03:00) moves by the gap and runs at 03:30. A
time that occurs twice runs the first time.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import count, islice, starmap
from operator import itemgetter
from typing import Literal

from tallyd.core.language.messages import english
from tallyd.core.reading import LATE_AFTER_S, Slot
from tallyd.core.schedule.parts import MOST_DAYS, Part, first_day

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))
YEAR_S = 365 * 86400.0
MOST_STARTS = 3
"""After this many starts that killed the process, a slot is recorded as missed: it may be the cause."""
MOST_MISSED = 10_000
"""One look finds at most this many of the newest slots: a clock that is wrong by decades must not fill the
disk or take long."""

NOT_STARTED = english(
    "nothing ran at that time: tallyd or the machine was off or asleep, or the clock was wrong"
)
BUSY = english("the previous run was still in progress")
OVERTAKEN = english("the next slot was due before this one started, and only the newest is counted")
INTERRUPTED = english("the run was interrupted and could not be repeated in time")

_AT = itemgetter(0)
_SINCE = "since "
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class At:
    """Fixed local times of day, on some days of the week (0 is Monday).

    `once_a`: only on the first of these days in each week, month, ...
    """

    times: tuple[time, ...]
    days: frozenset[int] = EVERY_DAY
    once_a: Part = "day"

    def comes_on(self, day: date) -> bool:
        """Whether its times come on a local date."""
        if day.weekday() not in self.days:
            return False
        before = (day - first_day(self.once_a, day)).days
        return not any((day.weekday() - back) % 7 in self.days for back in range(1, min(before, 7) + 1))


@dataclass(frozen=True)
class Every:
    """A fixed interval in seconds.

    `grid`: the runs are slots at whole multiples of the interval since 1970 (UTC). Otherwise the interval is
    plain: nothing is ever missed or caught up.
    """

    interval_s: float
    grid: bool = False


def slots_a_year(when: At | Every) -> float:
    """Return how many slots come in 365 days. A plain interval has none."""
    if isinstance(when, At):
        days_a_year = len(when.days) / 7 * 365
        return len(when.times) * min(days_a_year, 365 / (MOST_DAYS[when.once_a]))
    return YEAR_S / when.interval_s if when.grid else 0.0


@dataclass(frozen=True)
class Due:
    """A slot's name, its instant (aware, UTC), and the watermark that moves past it after the claim."""

    key: str
    at: datetime
    watermark: str


@dataclass(frozen=True)
class Pending:
    """A slot that has started and is not settled: its process died (`claimed`) or its run `failed`.

    `reason` is the text of the failure. A failed slot is not started again before `not_before`.
    """

    key: str
    due_at: datetime
    state: Literal["claimed", "failed"]
    starts: int
    reason: str | None = None
    not_before: datetime | None = None


@dataclass(frozen=True)
class Missed:
    """A slot that will have no reading, and why."""

    key: str
    due_at: datetime
    reason: str
    watermark: str | None


@dataclass(frozen=True)
class Plan:
    """What one look found: at most one slot to run, and the slots to record as missed (oldest first).

    `watermark` belongs to `run`; it is None if the slot started before. `older_since` is set if the look did
    not check the time before the newest MOST_MISSED slots: since then more may have been missed.
    """

    run: Slot | None = None
    watermark: str | None = None
    missed: tuple[Missed, ...] = ()
    older_since: datetime | None = None


def marks_of(when: At | Every, zone: tzinfo) -> frozenset[str]:
    """Return the names of a job's watermarks.

    There is one for each time of day, so that a time added at noon was not missed since the morning. Days and
    zone are part of the name: if they change, the time counts as new from then on.
    """
    if isinstance(when, Every):
        return frozenset({f"every {when.interval_s:g} s"}) if when.grid else frozenset()
    return frozenset(_marks(when, zone).values())


def watermarks(
    known: Mapping[str, datetime], when: At | Every, zone: tzinfo, *, now: datetime
) -> dict[str, datetime]:
    """Return the watermarks from now on: the known ones, new ones at now, and none ahead of now.

    If a clock is set back, a watermark moves back with it. So beside each watermark there is `since ...`, the
    time when it was first set. It does not move. Without it, a machine that boots years in the past would
    record everything before its set-up as missed, when its clock is right again.
    """
    marks = {name: min(known.get(name, now), now) for name in marks_of(when, zone)}
    return marks | {_SINCE + name: known.get(_SINCE + name, known.get(name, now)) for name in marks}


@lru_cache(maxsize=8)
def _marks(when: At, zone: tzinfo) -> Mapping[time, str]:
    days = "".join(str(day) for day in sorted(when.days))
    if when.once_a != "day":
        days += f" once a {when.once_a}"
    return {at: f"{at.isoformat()} {days} {zone}" for at in when.times}


def slots(when: At | Every, zone: tzinfo, *, after: datetime, until: datetime) -> Iterator[Due]:
    """Yield the slots with after < at <= until, oldest first. A plain interval has none."""
    if isinstance(when, Every):
        if when.grid:
            yield from _grid_slots(when, after=after, until=until)
        return
    day = after.astimezone(zone).date() - timedelta(days=1)
    last = until.astimezone(zone).date() + timedelta(days=1)
    marks = _marks(when, zone)

    def named(at: datetime, of_day: date, of_time: time) -> Due:
        return Due(f"{of_day.isoformat()}T{of_time.isoformat()}[{zone}]", at, marks[of_time])

    found: list[tuple[datetime, date, time]] = []
    while day <= last:
        instants = _instants(when, day, zone) if when.comes_on(day) else ()
        begin, end = (bisect_right(instants, limit, key=_AT) for limit in (after, until))
        found += instants[begin:end]
        # By instant: across a gap, 23:45 is after 00:30 of the next day.
        found.sort(key=_AT)
        day += timedelta(days=1)
        if found:
            # A gap is a day long at most (Apia, 2011), so no slot of the days to come lies before this.
            reached = bisect_left(found, _instant(day, time(), zone) - timedelta(days=1), key=_AT)
            yield from starmap(named, found[:reached])
            del found[:reached]
    yield from starmap(named, found)


def _instants(when: At, day: date, zone: tzinfo) -> tuple[tuple[datetime, date, time], ...]:
    """Return the slots of a local date, oldest first: instant, date, time of day."""
    if len(when.times) > _MOST_KEPT:
        return _instants_anew(when, day, zone)
    return _kept_instants(when, day, zone)


def _instants_anew(when: At, day: date, zone: tzinfo) -> tuple[tuple[datetime, date, time], ...]:
    found = ((_instant(day, at, zone), day, at) for at in when.times)
    own = (each for each in found if not _is_double(when, zone, datetime.combine(day, each[2]), each[0]))
    # By instant: across a gap, 02:45 (at 03:45) is after 03:15.
    return tuple(sorted(own, key=_AT))


_kept_instants = lru_cache(maxsize=64)(_instants_anew)
"""Each look and each view needs the slots of the same three days of each job."""
_MOST_KEPT = 2000  # times of day: with one every second, the dates of a month would need a gigabyte


def _is_double(when: At, zone: tzinfo, nominal: datetime, instant: datetime) -> bool:
    """Whether a local date and time has no reading of its own.

    A time inside a gap moves to a later local time. If that time is a slot of its own (at: 02:30 and 03:30,
    or a zone that skipped a whole day), there is one instant and one reading: that slot's.
    """
    real = instant.astimezone(zone).replace(tzinfo=None, fold=0)
    return real != nominal and real.time() in when.times and when.comes_on(real.date())


def _instant(day: date, at: time, zone: tzinfo) -> datetime:
    return datetime.combine(day, at, zone).replace(fold=0).astimezone(UTC)


def _grid_slots(when: Every, *, after: datetime, until: datetime) -> Iterator[Due]:
    (watermark,) = marks_of(when, UTC)
    for number in count(math.floor(after.timestamp() / when.interval_s)):
        at = datetime.fromtimestamp(number * when.interval_s, UTC)
        if at > until:
            return
        if at > after:  # compare instants: in floats, 1.2 / 0.3 is less than 4
            yield Due(at.isoformat(), at, watermark)


def next_slots(when: At | Every, zone: tzinfo, *, after: datetime, count: int) -> tuple[datetime, ...]:
    """Return the next `count` instants; fewer if the next two years have fewer."""
    until = after + timedelta(days=2 * 366)
    return tuple(due.at for due in islice(slots(when, zone, after=after, until=until), count))


def due(
    when: At | Every,
    zone: tzinfo,
    *,
    now: datetime,
    marks: Mapping[str, datetime],
    pending: tuple[Pending, ...],
    settled_since: Callable[[datetime], Container[str]],
    catch_up_s: float,
    kept_from: datetime | None = None,
) -> Plan:
    """Decide what to do now, for a job that is not running.

    A slot is open if it lies after its watermark and is not settled, or if it is pending. `settled_since`
    returns the names of the settled slots that were due at an instant or later. The newest open slot runs if
    it is at most `catch_up_s` late (at least LATE_AFTER_S, because no start is exact). Every other open slot
    is missed: a newer slot overtook it, or, if it is older, nothing ran. Pending slots of the future (the
    clock was set back) wait. `marks` are those of `watermarks`. Slots from before their watermark was first
    set, or before `kept_from`, may run but are never missed: tallyd was not there yet, or has deleted what it
    knew.
    """
    begun = {slot.key: slot for slot in pending}
    catch_up = timedelta(seconds=max(catch_up_s, LATE_AFTER_S))
    # Slots from before both of these can neither run nor be missed: no need to look at them.
    floors = {name: max(marks[_SINCE + name], kept_from or _NEVER) for name in marks_of(when, zone)}
    too_old = now - catch_up - timedelta.resolution
    behind = {name: max(marks[name], min(floor, too_old)) for name, floor in floors.items()}
    fresh, older_since = open_slots(when, zone, now=now, marks=behind)
    settled = settled_since(fresh[0].at) if fresh else ()
    fresh = [slot for slot in fresh if slot.key not in begun and slot.key not in settled]
    instants = {slot.at for slot in fresh} | {slot.due_at for slot in pending if slot.due_at <= now}
    if not instants:
        return Plan(older_since=older_since)
    newest = max(instants)
    runnable = newest if now <= newest + catch_up else None

    run: Slot | None = None
    watermark: str | None = None
    missed = []
    for one in fresh:
        if one.at == runnable:
            run, watermark = Slot(one.key, one.at, (now - one.at).total_seconds()), one.watermark
        elif one.at > floors[one.watermark]:
            reason = OVERTAKEN if now <= one.at + timedelta(seconds=LATE_AFTER_S) else NOT_STARTED
            missed.append(Missed(one.key, one.at, reason, one.watermark))
    for old in (slot for slot in pending if slot.due_at <= now):
        if old.due_at != runnable or (old.state == "claimed" and old.starts >= MOST_STARTS):
            missed.append(Missed(old.key, old.due_at, old.reason or INTERRUPTED, None))
        elif old.not_before is None or now >= old.not_before:
            run = Slot(old.key, old.due_at, (now - old.due_at).total_seconds())
    return Plan(run, watermark, tuple(sorted(missed, key=lambda slot: slot.due_at)), older_since)


def open_slots(
    when: At | Every,
    zone: tzinfo,
    *,
    now: datetime,
    marks: Mapping[str, datetime],
    most: int = MOST_MISSED,
) -> tuple[list[Due], datetime | None]:
    """Return at most `most` of the newest slots after their own marks, oldest first.

    Also return since when there may be more that were not looked at; None if these are all.
    """
    earliest = min(marks.values(), default=now)
    begin = now - min(_reach(when, most), now - earliest)
    found = [slot for slot in slots(when, zone, after=begin, until=now) if slot.at > marks[slot.watermark]]
    is_all = begin == earliest and len(found) <= most
    return found[-most:], None if is_all else earliest


def _reach(when: At | Every, number: int) -> timedelta:
    """Return how much time about `number` slots span, rounded up."""
    if isinstance(when, Every):
        return timedelta(seconds=(number + 1) * when.interval_s)
    if when.once_a != "day":
        return timedelta(days=(number + 2) * MOST_DAYS[when.once_a])
    a_week = len(when.times) * len(when.days)
    return timedelta(weeks=number // max(a_week, 1) + 2)
