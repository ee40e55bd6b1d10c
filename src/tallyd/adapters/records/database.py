"""A database by its URL: updates its tables, and has the records of each poller."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import inspect, text

from tallyd.adapters.records.create_sqlite import make_file
from tallyd.adapters.records.engine.engines import PATIENCE_S, lacks_file
from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.hosts import HostTable, read_hosts
from tallyd.adapters.records.imports import Imports
from tallyd.adapters.records.migration import RecordsTooNewError, bring_up_to_date
from tallyd.adapters.records.poller_records import PollerRecords
from tallyd.adapters.records.server_checks import CheckStore
from tallyd.adapters.records.tables import KNOWN_REVISIONS, REVISION, VERSION_TABLE
from tallyd.core.errors import RecordsError
from tallyd.core.hosts import Host
from tallyd.core.language.messages import english


class Database:
    """A database by its URL. Thread-safe.

    It connects at the first call. A call fails if one answer takes longer than `patience_s`. With `prepares`,
    the first use of records updates the tables, so the database need not be running at the start. `here` is
    the place of this daemon, for what it notes. Raises `RecordsError` for a URL that can't be used.
    """

    def __init__(
        self, url: str, *, patience_s: float = PATIENCE_S, prepares: bool = False, here: str = ""
    ) -> None:
        self._url = url
        self._here = here
        self.access = Access(url, patience_s=patience_s)
        self._preparing = threading.Lock()
        self._checks: dict[str, CheckStore] = {}
        self._is_prepared = False
        if prepares:
            self.access.get_ready = self._prepare_once

    def _prepare_once(self) -> None:
        if self._is_prepared:
            return
        with self._preparing:
            if not self._is_prepared:
                self.prepare()
                self._is_prepared = True

    def revision(self) -> str | None:
        """Return the revision of the stored tables; None if there are none. Raises `RecordsError`."""
        if lacks_file(self._url):
            return None
        with self.access.reading_as_it_is() as connection:
            if not inspect(connection).has_table(VERSION_TABLE):
                return None
            found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 # a constant
        return None if found is None else str(found)

    def has_tables(self) -> bool:
        """Whether there is anything to read. Raises `RecordsError`, `RecordsTooNewError`."""
        return self._known_revision() is not None

    def prepare(self) -> None:
        """Create the tables, or update them if they are old. Only an update starts a process.

        Raises `RecordsError`, and `RecordsTooNewError` if a newer tallyd has updated them.
        """
        if lacks_file(self._url):
            make_file(self._url, self.access.place)
        if self._known_revision() == REVISION:
            return
        bring_up_to_date(self._url, self.access.place)
        if self.revision() != REVISION:
            why = english("{database}: its tables could not be updated", database=self.access.place)
            raise RecordsError(why)

    def _known_revision(self) -> str | None:
        stored = self.revision()
        if stored is not None and stored not in KNOWN_REVISIONS:
            raise RecordsTooNewError(self.access.place)
        return stored

    def records(self, poller: str) -> PollerRecords:
        """Return the records of one poller. All returned objects share the rows that wait in memory."""
        checks = self._checks.setdefault(poller, CheckStore(self.access, poller))
        return PollerRecords(self.access, poller, checks, here=self._here)

    def imports(self, poller: str) -> Imports:
        """Return what an older program counted for a poller."""
        return Imports(self.access, poller)

    def hosts(self, *, name: str, folder: str) -> HostTable:
        """Return the row of the daemon on the machine with that name, with its state in that folder."""
        return HostTable(self.access, name=name, folder=folder)

    def read_hosts(self, *, now: datetime) -> tuple[Host, ...]:
        """Return all daemons that use the database. Raises `RecordsError`."""
        return read_hosts(self.access, now=now)

    def waiting(self) -> Mapping[str, int]:
        """Return how many rows wait in memory, by poller. They are lost when the process ends."""
        found = {poller: checks.waiting for poller, checks in self._checks.items()}
        return {poller: count for poller, count in found.items() if count}

    def close(self) -> None:
        """Close the connections that are not in use. A further call does nothing."""
        self.access.close()
