"""What the page shows of one target besides its plot: the longest lag of each hour, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from tallyd.core.freshness import Known
from tallyd.core.texts import clock, span
from tallyd.web.views import Moment, moment


@dataclass(frozen=True)
class LagHour:
    """An hour by its begin, and how old the data was at most in it."""

    begin: Moment
    longest: str
    is_stale: bool


@dataclass(frozen=True)
class LagsView:
    """The table behind the plot, the newest hour first.

    `trouble` says why it can't be read, `nothing` why there is none: nothing is known yet.
    """

    hours: tuple[LagHour, ...] = ()
    trouble: str = ""
    nothing: str = ""


def lags_view(
    points: Sequence[tuple[datetime, float]], *, stale_after_s: float, zone: ZoneInfo, now: datetime
) -> LagsView:
    """Return the hours of the zone in which a lag is known; between two points it is on their line."""
    longest_s: dict[datetime, float] = {}
    for at, lag_s in _with_hours(points, zone):
        begin = _begin(at, zone)
        longest_s[begin] = max(longest_s.get(begin, lag_s), lag_s)
    return LagsView(
        tuple(
            LagHour(moment(begin, zone, now=now), span(max(0, round(lag_s))), lag_s > stale_after_s)
            for begin, lag_s in sorted(longest_s.items(), reverse=True)
        )
    )


def stood_still(known: Known | None, *, first: datetime, last: datetime) -> list[tuple[datetime, float]]:
    """Return how old data was from `first` to `last` where it has stood still since before, else nothing."""
    if known is None or known.computed_at is None or known.changed_at is None or known.changed_at > first:
        return []
    return [(at, (at - known.computed_at).total_seconds()) for at in (first, last)]


def nothing_text(known: Known | None, *, every_s: float, zone: ZoneInfo, now: datetime) -> str:
    """Return why nothing is known of how old a target's data was, and when it will be."""
    if known is None:
        return f"Not checked yet. The first check comes within {span(every_s)}."
    if known.computed_at is None:
        since = clock(known.since.replace(microsecond=0), zone, now=now)
        return (
            f"This target has not told the time of its data yet ({known.state} since {since}). "
            "The plot begins with its first answer that does."
        )
    return (
        "No change of its data is stored from these hours: its `record` is false, `database.keep_days` is 0, "
        "or the database was away."
    )


def _with_hours(points: Sequence[tuple[datetime, float]], zone: ZoneInfo) -> Iterator[tuple[datetime, float]]:
    """Yield the points, and those in which the line between two of them comes to the end of an hour."""
    yield from points[:1]
    for (at, lag_s), (next_at, next_s) in pairwise(points):
        end = _begin(at, zone) + timedelta(hours=1)
        while end < next_at:
            there_s = lag_s + (next_s - lag_s) * ((end - at) / (next_at - at))
            yield end - timedelta(microseconds=1), there_s
            yield end, there_s
            end += timedelta(hours=1)
        yield next_at, next_s


def _begin(at: datetime, zone: ZoneInfo) -> datetime:
    local = at.astimezone(zone)
    return at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
