"""What one run of the sweep has done so far."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tallyd.core.reading import Facts, Json

MOST_LISTED = 20


@dataclass
class OfSource:
    """The results of one source's files in a run: how many with records were good, how many were rejected.

    `first_at` and `last_at` are when the first and the last one was rejected, `reason` is that of the last.
    `ahead` is set if times ahead of now are the only fault of all of them. `ends_good`: a good file came
    after them.
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
    """Counts of files and records.

    `waiting` files stay for the next look, `unsettled` files are still being written. `failed` has single
    files that could not be read or moved, and why. `database` is why no more files are ingested.
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
    sources: defaultdict[str, OfSource] = field(default_factory=lambda: defaultdict(OfSource))
    failed: dict[str, str] = field(default_factory=dict)
    database: str | None = None

    @property
    def taken(self) -> int:
        """How many files left the inbox, or will leave it as soon as they can be moved."""
        return self.done + self.repeat + self.empty + self.rejected

    def good(self, source: str) -> None:
        """Note that a file of a source had records and was valid."""
        found = self.sources[source]
        found.good += 1
        found.ends_good = True

    def bad(self, source: str, name: str, reason: str, ahead: timedelta | None, at: datetime) -> None:
        """Note that a file of a source was rejected."""
        self.rejected += 1
        found = self.sources[source]
        found.ahead = ahead if found.ahead or not found.rejected else None
        found.rejected += 1
        found.first_at = found.first_at or at
        found.last_at, found.reason, found.ends_good = at, reason, False
        if len(self.rejected_files) < MOST_LISTED:
            self.rejected_files.append({"name": name, "source": source, "reason": reason})

    def summary(self) -> Facts:
        """Return the summary for a person who ran the sweep by hand."""
        return {
            "files": dict(self.counts),
            "records": self.records,
            "skipped": self.skipped,
            "refused": list(self.rejected_files),
        }

    @property
    def counts(self) -> dict[str, int]:
        """The counts of files by result."""
        return {
            "done": self.done,
            "repeat": self.repeat,
            "empty": self.empty,
            "rejected": self.rejected,
            "waiting": self.waiting,
            "unsettled": self.unsettled,
        }
