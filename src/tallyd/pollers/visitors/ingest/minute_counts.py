"""Times as a file writes them, made instants, and what was counted in each minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from operator import itemgetter
from typing import TypeAlias

from tallyd.core.passages import Count, Direction, read_seen, seen_text
from tallyd.pollers.visitors.ingest.json_stream import RejectedError

DIGITS = "%Y%m%d%H%M%S"
"""The usual form of a time: fourteen digits."""
AHEAD = timedelta(minutes=5)
"""A record may be so much ahead of now: hosts' clocks differ a little."""
MOST_MINUTES = 50_000
"""Different minutes in one file: a month. Their counts are held in memory until they are stored."""
FROM_AHEAD = "time is more than 5 minutes ahead of this machine's clock"
_OTHER_FORM = "time does not match time_format"


class BadTimeError(Exception):
    """One time that can't be taken; the text is the rule it broke."""


@dataclass(slots=True)
class _Tally:
    """What was counted in one minute: in, out, other; `last` is empty while nothing was."""

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
    """The minutes of one file. Times are of the form `time_format`, in `zone` where they do not say theirs.

    Every method that is given times raises `RejectedError` once there are more than `MOST_MINUTES`.
    """

    time_format: str
    zone: tzinfo
    now: datetime
    _tallies: dict[str, _Tally] = field(default_factory=dict)
    _known: dict[str, _Known] = field(default_factory=dict)
    _newest_ahead: str = ""

    def __post_init__(self) -> None:
        self.is_digits = self.time_format == DIGITS
        """Whether times can be handed in many at a time."""
        self._limit = seen_text(self.now + AHEAD)

    @property
    def counts(self) -> dict[str, Count]:
        """Return what was counted, by minute."""
        return {
            minute: Count(tally.ways[0], tally.ways[1], tally.ways[2], tally.first, tally.last)
            for minute, tally in self._tallies.items()
            if tally.last  # else none of its records was taken
        }

    @property
    def ahead(self) -> timedelta | None:
        """Return how far the newest of the times that were refused for it is ahead of now."""
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
        """Return the instants of times of digits, in order; None where one of them can't be taken."""
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
        # They are in order: of each minute the last is what is left, and read backwards the first.
        last_of = {time[:12]: seen_at for time, seen_at in instants.items()}
        first_of = {time[:12]: seen_at for time, seen_at in reversed(instants.items())}
        for minute, last in last_of.items():
            self._known[minute][1].stretch(first_of[minute], last)

    # -- what a time means -------------------------------------------------------------------------------

    def _minute(self, written: str) -> _Known:
        """Return a minute of twelve digits as an instant without its seconds. Raises `BadTimeError`.

        Read once a minute: a file has some sixty records for each.
        """
        known = self._known.get(written)
        if known is None:
            begin = _begin_of(written, self.zone)
            known = self._known[written] = (begin[:-2], self._tally_of(begin))
        return known

    def _whole(self, written: str) -> _Known:
        """Return a time of another form as an instant. Raises `BadTimeError`."""
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
    """Return the first second of a minute of twelve digits: small files, one after the other, share theirs.

    Read as `strptime` does, which takes many times as long. Raises `BadTimeError`.
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
