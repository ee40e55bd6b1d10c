"""Parses a file of intervals: how many walked in and out between two times, as counting devices export it.

An interval counts at the minute in which it begins. It has no persons, so a file has no rows. The form of a
file is that of the device; `items` (JMESPath) finds the intervals in it, and without it the file is the list.
What devices send, by their own documents and by programs that read it:

- The 3D people counters of Axis export `{"data": [{"start", "end", "in", "out"}]}`, with times such as
  `2020-06-23 00:00:00` (VAPIX, "P8815-2 3D people counter API").
- The sensors of Xovis push `{"logics_data": {"logics": [{"records": [{"from", "to", "counts": [{"name": "fw",
  "value": 3}, ...]}]}]}}` (version 5.0 of their data push).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from tallyd.contract.passages import Rows
from tallyd.core.json_query import InapplicableError
from tallyd.core.json_reply import TooMany, Unreadable, parse
from tallyd.core.language.messages import english
from tallyd.pollers.visitors.file_settings import IntervalFields
from tallyd.pollers.visitors.ingest.bad_records import (
    BadRecordError,
    fault,
    no_time,
)
from tallyd.pollers.visitors.ingest.file_pass import Pass
from tallyd.pollers.visitors.ingest.json_stream import CutShortError, RejectedError
from tallyd.pollers.visitors.ingest.minute_counts import BadTimeError
from tallyd.pollers.visitors.ingest.shape import Shape

MOST_BYTES: Final = 8 * 1024 * 1024
"""A longer file is rejected. It would be a month of minutes of one device, many times over."""
MOST_PEOPLE: Final = 1_000_000
"""In one interval. More is no count, but a counter that never starts again."""
LONGEST_S: Final = 86_400


class IntervalReading(Pass):
    """One pass over the intervals of a file. It returns no rows."""

    def __init__(
        self, fields: IntervalFields, times: Shape, now: datetime, *, skips_bad: bool = False
    ) -> None:
        super().__init__(times, now, skips_bad=skips_bad)
        self._fields = fields

    def whole(self, data: bytes) -> list[Rows]:
        """Count its intervals. Raises `RejectedError`."""
        for number, record in enumerate(self._items(data), start=1):
            try:
                self._count(record)
            except (BadRecordError, BadTimeError) as error:
                self._bad.note(str(error), number)
            else:
                self._records += 1
        self._check()
        return []

    def rows(self, chunks: Iterable[bytes]) -> list[Rows]:
        """Put its pieces together, and count its intervals. Raises `RejectedError`."""
        data = bytearray()
        for chunk in chunks:
            data += chunk
            if len(data) > MOST_BYTES:
                most = MOST_BYTES >> 20
                raise RejectedError(english("has intervals in more than {most} MiB; split it", most=most))
        return self.whole(bytes(data))

    def _items(self, data: bytes) -> list[Any]:
        try:
            found = parse(data)
        except TooMany as error:
            raise RejectedError(english("is a file {why}; split it", why=error)) from None
        except Unreadable as error:
            # Its writer may not have finished it: JSON that ends too early is not valid.
            raise CutShortError(english("is a file {why}", why=error)) from None
        if self._fields.items:
            # Imported here: JMESPath takes 10 ms, and only such a config needs it.
            from tallyd.core.json_items import items_at  # noqa: PLC0415 # see above

            try:
                found = items_at(self._fields.items, found)
            except InapplicableError as error:
                why = english("intervals.items cannot be applied to this file: {why}", why=error)
                raise RejectedError(why) from None
        if isinstance(found, list):
            return found
        if self._fields.items:
            raise RejectedError(
                english("has no list of intervals at {items_name}", items_name=self._fields.items)
            )
        raise RejectedError(english("has no list of intervals at its root"))

    def _count(self, record: Any) -> None:
        """Add one interval. Raises `BadRecordError`, `BadTimeError`, `RejectedError`."""
        if record is None:
            items = self._fields.items
            raise BadRecordError(english("is null[, or there is nothing at {items_name}]", items_name=items))
        if type(record) is not dict:
            raise BadRecordError(english("is not an object"))
        n_in, n_out = (self._people(record, name) for name in (self._fields.n_in, self._fields.n_out))
        start, end = (self._instant(record, name) for name in (self._fields.start, self._fields.end))
        if end <= start:  # in the night in which clocks go back, a time comes twice
            end = self._minutes.instant(record[self._fields.end], fold=1)
        names = {"start_name": self._fields.start, "end_name": self._fields.end}
        if end <= start:
            raise BadRecordError(english('"{end_name}" is not after "{start_name}"', **names))
        if end > start + LONGEST_S:
            raise BadRecordError(english('"{end_name}" is more than a day after "{start_name}"', **names))
        self._minutes.add_interval(start, end, n_in, n_out)

    def _people(self, record: dict[str, Any], name: str) -> int:
        number = record.get(name)
        # Not isinstance: true is not a number here.
        if type(number) is not int or not 0 <= number <= MOST_PEOPLE:
            most = f"{MOST_PEOPLE:,}"
            wrong = english('"{name}" is not a whole number from 0 to {most}', name=name, most=most)
            raise fault(record, name, wrong)
        return number

    def _instant(self, record: dict[str, Any], name: str) -> int:
        time = record.get(name)
        if type(time) is not str:
            raise no_time(record, name)
        return self._minutes.instant(time)
