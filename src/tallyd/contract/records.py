from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tallyd.core.lags import Hours, Kept, LagRow
from tallyd.core.passages import Count, Fingerprint, LedgerRow, Outcome, ToIngest


class Records(Protocol):
    """One poller's records in the database. Every method raises `RecordsError` where it can't be used now."""

    def known(self, files: Collection[Fingerprint]) -> frozenset[Fingerprint]:
        """Return those of the files that are done."""
        ...

    def ingest(self, files: Sequence[ToIngest], *, now: datetime, keep_rows: bool) -> tuple[Outcome, ...]:
        """Store files in one transaction, all or none: rows (if `keep_rows`), minute counts, ledger.

        One that is done already adds nothing (`repeat`); so does the second of two with one content. What was
        rejected before is replaced. A done file without records leaves no trace.
        """
        ...

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        """Return what was counted in the minutes with since <= minute < until, by source."""
        ...

    def minutes(self, since: datetime, until: datetime) -> tuple[tuple[str, str, Count], ...]:
        """Return (source, minute, count) of the minutes with since <= minute < until, in that order."""
        ...

    def ledger(self, *, rejected: bool, most: int) -> tuple[LedgerRow, ...]:
        """Return the newest files, or with `rejected` the newest that were rejected; newest first."""
        ...

    def free_bytes(self) -> int | None:
        """Return the free space of the disk that the database is on; None where that can't be known."""
        ...

    def note_checks(self, rows: Sequence[LagRow], hours: Hours) -> Kept:
        """Store changes, and add to hours, in one transaction. Raises nothing.

        While the database can't be used they wait in memory, `lags.MOST_WAITING` of them, and go with the
        next ones; of more than that the oldest are dropped, and counted.
        """
        ...

    def prune(self, before: datetime, *, most: int) -> int:
        """Forget at most `most` passages seen, as many ledger rows written, and as many changes of servers,
        before an instant.

        Return how many in all; counts of minutes and hours stay.
        """
        ...
