"""The database of records for reading, over connections of its own. One without tables holds nothing.

A poller makes the tables when it first needs them, which may be days after the installation. Until then there
is nothing to read, and that is no fault.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Final

from tallyd.contract.arrivals import Arrival
from tallyd.contract.board import PastRecords
from tallyd.contract.corrections import Correction
from tallyd.contract.imports import Imported
from tallyd.contract.lags import HourCount, LagRow
from tallyd.contract.passages import Count, Fingerprint, LedgerRow
from tallyd.core.hosts import Host

if TYPE_CHECKING:
    from tallyd.adapters.records.database import Database

PATIENCE_S: Final = 2.0
"""How long a reader waits for a database that does not answer."""


class NoRecords:
    """A database without tables. Implements the reading methods of `contract.Records`."""

    here = ""

    def arrivals(self, now: datetime) -> Mapping[str, Arrival]:
        del now
        return {}

    def hosts(self, now: datetime) -> tuple[Host, ...]:
        del now
        return ()

    def known(self, files: Collection[Fingerprint]) -> frozenset[Fingerprint]:
        del files
        return frozenset()

    def ledger(self, *, rejected: bool, most: int) -> tuple[LedgerRow, ...]:
        del rejected, most
        return ()

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        del since, until
        return {}

    def corrections(self, since: datetime, until: datetime) -> Sequence[Correction]:
        del since, until
        return ()

    def imported(self) -> Imported | None:
        return None

    def minutes(
        self, since: datetime, until: datetime, *, sources: Collection[str] | None = None
    ) -> Sequence[tuple[str, Count]]:
        del since, until, sources
        return ()

    def files_since(self, since: datetime) -> Mapping[str, int]:
        del since
        return {"done": 0, "rejected": 0}

    def server_sums(self, since: datetime, until: datetime) -> Mapping[str, HourCount]:
        del since, until
        return {}

    def server_hours(
        self, since: datetime, until: datetime, *, servers: Collection[str] | None = None
    ) -> tuple[tuple[str, str, HourCount], ...]:
        del since, until, servers
        return ()

    def server_lags(
        self, servers: Collection[str], since: datetime, until: datetime, *, most: int
    ) -> Sequence[LagRow]:
        del servers, since, until, most
        return ()


class RecordsReader:
    """Any number of threads. Raises `RecordsError` if the database cannot be used."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = Lock()
        self._database: Database | None = None
        self._has_tables = False

    def of(self, poller: str) -> PastRecords:
        """Return the records of a poller."""
        database = self._opened()
        return database.records(poller) if self._found_tables(database) else NoRecords()

    def hosts(self, *, now: datetime) -> tuple[Host, ...]:
        """Return all daemons that use the database."""
        database = self._opened()
        return database.read_hosts(now=now) if self._found_tables(database) else ()

    def close(self) -> None:
        """Close what was opened; a further call does nothing."""
        with self._lock:
            if self._database is not None:
                self._database.close()

    def _found_tables(self, database: Database) -> bool:
        if not self._has_tables:
            self._has_tables = database.has_tables()
        return self._has_tables

    def _opened(self) -> Database:
        # Imported here: on a small machine SQLAlchemy takes a second, and not every poller has records.
        from tallyd.adapters.records.database import Database  # noqa: PLC0415 # see above

        with self._lock:
            if self._database is None:
                self._database = Database(self._url, patience_s=PATIENCE_S)
            return self._database
