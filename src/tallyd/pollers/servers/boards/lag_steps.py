"""How old the data of one target was, in steps of time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from tallyd.contract.board import PastRecords
from tallyd.contract.lags import LagRow, hour_of
from tallyd.contract.passages import read_seen, seen_text
from tallyd.pollers.servers.boards.lag_history import HOUR, MOST_CHANGES, Hour

Steps: TypeAlias = "list[tuple[datetime, float | None]]"
"""The begin of each step of time, and the largest lag in it; None: it is not known."""

_STEPS: Final = (timedelta(minutes=15), *(hours * HOUR for hours in (1, 4, 12, 24, 48, 7 * 24, 28 * 24)))
"""Offsets from UTC are of whole quarters of an hour, so a step of 15 minutes lies in one hour."""
MOST_STEPS: Final = 200
_SAME_S: Final = 5.0
"""Lags that differ by at most this can be of the same check: clocks and roundings."""


def read_steps(
    records: PastRecords,
    hours: Sequence[Hour],
    *,
    target: str,
    since: datetime,
    last: datetime,
    every_s: float,
) -> Steps:
    """Return the lag of one target from `since` to `last` (see `lag_steps`).

    `hours` are its hours then, and the hour before. An hour is the shortest step if no change is stored (its
    `record` is false, or its data stood still), or too many are. Raises `RecordsError`.
    """
    step = step_of(last - since, every_s=every_s)
    changes: Sequence[LagRow] = ()
    if step < HOUR:
        changes = records.server_lags((target,), since - HOUR, last, most=MOST_CHANGES + 1)
        step = step if 0 < len(changes) <= MOST_CHANGES else HOUR
    largest = {begin: count.lag_s_max for _, begin, count in hours}
    return lag_steps(largest, changes, first=since, last=last, step=step)


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
