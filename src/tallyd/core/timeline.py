"""States over time, cut into equal spans: by the hour for a week, by the day for a year.

An hour is one of UTC, as the database counts; a day is a local one. The last span ends now.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from tallyd.core.panels import WORST_FIRST, Level, State, StateSpan, Timeline
from tallyd.core.schedule.days import day_of, day_span

Range: TypeAlias = Literal["24h", "7d", "30d", "90d", "365d"]
"""How far back a timeline goes."""
Interval: TypeAlias = "tuple[datetime, datetime, State]"
"""When a state began and ended."""
Trouble: TypeAlias = "tuple[datetime, datetime, Level]"
"""When something bad began and ended, and how bad it was."""

HOURS: Final[Mapping[Range, int]] = {"24h": 24, "7d": 7 * 24}
DAYS: Final[Mapping[Range, int]] = {"30d": 30, "90d": 90, "365d": 365}
RANGES: Final[Mapping[Range, int]] = {"24h": 1, "7d": 6, **{name: days - 1 for name, days in DAYS.items()}}
"""How many days before today the first day of a range is, where numbers are by whole days.

Today is one of the days. 24 hours are two days: after midnight, today alone would have next to nothing.
"""
RANGE_NAMES: Final[Mapping[Range, str]] = {
    "24h": "24 h",
    "7d": "7 d",
    "30d": "30 d",
    "90d": "90 d",
    "365d": "365 d",
}
_HOUR: Final = timedelta(hours=1)
_MOST_HOURS: Final = 7 * 25
_MOST_DAYS: Final = 400


# -- where spans begin and end ------------------------------------------------------------------------------


def borders_of(wanted: Range, *, now: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """Return where the spans of a range begin, oldest first, and `now`, where the last one ends.

    The last hour or day is the one that goes on, so a range is a little shorter than its name.
    """
    if wanted in HOURS:
        newest = _hour_before(now)
        return (*(newest - back * _HOUR for back in reversed(range(HOURS[wanted]))), now)
    today = day_of(now - timedelta.resolution, zone)
    days = (today - timedelta(days=back) for back in reversed(range(DAYS[wanted])))
    return _without_repeats([*(day_span(day, zone)[0] for day in days), now])


def borders_between(since: datetime, until: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """Return the borders of spans from `since` to `until`: by hour, by day or by month, as there is room."""
    if until <= since:
        return ()
    if until - since <= _MOST_HOURS * _HOUR:
        count = -(-(until - since) // _HOUR)
        return (*(since + number * _HOUR for number in range(count)), until)
    first, last = day_of(since, zone), day_of(until - timedelta.resolution, zone)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    if len(days) > _MOST_DAYS:
        days = [first, *(day for day in days[1:] if day.day == 1)]
    return _without_repeats([since, *(day_span(day, zone)[0] for day in days[1:]), until])


def _hour_before(now: datetime) -> datetime:
    last = now.astimezone(UTC) - timedelta.resolution
    return last.replace(minute=0, second=0, microsecond=0)


def _without_repeats(borders: Sequence[datetime]) -> tuple[datetime, ...]:
    """Leave out the days that a zone left out."""
    return tuple(sorted(set(borders)))


# -- what goes into them ------------------------------------------------------------------------------------


def gathered(
    amounts: Iterable[tuple[datetime, Mapping[State, float]]], borders: Sequence[datetime]
) -> Timeline:
    """Return a timeline of amounts: seconds by state from an instant on, which all count in its span."""
    sums: list[dict[State, float]] = [{} for _ in borders[1:]]
    for at, seconds in amounts:
        place = bisect_right(borders, at) - 1
        if 0 <= place < len(sums):
            for state, held_s in seconds.items():
                sums[place][state] = sums[place].get(state, 0.0) + held_s
    return Timeline(
        tuple(
            StateSpan(begin=begin, end=end, seconds=found)
            for (begin, end), found in zip(pairwise(borders), sums, strict=False)
        )
    )


def cut(intervals: Iterable[Interval], borders: Sequence[datetime]) -> Timeline:
    """Return a timeline of intervals, cut at the borders. No two intervals may overlap."""
    return gathered(_pieces(intervals, borders), borders)


def _pieces(
    intervals: Iterable[Interval], borders: Sequence[datetime]
) -> Iterator[tuple[datetime, Mapping[State, float]]]:
    for begin, end, state in intervals:
        first = max(0, bisect_right(borders, begin) - 1)
        for left, right in pairwise(borders[first:]):
            if left >= end:
                break
            held_s = (min(end, right) - max(begin, left)).total_seconds()
            if held_s > 0:
                yield left, {state: held_s}


def states_of(
    uptime: Iterable[tuple[datetime, datetime]], troubles: Iterable[Trouble], states: Mapping[Level, State]
) -> Iterator[Interval]:
    """Yield the state of each moment in which tallyd was on, oldest first: of the worst trouble, else fine.

    Where tallyd was off, nobody knows.
    """
    events: list[tuple[datetime, str, int]] = []
    for begin, end in uptime:
        events += [(begin, "on", 1), (end, "on", -1)]
    for begin, end, level in troubles:
        if begin < end:
            events += [(begin, level, 1), (end, level, -1)]
    now_on: Counter[str] = Counter()
    before: datetime | None = None
    for at, what, change in sorted(events, key=lambda event: event[0]):
        if before is not None and before < at and now_on["on"] > 0:
            level = next((each for each in WORST_FIRST if now_on[each] > 0), "fine")
            yield before, at, states[level]
        now_on[what] += change
        before = at
