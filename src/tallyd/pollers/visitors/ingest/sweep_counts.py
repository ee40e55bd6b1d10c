"""What one run of the sweep has done so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tallyd.core.reading import Facts, Json

MOST_LISTED = 20


@dataclass
class OfSource:
    """What became of one source's files in a run: how many with records were good, how many were refused.

    `first_at` and `last_at` are when the first and the last of those was refused, `reason` is that of the
    last. `ahead` is set where times ahead of now are all that is wrong with all of them. `ends_good`: a good
    one came after them.
    """

    good: int = 0
    rejected: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    reason: str = ""
    ahead: timedelta | None = None
    ends_good: bool = False


@dataclass
class Tally:
    """Counts of files and records. `waiting` are files that stay for another look, `unsettled` those that
    are still being written. `failed` says of single files why they could not be read or moved, `database` why
    none is taken any more.
    """

    done: int = 0
    repeat: int = 0
    empty: int = 0
    rejected: int = 0
    waiting: int = 0
    unsettled: int = 0
    records: int = 0
    skipped: int = 0
    rejected_files: list[Json] = field(default_factory=list)
    sources: dict[str, OfSource] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    database: str | None = None

    @property
    def taken(self) -> int:
        """How many files left the inbox, or will as soon as they can be moved."""
        return self.done + self.repeat + self.empty + self.rejected

    def good(self, source: str) -> None:
        """Note that a file of a source had records, and was as it should be."""
        found = self.sources.setdefault(source, OfSource())
        found.good += 1
        found.ends_good = True

    def bad(self, source: str, name: str, reason: str, ahead: timedelta | None, at: datetime) -> None:
        """Note that a file of a source was refused."""
        self.rejected += 1
        found = self.sources.setdefault(source, OfSource())
        found.ahead = ahead if found.ahead or not found.rejected else None
        found.rejected += 1
        found.first_at = found.first_at or at
        found.last_at, found.reason, found.ends_good = at, reason, False
        if len(self.rejected_files) < MOST_LISTED:
            self.rejected_files.append({"name": name, "source": source, "reason": reason})

    def summary(self) -> Facts:
        """Return what a person is shown who ran the sweep by hand."""
        return {
            "files": dict(self.counts),
            "records": self.records,
            "skipped": self.skipped,
            "refused": list(self.rejected_files),
        }

    @property
    def counts(self) -> dict[str, int]:
        """The counts of files by what became of them."""
        return {
            "done": self.done,
            "repeat": self.repeat,
            "empty": self.empty,
            "rejected": self.rejected,
            "waiting": self.waiting,
            "unsettled": self.unsettled,
        }
