"""The format of a file's records, from the config."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo

DIGITS = "%Y%m%d%H%M%S"
"""The usual format of a time: fourteen digits."""
LARGEST_ID = 2**63 - 1
"""The largest whole number that every database can store."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The format of records: names of fields, values of directions, format and zone of times."""

    person: str = "ID"
    direction: str = "inOut"
    time: str = "time"
    frame: str | None = "frameNumber"
    way_in: int | str = 0
    way_out: int | str = 1
    time_format: str = DIGITS
    zone: tzinfo
