"""The past of targets: their checks by hour, day, ..., and the changes of their state.

The database holds figures for each hour in UTC. An hour belongs to the local hour, day, ... in which it
begins. That is exact where the offset from UTC is of whole hours; elsewhere it is off by less than an hour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import pairwise
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from tallyd.contract.board import Asked, PastRecords
from tallyd.contract.lags import HourCount, LagRow, hour_of
from tallyd.contract.passages import read_seen, seen_text
from tallyd.core.panels import Cell
from tallyd.core.periods import By, labels_of, order_of, period_cells
from tallyd.core.schedule.days import day_of, day_span

Hour: TypeAlias = "tuple[str, str, HourCount]"
"""A target, the first second of a span of time (UTC), and its checks in that span."""

HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
MOST_CHANGES: Final = 10_000
_MOST_LOOKS: Final = 20
"""Of hours in which a state may have changed."""


@dataclass(frozen=True)
class Checks:
    """The checks of a target in some period, whose cells are `period` (see `period_cells`); (): in all.

    `passed_s` is how much of the period has passed.
    """

    target: str
    period: tuple[Cell, ...]
    count: HourCount
    passed_s: float

    @property
    def within_limit_share(self) -> float | None:
        """For what share of the time that is known the data was within the limit; None: nothing is known."""
        return self.count.within_limit_s / self.count.known_s if self.count.known_s else None

    @property
    def fresh_share(self) -> float | None:
        """For what share of the time that is known the data was fresh."""
        return self.count.fresh_s / self.count.known_s if self.count.known_s else None

    @property
    def no_data_share(self) -> float | None:
        """For what share of the time that has passed nothing is known; None: no time has passed."""
        return max(0.0, 1 - self.count.known_s / self.passed_s) if self.passed_s > 0 else None


def read_hours(
    records: PastRecords, asked: Asked, zone: ZoneInfo, *, targets: Collection[str], has_others: bool = True
) -> Iterator[Hour]:
    """Yield the checks of these targets in the days asked for, in spans no longer than the periods asked for.

    One day at a time: ten thousand targets have a quarter of a million hours a day. Items of the targets are
    found while reading and, if it `has_others`, targets that have left the config. Raises `RecordsError`, and
    `AskedError` as soon as all of them have more rows than are wanted.
    """
    wanted = frozenset(targets)
    if asked.by is None:
        for hour in _sums(records, *asked.span(zone)):
            if has_others or hour[0].partition("/")[0] in wanted:
                yield hour
        return
    known, rows_each = set(targets), periods(asked, asked.by)
    asked.check_rows(len(known) * rows_each)
    for number in range((asked.last - asked.first).days + 1):
        span = day_span(asked.first + number * _DAY, zone)
        hours = records.server_hours(*span) if asked.by == "hour" else [*_sums(records, *span)]
        if not has_others:
            hours = [hour for hour in hours if hour[0].partition("/")[0] in wanted]
        known.update(target for target, _, _ in hours)
        asked.check_rows(len(known) * rows_each)
        yield from hours


def periods(asked: Asked, by: By) -> int:
    """Return how many hours, days, ... the days asked for have at most."""
    days = (asked.first + number * _DAY for number in range((asked.last - asked.first).days + 1))
    labels = {tuple(labels_of(datetime.combine(day, time()), by=by).values()) for day in days}
    return len(labels) * (25 if by == "hour" else 1)


def _sums(records: PastRecords, since: datetime, until: datetime) -> Iterator[Hour]:
    begin = seen_text(since)
    return ((target, begin, count) for target, count in records.server_sums(since, until).items())


def passed_s(since: datetime, until: datetime, now: datetime) -> float:
    """Return how much of a span has passed."""
    return max(0.0, (min(until, now) - since).total_seconds())


def checks_of(
    hours: Iterable[Hour],
    span: tuple[datetime, datetime],
    *,
    zone: ZoneInfo,
    by: By | None,
    now: datetime,
) -> tuple[Checks, ...]:
    """Return checks by target and period, the target least within its limit first, then the least fresh.

    `span` is the time that the hours are of. The periods of a target are in order of time, weekdays from
    Monday on. Those without a check are left out.
    """
    cells_of: dict[str, tuple[Cell, ...]] = {}
    sums: dict[tuple[str, tuple[Cell, ...]], HourCount] = {}
    for target, begin, count in hours:
        if begin not in cells_of:
            cells_of[begin] = period_cells(read_seen(begin).astimezone(zone), by=by) if by else ()
        key = (target, cells_of[begin])
        sums[key] = sums[key] + count if key in sums else count
    passed = _passed(span, cells_of, zone=zone, by=by, now=now)
    wholes: dict[str, HourCount] = {}
    for (target, _), count in sums.items():
        wholes[target] = wholes[target] + count if target in wholes else count
    whole_s = passed_s(*span, now)

    def place(checks: Checks) -> tuple[float, float, str, int]:
        whole = Checks(checks.target, (), wholes[checks.target], whole_s)
        weekday = order_of({"weekday": str(checks.period[0])}) if by == "weekday" else 0
        unknown = 2.0  # those of which nothing is known come last
        within, fresh = whole.within_limit_share, whole.fresh_share
        return unknown if within is None else within, fresh or 0.0, checks.target, weekday

    found = (
        Checks(target, period, count, passed[period])
        for (target, period), count in sums.items()
        if count.checks or count.known_s
    )
    return tuple(sorted(found, key=place))


def _passed(
    span: tuple[datetime, datetime],
    cells_of: Mapping[str, tuple[Cell, ...]],
    *,
    zone: ZoneInfo,
    by: By | None,
    now: datetime,
) -> dict[tuple[Cell, ...], float]:
    """Return how many seconds have passed of each period; `cells_of` are the cells of each hour."""
    found: dict[tuple[Cell, ...], float] = defaultdict(float)
    since, until = span
    if by is None:
        found[()] = passed_s(since, until, now)
    elif by == "hour":
        for hour, cells in cells_of.items():
            begin = read_seen(hour)
            found[cells] += passed_s(begin, begin + HOUR, now)
    else:
        day = day_of(since, zone)
        while since < min(until, now):
            end = day_span(day, zone)[1]
            found[period_cells(since.astimezone(zone), by=by)] += passed_s(since, min(until, end), now)
            since, day = end, day + _DAY
    return found


# -- changes of a state -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A check that found another state than the one before; `was` is None for the first check."""

    at: datetime
    state: str
    was: str | None
    lag_s: float | None


