"""Hours of the day, as a wall clock shows them: when it is quiet, when a source is expected to deliver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time


@dataclass(frozen=True)
class Hours:
    """From `start` up to, not including, `end`, on the `days` (0 is Monday) on which they begin.

    An `end` that is not after `start` lies on the next day; the same time twice is a whole day.
    """

    days: frozenset[int]
    start: time
    end: time

    def hold(self, local: datetime) -> bool:
        """Whether they hold at a local time, by its wall clock: an hour that comes twice counts twice."""
        clock = local.time()
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= clock < self.end
        began_today = clock >= self.start and local.weekday() in self.days
        began_yesterday = clock < self.end and (local.weekday() - 1) % 7 in self.days
        return began_today or began_yesterday


def any_hold(hours: Iterable[Hours], local: datetime) -> bool:
    """Whether any of the hours hold at a local time; without hours: no."""
    return any(each.hold(local) for each in hours)
