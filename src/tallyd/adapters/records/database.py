"""A database by its URL: its tables brought up to date, the records of each poller in it."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from sqlalchemy import inspect, text

from tallyd.adapters.records.create_sqlite import make_file
from tallyd.adapters.records.engines import PATIENCE_S, lacks_file
from tallyd.adapters.records.migration import RecordsTooNewError, bring_up_to_date
from tallyd.adapters.records.poller_records import BoundRecords
from tallyd.adapters.records.server_checks import CheckStore
from tallyd.adapters.records.tables import KNOWN_REVISIONS, REVISION, VERSION_TABLE
from tallyd.adapters.records.transactions import Access
from tallyd.core.errors import RecordsError


class Database:
    """A database by its URL; the tables in it by poller (`records`). Any number of threads.

    Nothing is connected to before the first call. A call fails where one answer takes longer than
    `patience_s`. With `prepares`, the first use of records that succeeds brings the tables up to date; so a
    database that is away at the start is no obstacle. Raises `RecordsError` for a URL that can't be used.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S, prepares: bool = False) -> None:
        self._url = url
        self._access = Access(url, patience_s=patience_s)
        self._preparing = threading.Lock()
        self._checks: dict[str, CheckStore] = {}
        self._is_prepared = False
        if prepares:
            self._access.get_ready = self._prepare_once

    def _prepare_once(self) -> None:
        if self._is_prepared:
            return
        with self._preparing:
            if not self._is_prepared:
                self.prepare()
                self._is_prepared = True

    def revision(self) -> str | None:
        """Return the revision of the stored tables, None where there are none. Raises `RecordsError`."""
        if lacks_file(self._url):
            return None
        with self._access.reading_as_it_is() as connection:
            if not inspect(connection).has_table(VERSION_TABLE):
                return None
            found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 # a constant
        return None if found is None else str(found)

    def has_tables(self) -> bool:
        """Whether there is anything to read. Raises `RecordsError`, `RecordsTooNewError`."""
        return self._known_revision() is not None

    def prepare(self) -> None:
        """Bring the tables up to date; starts a process only where they are not, and there is something.

        Raises `RecordsError`, and `RecordsTooNewError` where a newer tallyd has been at them.
        """
        if lacks_file(self._url):
            make_file(self._url, self._access.place)
        if self._known_revision() == REVISION:
            return
        bring_up_to_date(self._url, self._access.place)
        if self.revision() != REVISION:
            raise RecordsError(f"{self._access.place}: its tables could not be brought up to date")

    def _known_revision(self) -> str | None:
        stored = self.revision()
        if stored is not None and stored not in KNOWN_REVISIONS:
            raise RecordsTooNewError(self._access.place)
        return stored

    def records(self, poller: str) -> BoundRecords:
        """Return the records of one poller. What waits in memory is the same for all that were returned."""
        checks = self._checks.setdefault(poller, CheckStore(self._access, poller))
        return BoundRecords(self._access, poller, checks)

    def waiting(self) -> Mapping[str, int]:
        """Return by poller how many rows wait in memory, where any do; with the process they are lost."""
        found = {poller: checks.waiting for poller, checks in self._checks.items()}
        return {poller: count for poller, count in found.items() if count}

    def close(self) -> None:
        """Close the connections that are not in use; a further call does nothing."""
        self._access.close()
