"""The database of records as the page reads it: one of which no tables were made yet holds nothing.

They are made when a poller first needs them, which may be days after the installation: until then there is
nothing to be read, and that is no fault.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Final, Protocol

from tallyd.adapters.records.database import Database
from tallyd.core.lags import HourCount, LagRow
from tallyd.core.passages import Count
from tallyd.pollers.visitors.visit_history import Minute

PATIENCE_S: Final = 2.0
"""A database that is away holds up the page no longer."""


class Looked(Protocol):
    """What is read of one poller. Each call raises `RecordsError` where the database can't be used."""

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]: ...

    def minutes(self, since: datetime, until: datetime) -> tuple[Minute, ...]: ...

    def files_since(self, since: datetime) -> Mapping[str, int]: ...

    def server_sums(self, since: datetime, until: datetime) -> Mapping[str, HourCount]: ...

    def server_lags(
        self, servers: Collection[str], since: datetime, until: datetime, *, most: int
    ) -> Sequence[LagRow]: ...


class _Empty:
    """A database without tables."""

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        del since, until
        return {}

    def minutes(self, since: datetime, until: datetime) -> tuple[Minute, ...]:
        del since, until
        return ()

    def files_since(self, since: datetime) -> Mapping[str, int]:
        del since
        return {"done": 0, "rejected": 0}

    def server_sums(self, since: datetime, until: datetime) -> Mapping[str, HourCount]:
        del since, until
        return {}

    def server_lags(
        self, servers: Collection[str], since: datetime, until: datetime, *, most: int
    ) -> Sequence[LagRow]:
        del servers, since, until, most
        return ()


class Records:
    """The records by poller, over connections of the page's own. Any number of threads.

    Raises `RecordsError` where the database can't be used.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = Lock()
        self._database: Database | None = None
        self._has_tables = False

    def __call__(self, poller: str) -> Looked:
        database = self._opened()
        if not self._has_tables:
            self._has_tables = database.revision() is not None
        return database.records(poller) if self._has_tables else _Empty()

    def close(self) -> None:
        """Close what was opened; a further call does nothing."""
        with self._lock:
            if self._database is not None:
                self._database.close()

    def _opened(self) -> Database:
        with self._lock:
            if self._database is None:
                self._database = Database(self._url, patience_s=PATIENCE_S)
            return self._database
