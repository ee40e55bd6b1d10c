"""How old servers' data was, and for how much of the time within the limit; in all, or by hour, day, ...

Made of hours in UTC, each of which is of the local hour, day, ... in which it begins. That is exact where the
offset is of whole hours; elsewhere, and only there, it is off by less than an hour.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Final, TypeAlias

from tallyd.contract.lags import HourCount, LagRow, hour_of
from tallyd.contract.passages import read_seen, seen_text
from tallyd.core.periods import LABELS, By, labels_of
from tallyd.core.schedule.timetable import WEEKDAYS

Hour: TypeAlias = "tuple[str, str, HourCount]"
"""A server, the first second of an hour (UTC), and its checks."""
_HOUR: Final = timedelta(hours=1)
Point: TypeAlias = "tuple[datetime, float | None]"
"""How old data was at an instant, in seconds; None: from here on nobody looked."""
Sums: TypeAlias = "MutableMapping[tuple[str, tuple[str, ...]], HourCount]"
"""Checks by server and labels, in the order in which they were first met; no labels: all in one."""


@dataclass(frozen=True, kw_only=True)
class Lags:
    """The checks of one server in some span of time, which `labels` name."""

    server: str
    labels: Mapping[str, str]
    count: HourCount


def sum_up(hours: Iterable[Hour], sums: Sums, *, zone: tzinfo, by: By | None) -> None:
    """Add hours to sums. Of many years, they need not be held all at once."""
    known: dict[str, tuple[str, ...]] = {}
    for server, hour, count in hours:
        labels = known.get(hour)
        if labels is None:
            local = read_seen(hour).astimezone(zone)
            labels = known[hour] = tuple(labels_of(local, by=by).values()) if by else ()
        before = sums.get((server, labels))
        sums[server, labels] = count if before is None else before + count


def lags_of(sums: Mapping[tuple[str, tuple[str, ...]], HourCount], *, by: By | None) -> tuple[Lags, ...]:
    """Return the sums by server, the one that was least within its limit first, then the least fresh.

    Those of a server are in order of time, weekdays from Monday on. Sums without a check are left out.
    """
    wholes: dict[str, HourCount] = {}
    for (server, _), count in sums.items():
        wholes[server] = wholes[server] + count if server in wholes else count
    found = [
        Lags(server=server, labels=dict(zip(LABELS[by] if by else (), labels, strict=True)), count=count)
        for (server, labels), count in sums.items()
        if count.checks
    ]

    def place(lags: Lags) -> tuple[float, float, str, int]:
        whole = wholes[lags.server]
        weekday = WEEKDAYS.index(lags.labels["weekday"].lower()) if by == "weekday" else 0
        return whole.within_limit_share, whole.fresh_share, lags.server, weekday

    return tuple(sorted(found, key=place))


def lag_points(rows: Sequence[LagRow], *, first: datetime, last: datetime) -> list[tuple[datetime, float]]:
    """Return how old data was over time: it grows by a second each second, until a newer time is told.

    Each row is a check at which that changed, oldest first; between two of them it is drawn to its height.
    """
    points: list[tuple[datetime, float]] = []
    before: LagRow | None = None
    for row in rows:
        at = read_seen(row.checked_at)
        if before is not None and before.lag_s is not None:
            points.append((at, before.lag_s + (at - read_seen(before.checked_at)).total_seconds()))
        if row.lag_s is not None:
            points.append((at, row.lag_s))
        before = row if row.lag_s is not None else before
    if before is not None and before.lag_s is not None:
        points.append((last, before.lag_s + (last - read_seen(before.checked_at)).total_seconds()))
    return [(at, lag_s) for at, lag_s in points if at >= first]


def lag_course(
    rows: Sequence[LagRow], hours: Mapping[str, HourCount], *, first: datetime, last: datetime
) -> list[Point]:
    """Return what `lag_points` does, but not where nobody looked: `hours` are those with a check.

    There is a gap wherever they lack a whole hour, and in its last hour before one a line ends no higher than
    the largest lag of that hour. Rows may begin before `first`: where data stood still, they tell how old it
    was then.
    """
    found: list[Point] = []
    for run in _runs(rows, hours):
        end = _end(run[-1], hours, last)
        points = _since(lag_points(run, first=read_seen(run[0].checked_at), last=end), first)
        if points and found:
            found.append((points[0][0], None))
        found += points
    return found


def _runs(rows: Sequence[LagRow], hours: Collection[str]) -> list[list[LagRow]]:
    """Return the rows between which there were checks in every hour."""
    runs = [[row] for row in rows[:1]]
    for before, row in pairwise(rows):
        if _unchecked(before, hours, row.checked_at) is None:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _unchecked(row: LagRow, hours: Collection[str], until: str) -> datetime | None:
    """Return when the first hour without a check begins that lies between a row and the hour of `until`."""
    hour, end = read_seen(hour_of(read_seen(row.checked_at))) + _HOUR, hour_of(read_seen(until))
    while seen_text(hour) < end:
        if seen_text(hour) not in hours:
            return hour
        hour += _HOUR
    return None


def _end(row: LagRow, hours: Mapping[str, HourCount], last: datetime) -> datetime:
    """Return until when somebody looked after the last row of a run."""
    at = read_seen(row.checked_at)
    end = min(last, _unchecked(row, hours, seen_text(last + _HOUR)) or last)
    final = hours.get(hour_of(max(at, end - timedelta(seconds=1))))
    if row.lag_s is not None and final is not None and final.lag_s_max is not None:
        end = min(end, at + timedelta(seconds=max(0.0, final.lag_s_max - row.lag_s)))
    return max(at, end)


def _since(points: Sequence[tuple[datetime, float]], first: datetime) -> list[Point]:
    """Return the points from `first` on, and how old data was then where it grew older over it."""
    found: list[Point] = [point for point in points if point[0] >= first]
    before = [point for point in points if point[0] < first]
    if before and found and found[0][0] > first:
        found.insert(0, (first, before[-1][1] + (first - before[-1][0]).total_seconds()))
    return found
