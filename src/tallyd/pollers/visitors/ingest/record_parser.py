"""Parses a file of passages: checks each record, converts its time, and counts by the minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any

from tallyd.contract.passages import Content, Direction, Row, Rows
from tallyd.core.texts import listed
from tallyd.pollers.visitors.ingest.json_stream import RejectedError, elements
from tallyd.pollers.visitors.ingest.minute_counts import DIGITS, FROM_AHEAD, BadTimeError, Minutes

BATCH_ROWS = 5_000
"""Least rows of a batch, except the last one."""
MOST_NAMED = 10
"""Most bad records that a reason names; a file may have only bad records."""
_FEW = 12
"""For fewer records than this, checking one by one is faster than together."""
_LARGEST_ID = 2**63 - 1
_OTHER: Direction = "other"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The format of records: names of fields, values of directions, format and zone of times."""

    person: str = "ID"
    direction: str = "inOut"
    time: str = "time"
    frame: str | None = "frameNumber"
    way_in: int | str = 0
    way_out: int | str = 1
    time_format: str = DIGITS
    zone: tzinfo


@dataclass(frozen=True)
class Broken:
    """A rule that records broke: the numbers of the first few of them, and their count."""

    rule: str
    records: tuple[int, ...]
    count: int


class BadRecordsError(RejectedError):
    """A file with bad records.

    `ahead` is set if their only fault is that they are ahead of now: how far the newest is ahead.
    """

    def __init__(self, broken: Sequence[Broken], ahead: timedelta | None) -> None:
        super().__init__("; ".join(map(_described, broken)))
        self.broken = tuple(broken)
        self.ahead = ahead


class _BadRecordError(Exception):
    """One bad record; the text is the rule that it broke."""


@dataclass
class _Batch:
    """The growing columns of `Rows`."""

    people: list[int] = field(default_factory=list)
    ways: list[Direction] = field(default_factory=list)
    seen_at: list[str] = field(default_factory=list)
    frames: list[int | None] = field(default_factory=list)

    def add(self, rows: Rows) -> None:
        self.people += rows.people
        self.ways += rows.ways
        self.seen_at += rows.seen_at
        self.frames += rows.frames


