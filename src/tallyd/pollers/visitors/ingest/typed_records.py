"""Decodes records of the usual form, many at once.

msgspec is many times as fast as the strict reader, but accepts what that one rejects: a key that occurs
twice, NUL in a text, anything in fields that it skips. So its result counts only if the bytes prove that the
strict reader would say the same:

- Nothing is skipped: the fields are those of the first record, and each record has each of them.
- There are as many colons as fields. So no record has another pair, and none is nested. A key that occurs
  twice is one more pair.
- No escape is that of NUL or of half a character. Both are valid JSON, but no database accepts them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, TypeAlias

import msgspec

from tallyd.pollers.visitors.ingest.shape import LARGEST_ID, Shape

Columns: TypeAlias = "tuple[list[int], list[int | str], list[str], list[int | None]]"
"""Person, direction, time and frame of some records."""

_MOST_FIELDS = 64
_ODD_ESCAPE = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_ID = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_ID)]
_FRAME = Annotated[int, msgspec.Meta(ge=-LARGEST_ID, le=LARGEST_ID)] | None
_PLAIN = str | int | float | bool | None
# No deeper: how deep a reader can go depends on the reader.
_OTHER = _PLAIN | list[_PLAIN]
_first_record = msgspec.json.Decoder(dict[str, Any])


def columns(data: bytes, shape: Shape) -> Columns | None:
    """Return the records of a JSON list; None if one is bad, if there is none, or if that is not certain."""
    if b"\\" in data and _ODD_ESCAPE.search(data):
        return None
    try:
        first = _first_record.decode(data[data.index(b"{") : data.index(b"}") + 1])
        records = _decoder(shape, tuple(first)).decode(data)
    except (ValueError, RecursionError):
        return None
    if data.count(b":") != len(first) * len(records):
        return None
    frames = [record.frame for record in records] if shape.frame in first else [None] * len(records)
    return (
        [record.person for record in records],
        [record.direction for record in records],
        [record.time for record in records],
        frames,
    )


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
