"""The database of records as a poller sees it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from tallyd.contract.corrections import CountedRecords
from tallyd.contract.lags import Hours, LagRow, StoreOutcome
from tallyd.contract.passages import Fingerprint, LedgerRow, Outcome, ToIngest


class Records(CountedRecords, Protocol):
    """One poller's records in the database. Every method raises `RecordsError` if it is unusable now."""

    def known(self, files: Collection[Fingerprint]) -> frozenset[Fingerprint]:
        """Return the files that are done."""
        ...

    def ingest(self, files: Sequence[ToIngest], *, now: datetime, keep_rows: bool) -> tuple[Outcome, ...]:
        """Store files in one transaction, all or none: rows (if `keep_rows`), minute counts, ledger.

        A file that is already done adds nothing (`repeat`). Of two files with the same content, the second
        adds nothing. A row that was rejected before is replaced. A done file without records leaves no row.
        """
        ...

    def ledger(self, *, rejected: bool, most: int) -> tuple[LedgerRow, ...]:
        """Return the newest files, newest first; with `rejected`, only rejected ones."""
        ...

    def free_bytes(self) -> int | None:
        """Return the free space on the disk of the database; None if nobody can know it."""
        ...

    def note_checks(self, rows: Sequence[LagRow], hours: Hours) -> StoreOutcome:
        """Store changes, and add to hours, in one transaction. Raises nothing.

        While the database cannot be used, at most `lags.MOST_WAITING` of them wait in memory; the next call
        stores them. If there are more, the oldest are dropped and counted.
        """
        ...

    def prune(self, before: datetime, *, most: int) -> int:
        """Delete passages, ledger rows and server changes from before an instant, at most `most` of each.

        Return how many in all. Counts of minutes and hours stay.
        """
        ...
