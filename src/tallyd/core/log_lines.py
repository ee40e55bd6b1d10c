"""The form of a log line: any value as JSON or as text, and no value that breaks the line.

Values come from anywhere: replies, foreign libraries, objects whose `repr` fails. So every function here
returns something for every value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set, Sized
from datetime import datetime
from itertools import islice

from tallyd.core.reading import Json
from tallyd.core.texts import UNPRINTABLE, visible

Clean = Callable[[str], str]
"""Removes the secrets from a text."""

MOST_CHARS = 16_000
MOST_ITEMS = 100
MOST_DEPTH = 4

_BARE = re.compile(r"[^\s\"'=\\{}\[\],]+")


def plain(value: object, clean: Clean, depth: int = 0) -> Json:
    """Return `value` as JSON values within limits: what is too long, too many or too deep says so.

    Bytes become text, never base64, in which a secret could hide. NaN and infinity become text, too, because
    JSON does not have them. A value without a JSON form becomes its `str`; so a `Secret` stays hidden.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, int) and abs(value) < 2**63:  # a longer one fails to print from 4,300 digits on
        return int(value)
    if isinstance(value, str | bytes | bytearray) or depth == MOST_DEPTH:
        return cut(shown(value), clean)
    return _plain_container(value, clean, depth + 1)


def _plain_container(value: object, clean: Clean, depth: int) -> Json:
    if isinstance(value, Mapping):
        pairs = islice(value.items(), MOST_ITEMS)
        members = {cut(shown(key), clean): plain(item, clean, depth) for key, item in pairs}
        return members | ({"…": _more(value)} if len(value) > MOST_ITEMS else {})
    if isinstance(value, Sequence | Set):
        items = [plain(item, clean, depth) for item in islice(value, MOST_ITEMS)]
        return items + ([_more(value)] if len(value) > MOST_ITEMS else [])
    return cut(shown(value), clean)


def _more(value: Sized) -> str:
    return f"{len(value) - MOST_ITEMS} more"


def shown(value: object) -> str:
    """Return `str(value)`, with bytes decoded, and with the type of an exception before its text.

    If `str` fails, return the type.
    """
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    try:
        if isinstance(value, BaseException):
            return f"{type(value).__name__}: {value}"
        return value.isoformat() if isinstance(value, datetime) else str(value)
    except Exception as failure:  # strangers' code may raise anything, and a log line may not
        return f"<{type(value).__name__}: str() raised {type(failure).__name__}>"


def cut(text: str, clean: Clean) -> str:
    """Return at most MOST_CHARS of `text`, without its middle.

    The end matters more than the beginning: there a traceback says what happened. The text is cleaned before
    it is cut, because half a secret would not be recognised.
    """
    if len(text) <= MOST_CHARS:
        return text
    text = clean(text)
    head = MOST_CHARS // 4
    tail = MOST_CHARS - head
    missing = len(text) - MOST_CHARS
    return text if missing <= 0 else f"{text[:head]} … {missing} characters … {text[-tail:]}"


def json_line(fields: Mapping[str, Json], clean: Clean) -> str:
    """Return one line that is one JSON object, cleaned.

    If cleaning breaks the JSON itself (a secret `1234` that is also a count), the cleaned text becomes the
    value of `redacted`, beside `time` and `level`.
    """
    line = _dumped(fields)
    cleaned = clean(line)
    if cleaned == line or _is_json(cleaned):
        return cleaned
    kept = {name: clean(shown(fields.get(name))) for name in ("time", "level")}
    return _dumped({**kept, "event": "redacted", "redacted": cleaned})


def text_pairs(fields: Mapping[str, Json]) -> Iterator[str]:
    """Yield `name=value` for people; a value that could confuse readers is quoted as JSON."""
    for name, value in fields.items():
        text = value if isinstance(value, str) and _BARE.fullmatch(value) else _dumped(value)
        yield f"{visible(name)}={visible(text)}"


def _dumped(value: Json | Mapping[str, Json]) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # C0 is escaped by now; the rest stands only inside strings, where \uXXXX means the same.
    return UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
