"""The demo's timetable: every few seconds of the coming hour, as times of day for a config."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tallyd.adapters.host_zone import read_host_zone

_DOUBTFUL_WITHIN = timedelta(hours=3)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast the demo runs, in seconds.

    `has_past`: whether four weeks are written first, which takes a few seconds.
    `first_after_s`: from the start of the daemon to the first reading. If it takes longer to start, its first
    readings are a little late.
    `extend_below_s`: when fewer seconds than this are covered, more times are written.
    """

    has_past: bool = True
    every_s: int = 10
    first_after_s: float = 2.0
    ahead_s: float = 3600.0
    extend_below_s: float = 1200.0


def zone_of_demo(now: datetime) -> ZoneInfo:
    """Return the host's zone; UTC if the zone has no name, or if its clocks change around now.

    In an hour that occurs twice, a time of day runs only the first time, so the demo would stop for an hour.
    """
    try:
        zone = ZoneInfo(str(read_host_zone().zone))
    except (ZoneInfoNotFoundError, LookupError, OSError, ValueError):
        return ZoneInfo("UTC")
    offsets = {
        at.astimezone(zone).utcoffset() for at in (now - _DOUBTFUL_WITHIN, now, now + _DOUBTFUL_WITHIN)
    }
    return zone if len(offsets) == 1 else ZoneInfo("UTC")


class Times:
    """The slots on a grid, from the first one on. `now` is always aware."""

    def __init__(self, pace: Pace, *, now: datetime) -> None:
        self.pace = pace
        self.first = datetime.fromtimestamp(ceil(now.timestamp() + pace.first_after_s), UTC)
        self.covered_until = self.first

    def are_running_out(self, now: datetime) -> bool:
        """Whether it is time to call `extend`."""
        return (self.covered_until - now).total_seconds() < self.pace.extend_below_s

    def extend(self, now: datetime, zone: ZoneInfo) -> tuple[str, ...]:
        """Return the times of day from a minute ago (one may still be under way) to `ahead_s` from now."""
        every = timedelta(seconds=self.pace.every_s)
        gone = max(0, ceil((now - timedelta(minutes=1) - self.first) / every))
        at, until = self.first + gone * every, now + timedelta(seconds=self.pace.ahead_s)
        times = []
        while at <= until:
            times.append(f"{at.astimezone(zone):%H:%M:%S}")
            at += every
        self.covered_until = at - every
        return tuple(times)
