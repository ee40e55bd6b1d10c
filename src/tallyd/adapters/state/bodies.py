"""The content of an out file in a row of `reading`: as text, or compressed if it is long.

A file of a thousand targets has 300 kB, mostly the same words. Compressed, state.db needs a tenth of that.
"""

from __future__ import annotations

import zlib
from typing import Final

LONG_CHARS: Final = 4000
"""A shorter content stays text, which anybody can read with sqlite3."""


def packed(text: str) -> str | bytes:
    """Return a content as it is stored."""
    return text if len(text) < LONG_CHARS else zlib.compress(text.encode(), level=1)


def unpacked(stored: str | bytes) -> str:
    """Undo `packed`. Raises ValueError if it makes no sense."""
    if isinstance(stored, str):
        return stored
    try:
        return zlib.decompress(stored).decode()
    except zlib.error as error:
        raise ValueError(f"not a compressed text: {error}") from error
