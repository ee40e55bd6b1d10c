"""Decodes records of the usual form, many at once.

msgspec is many times as fast as the strict reader, but accepts what that one rejects: a key that occurs
twice, NUL in a text, anything in fields that it skips. So its result counts only if the bytes prove that the
strict reader would say the same:

- Nothing is skipped: the fields are those of one record, and each record has each of them.
- There are as many colons as fields. So no record has another pair, and none is nested. A key that occurs
  twice is one more pair.
- No escape is that of NUL or of half a character. Both are valid JSON, but no database accepts them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import repeat
from typing import Annotated, Any, TypeAlias

import msgspec

from tallyd.contract.passages import IN, OTHER, OUT
from tallyd.pollers.visitors.ingest.shape import LARGEST_ID, Shape

Columns: TypeAlias = "tuple[list[int], list[int], list[str], list[int | None]]"
"""Person, direction, time and frame of some records."""

_MOST_FIELDS = 64
_ODD_ESCAPE = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_ID = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_ID)]
_FRAME = Annotated[int, msgspec.Meta(ge=-LARGEST_ID, le=LARGEST_ID)] | None
_PLAIN = str | int | float | bool | None
# No deeper: how deep a reader can go depends on the reader.
_OTHER = _PLAIN | list[_PLAIN]
_first_record = msgspec.json.Decoder(dict[str, Any])


class RecordDecoder:
    """Decodes lists of records of one shape. It remembers the fields of the last list: files share them."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._ways: dict[Any, int] = {shape.way_in: IN, shape.way_out: OUT}
        self._names: tuple[str, ...] = ()
        self._decoder: msgspec.json.Decoder[list[Any]] | None = None

    def way(self, value: int | str) -> int:
        """Return the direction that a value means."""
        return self._ways.get(value, OTHER)

    def columns(self, data: bytes) -> Columns | None:
        """Return the records of a JSON list; None if one is bad, or if that is not certain."""
        if b"\\" in data and _ODD_ESCAPE.search(data):
            return None
        found = self._decoded(data)
        if found is None and self._learn(data):
            found = self._decoded(data)
        return found

    def _decoded(self, data: bytes) -> Columns | None:
        if self._decoder is None:
            return None
        try:
            records = self._decoder.decode(data)
        except (ValueError, RecursionError):
            return None
        if data.count(b":") != len(self._names) * len(records):
            return None
        has_frame = self.shape.frame in self._names
        return (
            [record.person for record in records],
            list(map(self._ways.get, [record.direction for record in records], repeat(OTHER))),
            [record.time for record in records],
            [record.frame for record in records] if has_frame else [None] * len(records),
        )

    def _learn(self, data: bytes) -> bool:
        """Take the fields of the first record; return whether they are others than before."""
        try:
            names = tuple(_first_record.decode(data[data.index(b"{") : data.index(b"}") + 1]))
            if names == self._names:
                return False
            self._decoder = _decoder(self.shape, names)
        except (ValueError, RecursionError):
            return False
        self._names = names
        return True


@lru_cache(maxsize=64)
def _decoder(shape: Shape, names: tuple[str, ...]) -> msgspec.json.Decoder[list[Any]]:
    """Return a decoder of records with these fields. Raises ValueError where that is not possible."""
    needed = {
        shape.person: ("person", _ID),
        shape.direction: ("direction", int | str if isinstance(shape.way_in, str) else int),
        shape.time: ("time", str),
    }
    known = needed | {shape.frame: ("frame", _FRAME)} if shape.frame else needed
    if len(known) < len(needed) + bool(shape.frame) or len(needed) < 3:
        raise ValueError("one field has two meanings")
    if not needed.keys() <= {*names} or len(names) > _MOST_FIELDS:
        raise ValueError("not the usual fields")
    fields: list[tuple[str, Any]] = []
    written: dict[str, str] = {}
    for number, name in enumerate(names):
        field, kind = known.get(name, (f"other{number}", _OTHER))
        fields.append((field, kind))
        written[field] = name
    record: Any = msgspec.defstruct("Record", fields, rename=written, gc=False)
    return msgspec.json.Decoder(list[record])
