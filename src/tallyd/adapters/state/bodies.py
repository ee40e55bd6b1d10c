"""The content of an out file in a row of `reading`: as text, or compressed if it is long.

A file of a thousand targets has 300 kB, mostly the same words. Compressed, the state needs a seventh of that.
"""

from __future__ import annotations

import base64
import zlib
from typing import Final

LONG_CHARS: Final = 4000
"""A shorter content stays text, which anybody can read with sqlite3 or psql."""


def packed(text: str) -> str:
    """Return a content, a JSON object, as it is stored: as it is, or compressed, in base64."""
    if len(text) < LONG_CHARS:
        return text
    return base64.b64encode(zlib.compress(text.encode(), level=1)).decode()


def readable(stored: str) -> str:
    """Return any stored text as it was before it was packed, if it was."""
    try:
        return unpacked(stored)
    except ValueError:
        return stored


def unpacked(stored: str) -> str:
    """Undo `packed`. Raises ValueError if it makes no sense."""
    if stored.startswith("{") or not stored:
        return stored
    try:
        return zlib.decompress(base64.b64decode(stored, validate=True)).decode()
    except (zlib.error, ValueError) as error:
        raise ValueError(f"not a compressed text: {error}") from error
