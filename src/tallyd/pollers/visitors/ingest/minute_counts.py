"""Converts the times of a file to instants, and counts by the minute."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

from tallyd.contract.passages import IN, OUT, Count, instant_of, seconds_of, seen_text
from tallyd.pollers.visitors.ingest.json_stream import RejectedError
from tallyd.pollers.visitors.ingest.shape import DIGITS

AHEAD = timedelta(minutes=5)
"""How far a record may be ahead of now, because the clocks of hosts differ a little."""
MOST_MINUTES = 50_000
"""Most different minutes in one file, about a month. Their counts stay in memory until they are stored."""
FROM_AHEAD = "time is more than 5 minutes ahead of this machine's clock"
_OTHER_FORM = "time does not match time_format"
_SECONDS = {f"{second:02}": second for second in range(60)}


class BadTimeError(Exception):
    """One invalid time; the text is the rule that it broke."""


@dataclass
class Minutes:
    """The minutes of one file. Times have the format `time_format`; times without a zone are in `zone`."""

    time_format: str
    zone: tzinfo
    now: datetime
    counts: dict[str, Count] = field(default_factory=dict)
    """The counts by minute."""
    span: tuple[int, int] | None = None
    """The times of the oldest and the newest passage that was counted."""
    _newest_ahead: int | None = None

    def __post_init__(self) -> None:
        self._limit = seconds_of(self.now + AHEAD)

    @property
    def ahead(self) -> timedelta | None:
        """Return how far the newest time that was rejected for being ahead is ahead of now."""
        return None if self._newest_ahead is None else instant_of(self._newest_ahead) - self.now

    def instant(self, time: str) -> int:
        """Return a time as an instant. Raises `BadTimeError`."""
        if self.time_format == DIGITS:
            second = _SECONDS.get(time[12:])
            if second is None:
                raise BadTimeError(_OTHER_FORM)
            seen_at = _minute(time[:12], self.zone) + second
        else:
            seen_at = _instant(time, self.time_format, self.zone)
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
        if sorted(seen_at) != seen_at:  # rare: a host writes what it sees
            seen_at, ways = zip(*sorted(zip(seen_at, ways, strict=True)), strict=True)
        first_at, last_at = self.span or (seen_at[0], seen_at[-1])
        self.span = (min(first_at, seen_at[0]), max(last_at, seen_at[-1]))
        begin = 0
        while begin < len(seen_at):
            first = seen_at[begin]
            begins = first - first % 60
            minute, end = _shown(begins), bisect(seen_at, begins + 59, begin)
            some = ways[begin:end]
            n_in, n_out = some.count(IN), some.count(OUT)
            first_at, last_at = (f"{minute[:17]}{at % 60:02}" for at in (first, seen_at[end - 1]))
            count = Count(n_in, n_out, end - begin - n_in - n_out, first_at, last_at)
            self.counts[minute] = self.counts[minute] + count if minute in self.counts else count
            begin = end
        if len(self.counts) > MOST_MINUTES:
            raise RejectedError(
                f"contains passages of over {MOST_MINUTES} different minutes; split it into days or weeks"
            )


@lru_cache(maxsize=4096)
def _shown(minute: int) -> str:
    return seen_text(instant_of(minute))


@lru_cache(maxsize=4096)
def _minute(digits: str, zone: tzinfo) -> int:
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
    return seconds_of(_in_zone(written, zone))


@lru_cache(maxsize=4096)
def _instant(time: str, time_format: str, zone: tzinfo) -> int:
    try:
        written = datetime.strptime(time, time_format)  # noqa: DTZ007 # of the zone below
    except ValueError:
        raise BadTimeError(_OTHER_FORM) from None
    return seconds_of(_in_zone(written, zone))


def _in_zone(written: datetime, zone: tzinfo) -> datetime:
    try:
        if written.tzinfo is not None:
            return written.astimezone(UTC)
        at = written.replace(tzinfo=zone).astimezone(UTC)
        was_there = at.astimezone(zone).replace(tzinfo=None) == written
    except OverflowError:  # the first or the last day of all
        raise BadTimeError(_OTHER_FORM) from None
    if not was_there:
        raise BadTimeError("time did not exist: clocks went forward over it")
    return at
