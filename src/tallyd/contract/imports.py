"""What an older program counted, as it goes into the database and comes out again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from tallyd.contract.lags import HourCount, LagRow
from tallyd.contract.passages import MinuteCount


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What is before `until` was counted by `program`, from `since` on; what is later, by tallyd itself.

    Times without a zone were read as those of `zone`.
    """

    program: str
    zone: str
    since: datetime
    until: datetime


@dataclass(kw_only=True)
class OldDay:
    """A day of an older program, with begin <= time < end (UTC): either `minutes`, or `rows` and `hours`.

    `minutes` and `hours` have the names of sources or servers in their keys, as `MinuteCount`s and
    `HourCount`s are stored. `found` is how many records of each name the old data has.
    """

    begin: datetime
    end: datetime
    minutes: dict[tuple[int, str], MinuteCount] = field(default_factory=dict)
    hours: dict[tuple[str, str], HourCount] = field(default_factory=dict)
    rows: list[LagRow] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
