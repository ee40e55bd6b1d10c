"""JSON that a source or an upstream answered with: parsed only where that costs little.

Parsed, JSON takes up to sixty times its size, and no other thread runs until `json.loads` is done. What it
will cost shows in its commas and brackets, which are counted first, at the speed of C. The figures are in
docs/performance.md.
"""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Final, NoReturn

MOST_VALUES: Final = 250_000
"""Of one answer. A person in Divera's list is about forty values."""
MOST_NESTED: Final = 100
"""Lists and objects within each other."""

_STEP: Final = {ord(","): 0, ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_STRUCTURE: Final = bytes(sorted(set(range(256)) - set(b'"[]{},')))
_MOST_MARKS: Final = 8
"""Of one value: its comma, the quotes around its key and itself, its brackets; one to spare."""
_NOT_JSON: Final = object()


class Unreadable(Exception):  # noqa: N818 # named after what the answer is, as "raises Unreadable" reads
    """An answer of no use. The text follows after "HOST answered HTTP 200", and never holds a value."""


def parse(body: bytes, *, most_values: int = MOST_VALUES) -> object:
    """Return what a body of JSON (UTF-8, a byte order mark allowed) says; NaN and Infinity are no JSON.

    Raises `Unreadable`, also where there are more than `most_values` values, or `MOST_NESTED` levels.
    """
    begin = body[:100].lstrip(b"\xef\xbb\xbf \t\r\n")
    if begin.startswith(b"<") or not body.strip():
        raise Unreadable(f"without JSON ({'a web page' if begin else 'an empty body'})")
    structure = _structure(body, most_values)
    if structure is None or sum(structure.count(mark) for mark in (b",", b"[", b"{")) > most_values:
        raise Unreadable(f"with JSON of more than {most_values:,} values")
    if max(accumulate(map(_STEP.__getitem__, structure)), default=0) > MOST_NESTED:
        raise Unreadable(f"with JSON that is nested more than {MOST_NESTED} levels deep")
    value = _loaded(body)
    if value is _NOT_JSON:
        raise Unreadable("without JSON (something else)")
    return value


def _structure(body: bytes, most_values: int) -> bytes | None:
    """Return the commas and brackets of JSON, but those inside texts; None where `most_values` have not so
    many. Of what is no JSON, something.
    """
    without_escapes = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = without_escapes.translate(None, _NO_STRUCTURE)
    return None if len(marks) > _MOST_MARKS * most_values else b"".join(marks.split(b'"')[::2])


def _loaded(body: bytes) -> object:
    """Return what JSON says. No error is raised here: the parser's own holds the text it failed on."""
    if b"\0" in body:
        return _NOT_JSON  # UTF-16 and UTF-32, whose escapes and quotes were not seen as such
    try:
        return json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _no_number(_constant: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python would take."""
    raise ValueError
