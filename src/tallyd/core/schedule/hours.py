"""Hours of the day by the wall clock: quiet hours, and hours in which a source must deliver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time


@dataclass(frozen=True)
class Hours:
    """From `start` to `end`, without `end` itself. They begin on `days` (0 is Monday).

    An `end` before `start` lies on the next day. If both are equal, it is a whole day.
    """

    days: frozenset[int]
    start: time
    end: time

    def hold(self, local: datetime) -> bool:
        """Whether a local time is inside, by the wall clock: an hour that occurs twice counts twice."""
        clock = local.time()
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= clock < self.end
        began_today = clock >= self.start and local.weekday() in self.days
        began_yesterday = clock < self.end and (local.weekday() - 1) % 7 in self.days
        return began_today or began_yesterday


def any_hold(hours: Iterable[Hours], local: datetime) -> bool:
    """Whether a local time is inside any of the hours; without hours: no."""
    return any(each.hold(local) for each in hours)
