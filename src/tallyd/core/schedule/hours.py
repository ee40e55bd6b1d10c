"""Hours of the day by the wall clock: quiet hours, and hours in which a source must deliver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from tallyd.core.schedule.calendar import Calendar


@dataclass(frozen=True)
class Hours:
    """From `start` to `end`, without `end` itself. They begin on `days` (0 is Monday).

    An `end` before `start` lies on the next day. If both are equal, it is a whole day. With a calendar, they
    begin only on its open days.
    """

    days: frozenset[int]
    start: time
    end: time
    calendar: Calendar | None = None

    def begin_on(self, day: date) -> bool:
        """Whether they begin on a local day."""
        return day.weekday() in self.days and (self.calendar is None or self.calendar.is_open(day))

    def hold(self, local: datetime) -> bool:
        """Whether a local time is inside, by the wall clock: an hour that occurs twice counts twice."""
        clock, today = local.time(), local.date()
        if self.start < self.end:
            return self.start <= clock < self.end and self.begin_on(today)
        if clock >= self.start and self.begin_on(today):
            return True
        return clock < self.end and self.begin_on(today - timedelta(days=1))


def any_hold(hours: Iterable[Hours], local: datetime) -> bool:
    """Whether a local time is inside any of the hours; without hours: no."""
    return any(each.hold(local) for each in hours)
