"""Parses a file of passages: checks each record, converts its time, and counts by the minute."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tallyd.contract.passages import Content, Row, Rows
from tallyd.core.texts import listed
from tallyd.pollers.visitors.ingest.json_stream import Elements, RejectedError, pieces
from tallyd.pollers.visitors.ingest.minute_counts import FROM_AHEAD, BadTimeError, Minutes
from tallyd.pollers.visitors.ingest.shape import LARGEST_ID
from tallyd.pollers.visitors.ingest.typed_records import RecordDecoder

MOST_NAMED = 10
"""Most bad records that a reason names; a file may have only bad records."""


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


class Reading:
    """One pass over a file's records. `rows` yields them in batches; after its end, `content` is complete.

    `now` is aware. With `skips_bad`, bad records are skipped and counted. Otherwise a `BadRecordsError` with
    the first few of them ends the pass.
    """

    def __init__(self, decoder: RecordDecoder, now: datetime, *, skips_bad: bool = False) -> None:
        self._decoder = decoder
        self._skips_bad = skips_bad
        self._minutes = Minutes(decoder.shape, now)
        self._bad: dict[str, list[int]] = {}
        self._bad_counts: dict[str, int] = {}
        self._read = 0
        self._records = 0

    def whole(self, data: bytes) -> list[Rows]:
        """Return the rows of a file that is in memory. Raises `RejectedError`."""
        rows = self._together(data)
        return [self._counted(rows)] if rows else list(self.rows((data,)))

    def rows(self, chunks: Iterable[bytes]) -> Iterator[Rows]:
        """Yield the rows in batches. Raises `RejectedError`, and what `chunks` raises."""
        elements = Elements()
        for piece, is_last in pieces(chunks):
            rows = self._together(elements.as_list(piece, is_last=is_last))
            if rows:
                elements.skip()
                self._read += len(rows)
            else:
                rows = self._one_by_one(elements.read(piece, is_last=is_last))
            if rows:
                yield self._counted(rows)
        # If all records are bad, none is skipped: that is not a sign of life, but a host with a fault.
        if self._bad and not (self._skips_bad and self._records):
            ahead = self._minutes.ahead if set(self._bad) == {FROM_AHEAD} else None
            raise BadRecordsError(self.broken, ahead)

    @property
    def content(self) -> Content:
        """Return the content of the file, without its rows."""
        skipped = sum(self._bad_counts.values())
        minutes = self._minutes
        return Content(records=self._records, minutes=minutes.counts, span=minutes.span, skipped=skipped)

    @property
    def broken(self) -> tuple[Broken, ...]:
        """Return the rules that records broke so far."""
        return tuple(
            Broken(rule, tuple(numbers), self._bad_counts[rule]) for rule, numbers in self._bad.items()
        )

    def _counted(self, rows: Rows) -> Rows:
        self._minutes.add(rows.seen_at, rows.ways)
        self._records += len(rows)
        return rows

    def _together(self, data: bytes) -> Rows | None:
        """Return the rows of a list of records if all of them are valid and in the usual form; else None."""
        found = self._decoder.columns(data)
        if found is None:
            return None
        people, ways, times, frames = found
        try:
            seen_at = self._minutes.instants(times)
        except BadTimeError:
            return None
        return Rows(people, ways, seen_at, frames)

    def _one_by_one(self, records: list[Any]) -> Rows:
        """Return the rows of the valid records; note the numbers of the others."""
        rows = []
        for record in records:
            self._read += 1
            try:
                rows.append(self._row(record))
            except (_BadRecordError, BadTimeError) as error:
                self._note_bad(str(error))
        return Rows.of(rows)

    def _row(self, record: Any) -> Row:
        """Return the row of one record. Raises `_BadRecordError`, `BadTimeError`."""
        shape = self._decoder.shape
        if type(record) is not dict:
            raise _BadRecordError("is not an object")
        person, way = record.get(shape.person), record.get(shape.direction)
        # Not isinstance: true is not a number here.
        if type(person) is not int or not 0 <= person <= LARGEST_ID:
            raise _fault(record, shape.person, "a whole number from 0 to 2^63 - 1")
        if type(way) is not int and (type(way) is not str or type(shape.way_in) is not str):
            raise _fault(record, shape.direction, "a direction")
        frame = record.get(shape.frame) if shape.frame else None
        if frame is not None and (type(frame) is not int or abs(frame) > LARGEST_ID):
            raise _fault(record, shape.frame or "", "a whole number")
        time = record.get(shape.time)
        if type(time) is not str:
            raise _fault(record, shape.time, "a time in quotes")
        return (person, self._decoder.way(way), self._minutes.instant(time), frame)

    def _note_bad(self, rule: str) -> None:
        self._bad_counts[rule] = self._bad_counts.get(rule, 0) + 1
        named = self._bad.setdefault(rule, [])
        if len(named) < MOST_NAMED:
            named.append(self._read)


def _fault(record: dict[str, Any], name: str, wanted: str) -> _BadRecordError:
    """Return what is wrong with a field. It has the name, which is from the config, and not the value."""
    return _BadRecordError(f"{name} is not {wanted}" if name in record else f"{name} is missing")


def _described(broken: Broken) -> str:
    """Return `records 5 and 6: inOut is missing`, without any value."""
    more = broken.count - len(broken.records)
    names = [str(number) for number in broken.records] + ([f"{more} more"] if more else [])
    noun = "record" if broken.count == 1 else "records"
    return f"{noun} {listed(names, most=MOST_NAMED + 1)}: {broken.rule}"