def read_changes(
    records: PastRecords, hours: Sequence[Hour], *, target: str, since: datetime, now: datetime, most: int
) -> tuple[Change, ...]:
    """Return the newest changes of the state of a target since then, newest first. Raises `RecordsError`.

    `hours` are its hours since then. They tell in which hours to look: a target whose data moves has a row
    every minute, and may change its state once in a month.
    """
    found: list[Change] = []
    running = hour_of(now)
    looked = [*_changed_hours(hours), *([] if hours and hours[-1][1] == running else [running])]
    for hour in looked[: -_MOST_LOOKS - 1 : -1]:
        begin = read_seen(hour)
        rows = records.server_lags((target,), begin, begin + HOUR, most=MOST_CHANGES)
        if rows:
            before = records.server_lags((target,), since, begin, most=1)
            found += reversed(_changes((*before, *rows), is_first=not before))
        if len(found) >= most:
            break
    return tuple(found[:most])


def _changed_hours(hours: Sequence[Hour]) -> list[str]:
    """Return the hours in which a state may have changed, oldest first, and the last one."""
    found, before = [], frozenset[str]()
    for place, (_, hour, count) in enumerate(hours):
        held = frozenset(state for state, held_s in count.seconds.items() if held_s)
        if len(held) != 1 or held != before or place == len(hours) - 1:
            found.append(hour)
        before = held or before
    return found


def _changes(rows: Sequence[LagRow], *, is_first: bool) -> list[Change]:
    found = [_change(rows[0], None)] if is_first else []
    return found + [_change(row, was.state) for was, row in pairwise(rows) if row.state != was.state]


def _change(row: LagRow, was: str | None) -> Change:
    return Change(read_seen(row.checked_at), row.state, was, row.lag_s)
