"""Converts the times of a file to instants, and counts by the minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from operator import itemgetter
from typing import TypeAlias

from tallyd.contract.passages import Count, Direction, read_seen, seen_text
from tallyd.pollers.visitors.ingest.json_stream import RejectedError

DIGITS = "%Y%m%d%H%M%S"
"""The usual format of a time: fourteen digits."""
AHEAD = timedelta(minutes=5)
"""How far a record may be ahead of now, because the clocks of hosts differ a little."""
MOST_MINUTES = 50_000
"""Most different minutes in one file, about a month. Their counts stay in memory until they are stored."""
FROM_AHEAD = "time is more than 5 minutes ahead of this machine's clock"
_OTHER_FORM = "time does not match time_format"


class BadTimeError(Exception):
    """One invalid time; the text is the rule that it broke."""


@dataclass(slots=True)
class _Tally:
    """The counts of one minute: in, out, other; `last` is empty while there are none."""

    ways: list[int] = field(default_factory=lambda: [0, 0, 0])
    first: str = "9"
    last: str = ""

    def stretch(self, first: str, last: str) -> None:
        if first < self.first:  # noqa: PLR1730 # min() and max() take five times as long, for each passage
            self.first = first
        if last > self.last:  # noqa: PLR1730 # see above
            self.last = last


_Known: TypeAlias = "tuple[str, _Tally]"
_PLACES: Mapping[Direction, int] = {"in": 0, "out": 1, "other": 2}


@dataclass
class Minutes:
    """The minutes of one file. Times have the format `time_format`; times without a zone are in `zone`.

    Every method with times as arguments raises `RejectedError` if there are more than `MOST_MINUTES`.
    """

    time_format: str
    zone: tzinfo
    now: datetime
    _tallies: dict[str, _Tally] = field(default_factory=dict)
    _known: dict[str, _Known] = field(default_factory=dict)
    _newest_ahead: str = ""

    def __post_init__(self) -> None:
        self.is_digits = self.time_format == DIGITS
        """Whether many times can be processed at once."""
        self._limit = seen_text(self.now + AHEAD)

    @property
    def counts(self) -> dict[str, Count]:
        """Return the counts by minute."""
        return {
            minute: Count(tally.ways[0], tally.ways[1], tally.ways[2], tally.first, tally.last)
            for minute, tally in self._tallies.items()
            if tally.last  # otherwise none of its records was accepted
        }

    @property
    def ahead(self) -> timedelta | None:
        """Return how far the newest time that was rejected for being ahead is ahead of now."""
        return read_seen(self._newest_ahead) - self.now if self._newest_ahead else None

    # -- one at a time -----------------------------------------------------------------------------------

    def count(self, time: str, way: Direction) -> str:
        """Count one passage and return its instant. Raises `BadTimeError`."""
        if not self.is_digits:
            seen_at, tally = self._whole(time)
        elif not _are_digits(time) or len(time) != 14 or time[12] > "5":
            raise BadTimeError(_OTHER_FORM)
        else:
            begin, tally = self._minute(time[:12])
            seen_at = begin + time[12:]
        if seen_at > self._limit:
            self._newest_ahead = max(self._newest_ahead, seen_at)
            raise BadTimeError(FROM_AHEAD)
        tally.ways[_PLACES[way]] += 1
        tally.stretch(seen_at, seen_at)
        return seen_at

    # -- a thousand at a time ----------------------------------------------------------------------------

    def instants(self, times: Sequence[str]) -> dict[str, str] | None:
        """Return the instants of times of digits, in order; None if one of them is invalid."""
        ordered = sorted(dict.fromkeys(times))
        if set(map(len, ordered)) != {14} or not _are_digits("".join(ordered)):
            return None
        if max(map(itemgetter(12), ordered)) > "5":
            return None
        try:
            begins = {minute: self._minute(minute)[0] for minute in {time[:12] for time in ordered}}
        except BadTimeError:
            return None
        seen_at = {time: begins[time[:12]] + time[12:] for time in ordered}
        return None if max(seen_at.values()) > self._limit else seen_at

    def count_all(self, times: Sequence[str], ways: Sequence[Direction], instants: dict[str, str]) -> None:
        """Count passages of which `instants` were returned."""
        together = Counter(zip([time[:12] for time in times], ways, strict=True))
        for (minute, way), number in together.items():
            self._known[minute][1].ways[_PLACES[way]] += number
        # They are in order, so the last one of each minute stays; in reverse order, the first one.
        last_of = {time[:12]: seen_at for time, seen_at in instants.items()}
        first_of = {time[:12]: seen_at for time, seen_at in reversed(instants.items())}
        for minute, last in last_of.items():
            self._known[minute][1].stretch(first_of[minute], last)

    # -- from a time to an instant -----------------------------------------------------------------------

    def _minute(self, written: str) -> _Known:
        """Return a minute of twelve digits as an instant without its seconds. Raises `BadTimeError`.

        Each minute is read once; a file has some sixty records for each.
        """
        known = self._known.get(written)
        if known is None:
            begin = _begin_of(written, self.zone)
            known = self._known[written] = (begin[:-2], self._tally_of(begin))
        return known

    def _whole(self, written: str) -> _Known:
        """Return a time in another format as an instant. Raises `BadTimeError`."""
        known = self._known.get(written)
        if known is None:
            seen_at = seen_text(self._instant(written))
            known = (seen_at, self._tally_of(seen_at))
            if len(self._known) < MOST_MINUTES:
                self._known[written] = known
        return known

    def _tally_of(self, seen_at: str) -> _Tally:
        tally = self._tallies.setdefault(f"{seen_at[:-2]}00", _Tally())
        if len(self._tallies) > MOST_MINUTES:
            raise RejectedError(
                f"contains passages of over {MOST_MINUTES} different minutes; split it into days or weeks"
            )
        return tally

    def _instant(self, time: str) -> datetime:
        try:
            written = datetime.strptime(time, self.time_format)  # noqa: DTZ007 # of the zone below
        except ValueError:
            raise BadTimeError(_OTHER_FORM) from None
        return _in_zone(written, self.zone)


@lru_cache(maxsize=4096)
def _begin_of(digits: str, zone: tzinfo) -> str:
    """Return the first second of a minute of twelve digits. It is cached, because small files share minutes.

    The result is that of `strptime`, which needs many times as long. Raises `BadTimeError`.
    """
    try:
        written = datetime.fromisoformat(f"{digits[:8]}T{digits[8:]}")
    except ValueError:
        raise BadTimeError(_OTHER_FORM) from None
    if digits[8:10] > "23":  # midnight, to later Pythons
        raise BadTimeError(_OTHER_FORM)
    return seen_text(_in_zone(written, zone))


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


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
