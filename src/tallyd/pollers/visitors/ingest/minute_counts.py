"""Converts the times of a file to instants, and counts by the minute."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from tallyd.contract.passages import MinuteCount, added, instant_of, minute_counts, seconds_of
from tallyd.core.language.messages import english
from tallyd.pollers.visitors.ingest.json_stream import RejectedError
from tallyd.pollers.visitors.ingest.shape import DIGITS, Shape

AHEAD_S = 300
"""How far a record may be ahead of now, because the clocks of hosts differ a little."""
MOST_MINUTES = 50_000
"""Most different minutes in one file, about a month. Their counts stay in memory until they are stored."""
FROM_AHEAD = english("time is more than 5 minutes ahead of this machine's clock")
_OTHER_FORM = english("time does not match time_format")
_SECONDS = {f"{second:02}": second for second in range(60)}


class BadTimeError(Exception):
    """One invalid time; the text is the rule that it broke."""


class Minutes:
    """The minutes of one file. Times have the format of `shape`; times without a zone are in its zone.

    `counts` are the counts by minute.
    """

    def __init__(self, shape: Shape, now: datetime) -> None:
        self.counts: dict[int, MinuteCount] = {}
        self._shape = shape
        self._now = now
        self._limit = seconds_of(now) + AHEAD_S
        self._newest_ahead: int | None = None

    @property
    def span(self) -> tuple[int, int] | None:
        """Return the times of the oldest and the newest passage that was counted."""
        if not self.counts:
            return None
        return self.counts[min(self.counts)][3], self.counts[max(self.counts)][4]

    @property
    def ahead(self) -> timedelta | None:
        """Return how far the newest time that was rejected for being ahead is ahead of now."""
        return None if self._newest_ahead is None else instant_of(self._newest_ahead) - self._now

    def instant(self, time: str, fold: int = 0) -> int:
        """Return a time as an instant. Raises `BadTimeError`.

        Of a local time that comes twice, it is the first; with `fold` 1, the second.
        """
        if self._shape.time_format == DIGITS:
            second = _SECONDS.get(time[12:])
            if second is None:
                raise BadTimeError(_OTHER_FORM)
            seen_at = _minute(time[:12], self._shape.zone, fold) + second
        else:
            seen_at = _instant(time, self._shape.time_format, self._shape.zone, fold)
        if seen_at > self._limit:
            self._newest_ahead = max(self._newest_ahead or seen_at, seen_at)
            raise BadTimeError(FROM_AHEAD)
        return seen_at

    def instants(self, times: Sequence[str]) -> list[int]:
        """Return many times as instants. Raises `BadTimeError`."""
        known = {time: self.instant(time) for time in dict.fromkeys(times)}
        return list(map(known.__getitem__, times))

    def add(self, seen_at: Sequence[int], ways: Sequence[int]) -> None:
        """Count passages. Raises `RejectedError` if there are more than `MOST_MINUTES`."""
        found = minute_counts(seen_at, ways)
        for minute in self.counts.keys() & found.keys():
            found[minute] = added(found[minute], self.counts[minute])
        self.counts.update(found)
        self._check_count()

    def add_interval(self, start: int, end: int, n_in: int, n_out: int) -> None:
        """Count people who walked between two instants. Raises `RejectedError` as `add` does."""
        minute, count = start - start % 60, (n_in, n_out, 0, start, end - 1)
        self.counts[minute] = added(self.counts[minute], count) if minute in self.counts else count
        self._check_count()

    def _check_count(self) -> None:
        if len(self.counts) > MOST_MINUTES:
            raise RejectedError(
                english(
                    "contains passages of over {minutes} different minutes; split it into days or weeks",
                    minutes=MOST_MINUTES,
                )
            )


@lru_cache(maxsize=4096)
def _minute(digits: str, zone: tzinfo, fold: int) -> int:
    """Return a minute of twelve digits as an instant. Raises `BadTimeError`.

    The result is that of `strptime`, which needs many times as long. Files share minutes.
    """
    # Later Pythons take hour 24 as midnight.
    if not (len(digits) == 12 and digits.isascii() and digits.isdigit() and digits[8:10] < "24"):
        raise BadTimeError(_OTHER_FORM)
    try:
        written = datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}")
    except ValueError:
        raise BadTimeError(_OTHER_FORM) from None
    return seconds_of(_in_zone(written, zone, fold))


@lru_cache(maxsize=4096)
def _instant(time: str, time_format: str, zone: tzinfo, fold: int) -> int:
    try:
        written = datetime.strptime(time, time_format)  # noqa: DTZ007 # of the zone below
    except ValueError:
        raise BadTimeError(_OTHER_FORM) from None
    return seconds_of(_in_zone(written, zone, fold))


def _in_zone(written: datetime, zone: tzinfo, fold: int) -> datetime:
    try:
        if written.tzinfo is not None:
            return written.astimezone(UTC)
        at = written.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        was_there = at.astimezone(zone).replace(tzinfo=None) == written
    except OverflowError:  # the first or the last day of all
        raise BadTimeError(_OTHER_FORM) from None
    if not was_there:
        raise BadTimeError(english("time did not exist: clocks went forward over it"))
    return at
