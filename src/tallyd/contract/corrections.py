"""A person's count of who is inside, beside what the cameras have counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tallyd.contract.passages import Count


@dataclass(frozen=True, kw_only=True)
class Correction:
    """How many were inside when a minute began. `by` said so, at `noted_at`; `why` is for people."""

    source: str
    at: datetime
    inside: int
    why: str
    by: str
    noted_at: datetime


class CountedRecords(Protocol):
    """One poller's counts and corrections. Every method raises `RecordsError` if they are unusable now."""

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        """Return the counts of the minutes with since <= minute < until, by source."""
        ...

    def corrections(self, since: datetime, until: datetime) -> Sequence[Correction]:
        """Return the corrections with since <= at < until, oldest first."""
        ...


class CorrectableRecords(CountedRecords, Protocol):
    """The same, for the command that corrects."""

    def correct(self, correction: Correction) -> None:
        """Store a correction. It replaces one of the same source and minute."""
        ...
