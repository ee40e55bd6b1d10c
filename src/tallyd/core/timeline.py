"""States over time, cut into equal spans: by the hour for a week, by the day for a year.

An hour is one of UTC, as the database counts; a day is a local one. The last span ends now.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from tallyd.core.language.messages import tr
from tallyd.core.panels import Cell, Column, Gap, Table
from tallyd.core.schedule.days import day_of, day_span
from tallyd.core.states import WORST_FIRST, Level, State, StateSpan, Timeline

Range: TypeAlias = Literal["24h", "7d", "30d", "90d", "365d"]
"""How far back a timeline goes."""
Interval: TypeAlias = "tuple[datetime, datetime, State]"
"""When a state began and ended."""
Trouble: TypeAlias = "tuple[datetime, datetime, Level]"
"""When something bad began and ended, and how bad it was."""

SHARES: Final[tuple[Range, ...]] = ("24h", "7d", "30d", "90d")
"""The ranges that have shares of the time."""
RANGES: Final[Mapping[Range, int]] = {"24h": 2, "7d": 7, "30d": 30, "90d": 90, "365d": 365}
"""How many days a range is of, today included.

24 hours are of two days: after midnight, today alone would have next to nothing.
"""
_HOUR: Final = timedelta(hours=1)
_MOST_HOURS: Final = 7 * 25
_MOST_DAYS: Final = 400


# -- where spans begin and end ------------------------------------------------------------------------------


def borders_of(wanted: Range, *, now: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    """Return where the spans of a range begin, oldest first, and `now`, where the last one ends.

    24 hours begin with an hour, other ranges with a day, and the last hour or day is the one that goes on. So
    a range is a little shorter than its name.
    """
    since = day_span(day_of(now, zone) - timedelta(days=RANGES[wanted] - 1), zone)[0]
    return borders_between(_hour_before(now) - 23 * _HOUR if wanted == "24h" else since, now, zone)


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
    # A set: a day that a zone left out has no span.
    return tuple(sorted({since, *(day_span(day, zone)[0] for day in days[1:]), until}))


def _hour_before(now: datetime) -> datetime:
    last = now.astimezone(UTC) - timedelta.resolution
    return last.replace(minute=0, second=0, microsecond=0)


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
            yield left, {state: (min(end, right) - max(begin, left)).total_seconds()}


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


# -- shares of the time -------------------------------------------------------------------------------------


def range_name(wanted: Range) -> str:
    """Return `24 h`, `7 d`."""
    return tr("{hours} h", hours=24) if wanted == "24h" else tr("{days} d", days=RANGES[wanted])


def shares_table(
    columns: Sequence[Column],
    cells_since: Callable[[datetime], Sequence[Cell]],
    *,
    now: datetime,
    zone: tzinfo,
) -> Table:
    """Return shares of the time of each range of `SHARES`. `cells_since` returns those from an instant on."""
    return Table(
        key="shares",
        title=tr("Share of the time"),
        columns=(Column(key="range", heading=tr("last"), is_vital=True), *columns),
        rows=tuple(
            (range_name(back), *cells_since(borders_of(back, now=now, zone=zone)[0])) for back in SHARES
        ),
    )


# -- the last day of each row -------------------------------------------------------------------------------


def with_last_day(table: Table, bars: Callable[[Collection[str]], Mapping[str, Timeline]]) -> Table:
    """Return a table with the last 24 hours of each row.

    `bars` reads those of some rows, by their first cell.
    """

    def fill(rows: tuple[tuple[Cell, ...], ...]) -> tuple[tuple[Cell, ...], ...]:
        found = bars([str(row[0]) for row in rows])
        return tuple((*row[:-1], found.get(str(row[0]), Gap.UNKNOWN)) for row in rows)

    last_day = Column(key="last_day", heading=tr("last 24 h"), unit="timeline", is_vital=True)
    return replace(
        table,
        columns=(*table.columns, last_day),
        rows=tuple((*row, Gap.UNKNOWN) for row in table.rows),
        fill=fill,
    )
