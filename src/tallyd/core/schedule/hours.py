"""Hours of the day by the wall clock: quiet hours, and hours in which a source must deliver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from tallyd.core.language.messages import tr
from tallyd.core.schedule.calendar import NEAR_DAYS, Calendar, days_from


@dataclass(frozen=True)
class Hours:
    """From `start` to `end`, without `end` itself. They begin on `days` (0 is Monday).

    An `end` before `start` lies on the next day. If both are equal, it is a whole day. With a calendar, they
    begin only on its open days, or, with `on_days_off`, only on the others.
    """

    days: frozenset[int]
    start: time
    end: time
    calendar: Calendar | None = None
    on_days_off: bool = False

    def begin_on(self, day: date) -> bool:
        """Whether they begin on a local day."""
        if day.weekday() not in self.days:
            return False
        return self.calendar is None or self.calendar.is_open(day) != self.on_days_off

    def hold(self, local: datetime) -> bool:
        """Whether a local time is inside, by the wall clock: an hour that occurs twice counts twice."""
        clock, today = local.time(), local.date()
        if self.start < self.end:
            return self.start <= clock < self.end and self.begin_on(today)
        if clock >= self.start and self.begin_on(today):
            return True
        return clock < self.end and self.begin_on(today - timedelta(days=1))

    def span(self, day: date, zone: tzinfo) -> tuple[datetime, datetime] | None:
        """Return start and end (UTC) of the hours that begin on a local day; None: none do."""
        if not self.begin_on(day):
            return None
        last = day if self.start < self.end else day + timedelta(days=1)
        start, end = datetime.combine(day, self.start, zone), datetime.combine(last, self.end, zone)
        return start.astimezone(UTC), end.astimezone(UTC)


def any_hold(hours: Iterable[Hours], local: datetime) -> bool:
    """Whether a local time is inside any of the hours; without hours: no."""
    return any(each.hold(local) for each in hours)


def never_begins(hours: Iterable[Hours], first: date) -> str:
    """Return the text that hours begin on none of the days to come; empty if one does, or without hours."""
    hours = tuple(hours)
    if not hours or any(each.begin_on(day) for day in days_from(first) for each in hours):
        return ""
    return tr("these hours never begin in the next {days} days", days=NEAR_DAYS)


def any_held(hours: Iterable[Hours], since: datetime, until: datetime, zone: tzinfo) -> bool:
    """Whether any of the hours held at any time from `since` to `until`; without hours: no."""
    days = (until.astimezone(zone).date() - since.astimezone(zone).date()).days + 2
    first = since.astimezone(zone).date() - timedelta(days=1)  # its hours may go on after midnight
    spans = (each.span(first + timedelta(days=number), zone) for number in range(days) for each in hours)
    return any(span is not None and span[0] <= until and since < span[1] for span in spans)
