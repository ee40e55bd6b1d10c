"""When a source is silent: since when its silence counts, and when it becomes a problem."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo

from tallyd.core.schedule.hours import Hours

_DAYS_BACK = 8


def silent_since(
    last_at: datetime | None, *, now: datetime, watched_since: datetime, after_s: float
) -> datetime | None:
    """Return since when a source has been silent; None: for less than `after_s`.

    The clock starts at the last arrival, but not before `watched_since`: the latest of the first start, the
    inbox being back, and the start of the active hours. An arrival ahead of now counts as one at this moment.
    """
    since = max(watched_since, min(last_at, now)) if last_at else watched_since
    return since if (now - since).total_seconds() >= after_s else None


def active_since(hours: Iterable[Hours], now: datetime, zone: tzinfo) -> datetime | None:
    """Return the beginning (UTC) of the active hours at `now`; None: now is outside the active hours.

    Hours that touch or overlap are one. Without hours, and for hours that never end, the result is more than
    a week ago. It uses the wall clock of `zone`, so an hour may occur twice or not at all.
    """
    long_ago = now - timedelta(days=_DAYS_BACK)
    hours = tuple(hours)
    if not hours:
        return long_ago
    begun = None
    for start, end in sorted(_spans(hours, now, zone)):
        goes_on = begun is not None and start <= begun[1]
        begun = (begun[0], max(begun[1], end)) if begun and goes_on else (start, end)
        if begun[0] <= now < begun[1]:
            return max(begun[0], long_ago)
    return None


def _spans(hours: Iterable[Hours], now: datetime, zone: tzinfo) -> Iterable[tuple[datetime, datetime]]:
    """Yield start and end (UTC) of the hours of the last days and of tomorrow."""
    today = now.astimezone(zone).date()
    for each in hours:
        for back in range(-1, _DAYS_BACK + 1):
            if (span := each.span(today - timedelta(days=back), zone)) is not None:
                yield span
