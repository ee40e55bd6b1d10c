"""Due times: the times of day by which something new must be there, and which of them are near an instant."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from tallyd.core.schedule.calendar import NEAR_DAYS, Calendar

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class DueTime:
    """A time of day on some days (0 is Monday); with a calendar, only on its open days."""

    days: frozenset[int]
    by: time
    calendar: Calendar | None = None

    def instants(self, day: date, zone: tzinfo) -> Iterable[datetime]:
        """Yield its instant (UTC) on a local day, if it has one.

        A time that does not exist moves by the gap. One that occurs twice is the first.
        """
        if day.weekday() in self.days and (self.calendar is None or self.calendar.is_open(day)):
            yield datetime.combine(day, self.by, zone).replace(fold=0).astimezone(UTC)


@dataclass(frozen=True)
class Near:
    """The due times near an instant: the last one that has passed, the one before it, and the next one.

    Exactly at a due time, it has passed. None: there is none within 400 days.
    """

    before: datetime | None
    last: datetime | None
    next: datetime | None


def near(due: tuple[DueTime, ...], now: datetime, zone: tzinfo) -> Near:
    """Return the due times near `now`."""
    found = _around(due, now.astimezone(zone).date(), zone)
    passed = bisect_right(found, now)
    last, before = ([*reversed(found[:passed]), None, None])[:2]
    return Near(before, last, found[passed] if passed < len(found) else None)


@lru_cache(maxsize=4096)
def _around(due: tuple[DueTime, ...], day: date, zone: tzinfo) -> tuple[datetime, ...]:
    """Return the due times of a day and of its neighbours, two or more before them, and one or more after.

    Oldest first. The neighbours belong to it because clocks may go forward over midnight.
    """

    def of(number: int) -> set[datetime]:
        at = day + number * _DAY
        return {instant for each in due for instant in each.instants(at, zone)}

    found = of(-1) | of(0) | of(1)
    for direction, least in ((-1, 2), (1, 1)):
        beyond: set[datetime] = set()
        number = 2
        while len(beyond) < least and number < NEAR_DAYS:
            beyond |= of(direction * number)
            number += 1
        # The next day may belong between them, again because of a gap over midnight.
        found |= beyond | of(direction * number)
    return tuple(sorted(found))