@dataclass
class Reading:
    """One pass over a file's records. `rows` yields them in batches; after its end, `content` is complete.

    `now` is aware. With `skips_bad`, bad records are skipped and counted. Otherwise a `BadRecordsError` with
    the first few of them ends the pass.
    """

    shape: Shape
    now: datetime
    skips_bad: bool = False
    _bad: dict[str, list[int]] = field(default_factory=dict)
    _bad_counts: Counter[str] = field(default_factory=Counter)
    _records: int = 0

    def __post_init__(self) -> None:
        shape = self.shape
        self._minutes = Minutes(shape.time_format, shape.zone, self.now)
        self._ways: Mapping[Any, Direction] = {shape.way_in: "in", shape.way_out: "out"}

    def rows(self, chunks: Iterable[bytes]) -> Iterator[Rows]:
        """Yield the rows in batches. Raises `RejectedError`, and what `chunks` raises."""
        batch = _Batch()
        first = 1
        for some in elements(chunks):
            columns = None if len(some) < _FEW else self._all(some)
            if columns is None:
                self._each(some, first, batch)
            else:
                batch.add(columns)
            first += len(some)
            if len(batch.people) >= BATCH_ROWS:
                yield self._whole(batch)
                batch = _Batch()
        if batch.people:
            yield self._whole(batch)
        # If all records are bad, none is skipped: that is not a sign of life, but a host with a fault.
        if self._bad and not (self.skips_bad and self._records):
            ahead = self._minutes.ahead if set(self._bad) == {FROM_AHEAD} else None
            raise BadRecordsError(self.broken, ahead)

    @property
    def content(self) -> Content:
        """Return the content of the file, without its rows."""
        minutes = self._minutes.counts
        newest = max((count.last_at for count in minutes.values()), default=None)
        skipped = sum(self._bad_counts.values())
        return Content(records=self._records, minutes=minutes, newest_at=newest, skipped=skipped)

    @property
    def broken(self) -> tuple[Broken, ...]:
        """Return the rules that records broke so far."""
        return tuple(
            Broken(rule, tuple(numbers), self._bad_counts[rule]) for rule, numbers in self._bad.items()
        )

    def _whole(self, batch: _Batch) -> Rows:
        self._records += len(batch.people)
        return Rows(batch.people, batch.ways, batch.seen_at, batch.frames)

    # -- valid records, a thousand at a time ---------------------------------------------------------------

    def _all(self, records: list[Any]) -> Rows | None:
        """Return the rows of records if all of them are valid and in the usual format; else None.

        The rules are those of `_row`. Each is checked for all records at once, which is five times as fast.
        """
        if not self._minutes.is_digits or set(map(type, records)) != {dict}:
            return None
        shape = self.shape
        try:
            people, written, times = (
                [record[name] for record in records] for name in (shape.person, shape.direction, shape.time)
            )
        except KeyError:
            return None
        frames = [record.get(shape.frame) for record in records] if shape.frame else [None] * len(records)
        # Types must be equal: true is not a number here.
        if not (set(map(type, written)) == {type(shape.way_in)} and set(map(type, times)) == {str}):
            return None
        if not (_are_ids(people) and _are_frames(frames)):
            return None
        instants = self._minutes.instants(times)
        if instants is None:
            return None
        known = {**dict.fromkeys(written, _OTHER), **self._ways}
        ways = [known[way] for way in written]
        self._minutes.count_all(times, ways, instants)
        return Rows(people, ways, [instants[time] for time in times], frames)

    # -- one record --------------------------------------------------------------------------------------

    def _each(self, records: list[Any], first: int, batch: _Batch) -> None:
        """Add the valid records to a batch; note the numbers of the others."""
        for number, record in enumerate(records, first):
            try:
                person, way, seen_at, frame = self._row(record)
            except (_BadRecordError, BadTimeError) as error:
                self._note_bad(number, str(error))
                continue
            batch.people.append(person)
            batch.ways.append(way)
            batch.seen_at.append(seen_at)
            batch.frames.append(frame)

    def _row(self, record: Any) -> Row:
        """Return the row of one record, counted in its minute. Raises `_BadRecordError`, `BadTimeError`."""
        shape = self.shape
        if type(record) is not dict:
            raise _BadRecordError("is not an object")
        person, way = record.get(shape.person), record.get(shape.direction)
        # Not isinstance: true is not a number here.
        if type(person) is not int or not 0 <= person <= _LARGEST_ID:
            raise _fault(record, shape.person, "a whole number from 0 to 2^63 - 1")
        if type(way) is not int and (type(way) is not str or type(shape.way_in) is not str):
            raise _fault(record, shape.direction, "a direction")
        frame = record.get(shape.frame) if shape.frame else None
        if frame is not None and (type(frame) is not int or abs(frame) > _LARGEST_ID):
            raise _fault(record, shape.frame or "", "a whole number")
        time = record.get(shape.time)
        if type(time) is not str:
            raise _fault(record, shape.time, "a time in quotes")
        direction = self._ways.get(way, _OTHER)
        return (person, direction, self._minutes.count(time, direction), frame)

    def _note_bad(self, number: int, rule: str) -> None:
        self._bad_counts[rule] += 1
        named = self._bad.setdefault(rule, [])
        if len(named) < MOST_NAMED:
            named.append(number)


def _are_ids(people: Sequence[Any]) -> bool:
    return set(map(type, people)) == {int} and min(people) >= 0 and max(people) <= _LARGEST_ID


def _are_frames(frames: Sequence[Any]) -> bool:
    if not set(map(type, frames)) <= {int, type(None)}:
        return False
    numbers = [frame for frame in frames if frame is not None]
    return not numbers or (min(numbers) >= -_LARGEST_ID and max(numbers) <= _LARGEST_ID)


def _fault(record: dict[str, Any], name: str, wanted: str) -> _BadRecordError:
    """Return what is wrong with a field. It has the name, which is from the config, and not the value."""
    return _BadRecordError(f"{name} is not {wanted}" if name in record else f"{name} is missing")


def _described(broken: Broken) -> str:
    """Return `records 5 and 6: inOut is missing`, without any value."""
    more = broken.count - len(broken.records)
    names = [str(number) for number in broken.records] + ([f"{more} more"] if more else [])
    noun = "record" if broken.count == 1 else "records"
    return f"{noun} {listed(names, most=MOST_NAMED + 1)}: {broken.rule}"
