"""How old servers' data was, and for how much of the time it was fresh; in all, or by hour, day, ...

Made of hours in UTC, each of which is of the local hour, day, ... in which it begins. That is exact where the
offset is of whole hours; elsewhere, and only there, it is off by less than an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import TypeAlias

from tallyd.core.history import LABELS, By, labels_of
from tallyd.core.lags import HourCount
from tallyd.core.passages import read_seen
from tallyd.core.timetable import WEEKDAYS

Hour: TypeAlias = "tuple[str, str, HourCount]"
"""A server, the first second of an hour (UTC), and its checks."""
Sums: TypeAlias = "MutableMapping[tuple[str, tuple[str, ...]], HourCount]"
"""Checks by server and labels, in the order in which they were first met; no labels: all in one."""


@dataclass(frozen=True, kw_only=True)
class Lags:
    """The checks of one server in some span of time, which `labels` name."""

    server: str
    labels: Mapping[str, str]
    count: HourCount

    @property
    def fresh_share(self) -> float:
        """Return the share of checks that found fresh data, from 0 to 1. There was one check at least."""
        return self.count.fresh / self.count.checks


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
    """Return the sums by server, the least fresh first; of each in order of time, weekdays from Monday on.

    Sums without a check are left out.
    """
    wholes: dict[str, HourCount] = {}
    for (server, _), count in sums.items():
        wholes[server] = wholes[server] + count if server in wholes else count
    found = [
        Lags(server=server, labels=dict(zip(LABELS[by] if by else (), labels, strict=True)), count=count)
        for (server, labels), count in sums.items()
        if count.checks
    ]

    def place(lags: Lags) -> tuple[float, str, int]:
        whole = wholes[lags.server]
        weekday = WEEKDAYS.index(lags.labels["weekday"].lower()) if by == "weekday" else 0
        return whole.fresh / whole.checks, lags.server, weekday

    return tuple(sorted(found, key=place))
