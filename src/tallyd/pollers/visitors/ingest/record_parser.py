"""Parses a file of passages: checks each record, converts its time, and counts by the minute."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from tallyd.contract.passages import Row, Rows
from tallyd.core.language.messages import english
from tallyd.pollers.visitors.ingest.bad_records import (
    BadRecordError,
    fault,
    no_time,
)
from tallyd.pollers.visitors.ingest.file_pass import Pass
from tallyd.pollers.visitors.ingest.json_stream import Elements, pieces
from tallyd.pollers.visitors.ingest.minute_counts import BadTimeError
from tallyd.pollers.visitors.ingest.shape import LARGEST_ID
from tallyd.pollers.visitors.ingest.typed_records import RecordDecoder


class Reading(Pass):
    """One pass over the passages of a file."""

    def __init__(self, decoder: RecordDecoder, now: datetime, *, skips_bad: bool = False) -> None:
        super().__init__(decoder.shape, now, skips_bad=skips_bad)
        self._decoder = decoder
        self._read = 0

    def whole(self, data: bytes) -> list[Rows]:
        """Return its rows. Raises `RejectedError`."""
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
        self._check()

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
            except (BadRecordError, BadTimeError) as error:
                self._bad.note(str(error), self._read)
        return Rows.of(rows)

    def _row(self, record: Any) -> Row:
        """Return the row of one record. Raises `BadRecordError`, `BadTimeError`."""
        shape = self._decoder.shape
        if type(record) is not dict:
            raise BadRecordError(english("is not an object"))
        person, way = record.get(shape.person), record.get(shape.direction)
        # Not isinstance: true is not a number here.
        if type(person) is not int or not 0 <= person <= LARGEST_ID:
            wrong = english('"{name}" is not a whole number from 0 to 2^63 - 1', name=shape.person)
            raise fault(record, shape.person, wrong)
        if type(way) is not int and (type(way) is not str or type(shape.way_in) is not str):
            wrong = english('"{name}" is not a direction', name=shape.direction)
            raise fault(record, shape.direction, wrong)
        frame = record.get(shape.frame) if shape.frame else None
        if frame is not None and (type(frame) is not int or abs(frame) > LARGEST_ID):
            raise BadRecordError(english('"{name}" is not a whole number', name=shape.frame))
        time = record.get(shape.time)
        if type(time) is not str:
            raise no_time(record, shape.time)
        return (person, self._decoder.way(way), self._minutes.instant(time), frame)
