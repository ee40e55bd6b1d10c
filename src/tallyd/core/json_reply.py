"""The JSON reply of a source or an upstream: parsed only if that costs little.

Parsed JSON needs up to sixty times its size, and no other thread runs until `json.loads` is done. The number
of commas and brackets shows what it will cost. So this module counts them first, at the speed of C. The
figures are in docs/performance.md.
"""

from __future__ import annotations

import json
import math
from itertools import accumulate
from typing import Final, NoReturn

from tallyd.core.language.messages import english, mark

MOST_VALUES: Final = 250_000
"""Most values in one reply. A person in Divera's list has about forty values."""
MOST_NESTED: Final = 100
"""Most levels of lists and objects inside each other."""

_STEP: Final = {ord(","): 0, ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NO_STRUCTURE: Final = bytes(sorted(set(range(256)) - set(b'"[]{},')))
_MOST_MARKS: Final = 8
"""Most marks of one value: its comma, the quotes around its key and itself, its brackets, and one more."""
_NOT_JSON: Final = object()


class Unreadable(Exception):  # noqa: N818 # the name describes the reply: "raises Unreadable"
    """An unusable reply. The text follows "HOST answered HTTP 200", and never holds a value."""


class TooMany(Unreadable):
    """JSON with too many values."""


def parse(body: bytes, *, most_values: int = MOST_VALUES) -> object:
    """Return the value of a JSON body (UTF-8, may have a byte order mark). NaN and Infinity are not JSON.

    Raises `TooMany` for more than `most_values` values, and `Unreadable`, also for more than `MOST_NESTED`
    levels.
    """
    begin = body[:300].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not body.strip():
        raise Unreadable(mark("without JSON (an empty body)"))
    if begin.startswith(b"<?xml") and b"<html" not in begin and b"<!doctype html" not in begin:
        raise Unreadable(mark("without JSON (XML)"))
    if begin.startswith(b"<"):
        raise Unreadable(mark("without JSON (a web page)"))
    structure = _structure(body, most_values)
    if structure is None or sum(structure.count(mark) for mark in (b",", b"[", b"{")) > most_values:
        most = f"{most_values:,}"
        raise TooMany(english("with JSON that has more than {most} values", most=most))
    if max(accumulate(map(_STEP.__getitem__, structure)), default=0) > MOST_NESTED:
        raise Unreadable(english("with JSON that is nested more than {most} levels deep", most=MOST_NESTED))
    value = _loaded(body)
    if value is _NOT_JSON:
        raise Unreadable(mark("without valid JSON"))
    return value


def _structure(body: bytes, most_values: int) -> bytes | None:
    """Return the commas and brackets of JSON that are not inside texts; None: too many for `most_values`.

    The result for a body that is not JSON is arbitrary.
    """
    without_escapes = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = without_escapes.translate(None, _NO_STRUCTURE)
    return None if len(marks) > _MOST_MARKS * most_values else b"".join(marks.split(b'"')[::2])


def _loaded(body: bytes) -> object:
    """Return the value of JSON. It raises no error: the parser's error holds the text it failed on."""
    if b"\0" in body:
        return _NOT_JSON  # UTF-16 and UTF-32: their escapes and quotes were not found
    try:
        return json.loads(body, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _finite(written: str) -> float:
    """Return a number. Reject one such as 1e999: Python reads it as infinite, which JSON cannot say."""
    number = float(written)
    if math.isinf(number):
        raise ValueError
    return number


def _no_number(_constant: str) -> NoReturn:
    """Reject NaN and Infinity, which Python would accept."""
    raise ValueError
