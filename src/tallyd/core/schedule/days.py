"""Local days: where each begins and ends, and in which one an instant lies."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo


def day_span(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first instant (UTC) of a local day and that of the next: 23 to 25 hours, as clocks go.

    A midnight that does not exist is the first instant after the gap; one that comes twice is the first. A
    day that a zone left out (Apia, 2011-12-30) has no length.
    """
    return _begin(day, zone), _begin(day + timedelta(days=1), zone)


def _begin(day: date, zone: tzinfo) -> datetime:
    first, second = (
        datetime.combine(day, time(), zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1)
    )
    if first <= second:
        return first
    # A gap. Read with the offset before it, midnight lies at its end or behind, with the other one before it.
    before, behind = second, first
    while behind - before > timedelta(seconds=1):
        middle = before + (behind - before) // timedelta(seconds=2) * timedelta(seconds=1)
        before, behind = (before, middle) if middle.astimezone(zone).date() >= day else (middle, behind)
    return behind


def day_of(at: datetime, zone: tzinfo) -> date:
    """Return the local day of an instant: the one whose `day_span` it lies in.

    That is the date of the wall clock, but where a clock is set back over a midnight that it had passed: the
    new day has begun then, and goes on.
    """
    day = at.astimezone(zone).date()
    while _begin(day + timedelta(days=1), zone) <= at:
        day += timedelta(days=1)
    return day
