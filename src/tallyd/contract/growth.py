"""How much a poller is expected to write, for `tallyd check`."""

from __future__ import annotations

from dataclasses import dataclass

READING_BYTES = 500
"""The size of an out file with a few counts."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What a poller writes in a year, as far as its settings say.

    `file_bytes`: the size of one out file. `rows_bytes`: what the database of records keeps for ever.
    """

    files: float
    file_bytes: int = READING_BYTES
    rows_bytes: float = 0.0
