"""What a file of passages holds: each record checked, its time made an instant, counted by the minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from tallyd.core.passages import Content, Count, Direction, Row, seen_text
from tallyd.core.texts import listed
from tallyd.pollers.visitors.elements import RefusedError, elements

BATCH_ROWS = 5_000
DIGITS = "%Y%m%d%H%M%S"
"""The usual form of a time: fourteen digits, which is read without `strptime`, many times faster."""
AHEAD = timedelta(minutes=5)
"""A record may be so much ahead of now: hosts' clocks differ a little."""
MOST_NAMED = 10
"""Bad records that a reason names; a file may hold nothing else."""
MOST_REMEMBERED = 100_000
"""Minutes (or whole times, in another form) whose instants are kept at hand: seventy days."""
_LARGEST_ID = 2**63 - 1
_OTHER_FORM = "has a time that is not of the form in time_format"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How records are written: names of their fields, values of their directions, form and zone of times."""

    person: str = "ID"
    direction: str = "inOut"
    time: str = "time"
    frame: str | None = "frameNumber"
    way_in: int | str = 0
    way_out: int | str = 1
    time_format: str = DIGITS
    zone: ZoneInfo


class BadRecordError(Exception):
    """One record that can't be taken; the text is the rule it broke."""


@dataclass
class Reading:
    """One pass over a file's records. `rows` yields them in batches; `content` is right once it has ended.

    `now` is aware. With `skips_bad`, records that can't be taken are left out and counted; else the first few
    are named by the `RefusedError` that ends the pass.
    """

    shape: Shape
    now: datetime
    skips_bad: bool = False
    _minutes: dict[str, list[Any]] = field(default_factory=dict)
    _instants: dict[str, tuple[str, list[Any]]] = field(default_factory=dict)
    _bad: dict[str, list[int]] = field(default_factory=dict)
    _bad_counts: Counter[str] = field(default_factory=Counter)
    _records: int = 0

    def rows(self, chunks: Iterable[bytes]) -> Iterator[list[Row]]:
        """Yield the rows in batches. Raises `RefusedError`."""
        row_of, batch = self._row, list[Row]()
        for number, element in enumerate(elements(chunks), start=1):
            try:
                batch.append(row_of(element))
            except BadRecordError as error:
                self._note_bad(number, str(error))
            if len(batch) >= BATCH_ROWS:
                self._records += len(batch)
                yield batch
                batch = []
        self._records += len(batch)
        if batch:
            yield batch
        if self._bad and not self.skips_bad:
            raise RefusedError(self._reason())

    @property
    def content(self) -> Content:
        """Return what the file holds, without its rows."""
        minutes = {
            minute: Count(n_in, n_out, n_other, first, last)
            for minute, (n_in, n_out, n_other, first, last) in self._minutes.items()
            if last  # else all its records were refused
        }
        newest = max((count.last_at for count in minutes.values()), default=None)
        return Content(
            records=self._records,
            minutes=minutes,
            newest_at=newest,
            skipped=sum(self._bad_counts.values()),
        )

    # -- one record --------------------------------------------------------------------------------------

    @cached_property
    def _limit(self) -> str:
        return seen_text(self.now + AHEAD)

    def _row(self, record: Any) -> Row:
        """Return the row of one record, counted in its minute. Raises `BadRecordError`."""
        shape = self.shape
        if type(record) is not dict:
            raise BadRecordError("is no object")
        person, way = record.get(shape.person), record.get(shape.direction)
        # Not isinstance: true is no number here.
        if type(person) is not int or not 0 <= person <= _LARGEST_ID:
            raise BadRecordError(_field_fault(record, shape.person, "a whole number from 0 to 2^63 - 1"))
        if type(way) is not int and (type(way) is not str or type(shape.way_in) is not str):
            raise BadRecordError(_field_fault(record, shape.direction, "a direction"))
        frame = record.get(shape.frame) if shape.frame else None
        if frame is not None and (type(frame) is not int or not -_LARGEST_ID <= frame <= _LARGEST_ID):
            raise BadRecordError(_field_fault(record, shape.frame or "", "a whole number"))
        time = record.get(shape.time)
        if type(time) is not str:
            raise BadRecordError(_field_fault(record, shape.time, "a time in quotes"))
        seen_at, counts = self._seen(time)
        direction: Direction
        if way == shape.way_in:
            direction = "in"
            counts[0] += 1
        elif way == shape.way_out:
            direction = "out"
            counts[1] += 1
        else:
            direction = "other"
            counts[2] += 1
        counts[3] = min(counts[3], seen_at)
        counts[4] = max(counts[4], seen_at)
        return (person, direction, seen_at, frame)

    def _seen(self, time: str) -> tuple[str, list[Any]]:
        """Return the instant and the counts of its minute. Raises `BadRecordError`."""
        # The digits are read once a minute; a file has some sixty records for each.
        minute, seconds = (time[:12], time[12:]) if self.shape.time_format == DIGITS else (time, "")
        known = self._instants.get(minute)
        if known is None:
            if self.shape.time_format == DIGITS and not _is_digits(time):
                raise BadRecordError(_OTHER_FORM)
            text, counts = self._minute_of(self._instant(f"{minute}00" if seconds else time))
            known = (text[:-2] if seconds else text, counts)
            if len(self._instants) < MOST_REMEMBERED:
                self._instants[minute] = known
        if seconds and seconds not in _SECONDS:
            raise BadRecordError(_OTHER_FORM)
        seen_at = known[0] + seconds
        if seen_at > self._limit:
            raise BadRecordError("has a time more than 5 minutes ahead of this machine's clock")
        return seen_at, known[1]

    def _minute_of(self, at: datetime) -> tuple[str, list[Any]]:
        text = seen_text(at)
        return text, self._minutes.setdefault(f"{text[:-2]}00", [0, 0, 0, "9", ""])

    def _instant(self, time: str) -> datetime:
        """Return the instant of a time as it is written. Raises `BadRecordError`."""
        try:
            written = datetime.strptime(time, self.shape.time_format)  # noqa: DTZ007 # of the zone below
        except ValueError:
            raise BadRecordError(_OTHER_FORM) from None
        if written.tzinfo is not None:
            return written.astimezone(UTC)
        at = written.replace(tzinfo=self.shape.zone).astimezone(UTC)
        if at.astimezone(self.shape.zone).replace(tzinfo=None) != written:
            raise BadRecordError("has a time that did not exist: clocks were put forward over it")
        return at

    # -- what is wrong with it ---------------------------------------------------------------------------

    def _note_bad(self, number: int, rule: str) -> None:
        self._bad_counts[rule] += 1
        named = self._bad.setdefault(rule, [])
        if len(named) < MOST_NAMED:
            named.append(number)

    def _reason(self) -> str:
        """Return `record 3 has no inOut; records 5 and 6 have ...`, without any value."""
        parts = []
        for rule, numbers in self._bad.items():
            more = self._bad_counts[rule] - len(numbers)
            names = [str(number) for number in numbers] + ([f"{more} more"] if more else [])
            noun = "record" if self._bad_counts[rule] == 1 else "records"
            parts.append(f"{noun} {listed(names, most=MOST_NAMED + 1)}: {rule}")
        return "; ".join(parts)


def _field_fault(record: dict[str, Any], name: str, wanted: str) -> str:
    """Return what is wrong with a field; its name is of the config, its value is not told."""
    return f"{name} is not {wanted}" if name in record else f"{name} is missing"


def _is_digits(time: str) -> bool:
    return len(time) == 14 and time.isascii() and time.isdigit()


_SECONDS = frozenset(f"{second:02d}" for second in range(60))
