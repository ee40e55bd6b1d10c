"""The past of targets: their checks by hour, day, ..., and how old their data was over time.

The database holds figures for each hour in UTC. An hour belongs to the local hour, day, ... in which it
begins. That is exact where the offset from UTC is of whole hours; elsewhere it is off by less than an hour.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from tallyd.contract.board import Asked, PastRecords
from tallyd.contract.lags import HourCount, LagRow, hour_of
from tallyd.contract.passages import read_seen, seen_text
from tallyd.core.panels import Cell
from tallyd.core.periods import By, labels_of, order_of, period_cells
from tallyd.core.schedule.days import day_span

Hour: TypeAlias = "tuple[str, str, HourCount]"
"""A target, the first second of a span of time (UTC), and its checks in that span."""
Steps: TypeAlias = "list[tuple[datetime, float | None]]"
"""The begin of each step of time, and the largest lag in it; None: it is not known."""

HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_STEPS: Final = (timedelta(minutes=15), HOUR, 4 * HOUR, 12 * HOUR, *(days * _DAY for days in (1, 2, 7, 28)))
"""Offsets from UTC are of whole quarters of an hour, so a step of 15 minutes lies in one hour."""
MOST_STEPS: Final = 200
MOST_CHANGES: Final = 10_000
_SAME_S: Final = 5.0
"""Lags that differ by at most this can be of the same check: clocks and roundings."""


@dataclass(frozen=True)
class Checks:
    """The checks of a target in some period, whose cells are `period` (see `period_cells`); (): in all."""

    target: str
    period: tuple[Cell, ...]
    count: HourCount


def read_hours(records: PastRecords, asked: Asked, zone: ZoneInfo) -> Iterator[Hour]:
    """Yield the checks of all targets in the days asked for, in spans no longer than the periods asked for.

    One day at a time: ten thousand targets have a quarter of a million hours a day. Raises `RecordsError`,
    and `AskedError` for more rows than are wanted.
    """
    if asked.by is None:
        yield from _sums(records, *asked.span(zone))
        return
    if asked.most_rows is not None:
        asked.check_rows(len(records.server_sums(*asked.span(zone))) * _periods(asked, asked.by))
    for number in range((asked.last - asked.first).days + 1):
        span = day_span(asked.first + number * _DAY, zone)
        yield from records.server_hours(*span) if asked.by == "hour" else _sums(records, *span)


def _periods(asked: Asked, by: By) -> int:
    """Return how many hours, days, ... the days asked for have at most."""
    days = (asked.first + number * _DAY for number in range((asked.last - asked.first).days + 1))
    labels = {tuple(labels_of(datetime.combine(day, time()), by=by).values()) for day in days}
    return len(labels) * (25 if by == "hour" else 1)


def _sums(records: PastRecords, since: datetime, until: datetime) -> Iterator[Hour]:
    begin = seen_text(since)
    return ((target, begin, count) for target, count in records.server_sums(since, until).items())


def read_target(
    records: PastRecords, asked: Asked, zone: ZoneInfo, *, target: str, every_s: float, now: datetime
) -> tuple[tuple[Hour, ...], Steps | None]:
    """Return the hours of one target, and its lag over time (see `lag_steps`), None if asked by period.

    An hour is the shortest step if no change is stored (its `record` is false, or its data stood still), or
    too many are. Raises `RecordsError`.
    """
    since, until = asked.span(zone)
    hours = records.server_hours(since - HOUR, until, server=target)
    in_days = tuple(hour for hour in hours if hour[1] >= seen_text(since))
    if asked.by is not None:
        return in_days, None
    step, last = step_of(until - since, every_s=every_s), min(until, now)
    changes: Sequence[LagRow] = ()
    if step < HOUR:
        changes = records.server_lags((target,), since - HOUR, last, most=MOST_CHANGES + 1)
        step = step if 0 < len(changes) <= MOST_CHANGES else HOUR
    largest = {begin: count.lag_s_max for _, begin, count in hours}
    return in_days, lag_steps(largest, changes, first=since, last=last, step=step)


def checks_of(hours: Iterable[Hour], *, zone: ZoneInfo, by: By | None) -> tuple[Checks, ...]:
    """Return checks by target and period, the target least within its limit first, then the least fresh.

    The periods of a target are in order of time, weekdays from Monday on. Those without a check are left out.
    """
    cells_of: dict[str, tuple[Cell, ...]] = {}
    sums: dict[tuple[str, tuple[Cell, ...]], HourCount] = {}
    for target, begin, count in hours:
        if begin not in cells_of:
            cells_of[begin] = period_cells(read_seen(begin).astimezone(zone), by=by) if by else ()
        key = (target, cells_of[begin])
        sums[key] = sums[key] + count if key in sums else count
    wholes: dict[str, HourCount] = {}
    for (target, _), count in sums.items():
        wholes[target] = wholes[target] + count if target in wholes else count

    def place(checks: Checks) -> tuple[float, float, str, int]:
        whole = wholes[checks.target]
        weekday = order_of({"weekday": str(checks.period[0])}) if by == "weekday" else 0
        return whole.within_limit_share, whole.fresh_share, checks.target, weekday

    found = (Checks(target, period, count) for (target, period), count in sums.items() if count.checks)
    return tuple(sorted(found, key=place))


def step_of(length: timedelta, *, every_s: float) -> timedelta:
    """Return the shortest step that has a check, and that gives at most MOST_STEPS over `length`."""
    fitting = (step for step in _STEPS if length <= MOST_STEPS * step and step.total_seconds() >= every_s)
    return next(fitting, _STEPS[-1])


def lag_steps(
    hours: Mapping[str, float | None],
    changes: Sequence[LagRow],
    *,
    first: datetime,
    last: datetime,
    step: timedelta,
) -> Steps:
    """Return the begin of each step from `first` to `last`, and how old data was in it at most, in seconds.

    It is None where no check found out: nobody looked, or the target did not say. `hours` are the largest
    lags by hour. Steps shorter than an hour also need the `changes` in them, and those of the hour before,
    oldest first; a step before the first change has the largest lag of its hour.
    """
    steps = range(-(-(last - first) // step))
    if step >= HOUR:
        largest: dict[int, float] = {}
        for hour, lag_s in hours.items():
            number = (read_seen(hour) - first) // step
            if lag_s is not None:
                largest[number] = max(largest.get(number, lag_s), lag_s)
        return [(first + number * step, largest.get(number)) for number in steps]
    return [
        (begin, _largest(hours.get(hour_of(begin)), changes, begin, min(last, begin + step)))
        for begin in (first + number * step for number in steps)
    ]


def _largest(
    hour_lag_s: float | None, changes: Sequence[LagRow], begin: datetime, end: datetime
) -> float | None:
    """Return the largest lag from `begin` to `end`, which is at most that of its hour.

    Between two changes data grows older by a second each second. Where it would be older than the hour's
    largest lag, nobody looked.
    """
    if hour_lag_s is None:
        return None
    before = bisect_right(changes, seen_text(begin), key=_checked_at)
    if not before:
        return hour_lag_s
    found = changes[before - 1 : bisect_left(changes, seen_text(end), key=_checked_at)]
    lags: list[float] = []
    for row, until in zip(found, (*(read_seen(row.checked_at) for row in found[1:]), end), strict=True):
        at = read_seen(row.checked_at)
        if (
            row.lag_s is not None
            and row.lag_s + (max(begin, at) - at).total_seconds() <= hour_lag_s + _SAME_S
        ):
            lags.append(min(hour_lag_s, row.lag_s + (until - at).total_seconds()))
    return max(lags, default=None)


def _checked_at(row: LagRow) -> str:
    return row.checked_at
