"""The database of records as a poller sees it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tallyd.contract.arrivals import Arrival, Came
from tallyd.contract.corrections import CountedRecords
from tallyd.contract.lags import Hours, LagRow, StoreOutcome
from tallyd.contract.passages import Fingerprint, LedgerRow, Outcome, ToIngest
from tallyd.core.hosts import Host


class Records(CountedRecords, Protocol):
    """One poller's records in the database. Every method raises `RecordsError` if it is unusable now.

    `here` is the place of this daemon, as `Arrival.host` and `Host.place` have it.
    """

    @property
    def here(self) -> str: ...

    def known(self, files: Collection[Fingerprint]) -> frozenset[Fingerprint]:
        """Return the files that are done."""
        ...

    def ingest(
        self, files: Sequence[ToIngest], *, now: datetime, keep_rows: bool, came: Sequence[Came] = ()
    ) -> tuple[Outcome, ...]:
        """Store files in one transaction, all or none: rows (if `keep_rows`), minute counts, ledger.

        `came` is what to note of the newest files, in the same transaction; also without files.
        A file that is already done adds nothing (`repeat`). Of two files with the same content, the second
        adds nothing. A row that was rejected before is replaced. A done file without records leaves no row.
        """
        ...

    def ledger(self, *, rejected: bool, most: int) -> tuple[LedgerRow, ...]:
        """Return the newest files, newest first; with `rejected`, only rejected ones."""
        ...

    def arrivals(self, now: datetime) -> Mapping[str, Arrival]:
        """Return the newest file of each source, whichever host it came to."""
        ...

    def set_back_arrivals(self, now: datetime) -> None:
        """Let arrivals that are ahead of now have come now: the clock of the database was set back."""
        ...

    def hosts(self, now: datetime) -> Sequence[Host]:
        """Return all daemons that use the database, this one too."""
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
