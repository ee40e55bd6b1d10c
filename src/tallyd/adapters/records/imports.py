"""What an older program counted. A day of a source or a server is stored whole, once, and never added to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Table, case, func, insert, literal, select, update
from sqlalchemy.exc import DBAPIError

from tallyd.adapters.records.bulk_insert import add_minutes
from tallyd.adapters.records.engine.errors import is_conflict
from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.server_checks import put_checks
from tallyd.adapters.records.tables import IMPORTED, PASSAGE_MINUTE, SERVER_HOUR
from tallyd.contract.imports import Imported, OldDay
from tallyd.contract.passages import read_seen, seen_text
from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import english

_COUNTS: Final = ((PASSAGE_MINUTE, "minute", "source"), (SERVER_HOUR, "hour", "server"))
"""The tables that are kept for ever, with the columns of the time and of the name."""


class Imports:
    """The imported data of one poller. Each method raises `RecordsError`."""

    def __init__(self, access: Access, poller: str) -> None:
        self._access = access
        self._poller = poller

    def imported(self) -> Imported | None:
        """Return what was imported so far."""
        with self._access.reading() as connection:
            return self._imported(connection)

    def own_since(self) -> datetime | None:
        """Return the minute or hour from which on tallyd itself has counts; None: it has none."""
        with self._access.reading() as connection:
            before = self._imported(connection)
            first = seen_text(before.until) if before else ""
            found = [self._first(connection, table, column, first) for table, column, _ in _COUNTS]
        return min((read_seen(text) for text in found if text), default=None)

    def bring(self, days: Sequence[OldDay], imported: Imported, *, writes: bool) -> list[frozenset[str]]:
        """Store what is new of some days, in one transaction; return the new names of each day.

        A name that has counts on a day is not new there. With `writes` false nothing is stored. Of two
        imports at once, one fails, or sees what the other one has stored.
        """
        if not writes:
            with self._access.reading() as connection:
                return self._new(connection, days)
        with self._access.explaining(), self._access.writing_raw() as connection:
            self._mark(connection, imported)  # first: another import waits here
            new = self._new(connection, days)
            for day, names in zip(days, new, strict=True):
                self._store(connection, day, names)
        return new

    def _new(self, connection: Connection, days: Sequence[OldDay]) -> list[frozenset[str]]:
        return [frozenset(day.found) - self._known(connection, day) for day in days]

    def _store(self, connection: Connection, day: OldDay, names: frozenset[str]) -> None:
        minutes = {key: count for key, count in day.minutes.items() if key[1] in names}
        hours = {key: count for key, count in day.hours.items() if key[1] in names}
        add_minutes(connection, self._poller, minutes)
        put_checks(connection, self._poller, [row for row in day.rows if row.server in names], hours)

    def _known(self, connection: Connection, day: OldDay) -> set[str]:
        found: set[str] = set()
        for table, at, name in _COUNTS:
            columns = table.c
            query = select(columns[name]).distinct()
            rows = connection.scalars(
                query.where(
                    columns.poller == self._poller,
                    columns[at] >= seen_text(day.begin),
                    columns[at] < seen_text(day.end),
                )
            )
            found.update(rows)
        return found

    def _first(self, connection: Connection, table: Table, column: str, first: str) -> str | None:
        columns = table.c
        query = select(func.min(columns[column])).where(columns.poller == self._poller)
        found: str | None = connection.scalar(query.where(columns[column] >= first) if first else query)
        return found

    def _imported(self, connection: Connection) -> Imported | None:
        columns = IMPORTED.c
        query = select(columns.program, columns.zone, columns.since, columns.until)
        row = connection.execute(query.where(columns.poller == self._poller)).one_or_none()
        return row and Imported(program=row[0], zone=row[1], since=read_seen(row[2]), until=read_seen(row[3]))

    def _mark(self, connection: Connection, imported: Imported) -> None:
        # No read before it: the first one fixes what MariaDB shows, before the other import ends.
        columns = IMPORTED.c
        since, until = (literal(seen_text(at), columns.since.type) for at in (imported.since, imported.until))
        values = {"program": imported.program, "zone": imported.zone}
        both = {
            "since": case((columns.since < since, columns.since), else_=since),
            "until": case((columns.until > until, columns.until), else_=until),
        }
        change = update(IMPORTED).where(columns.poller == self._poller).values(**values, **both)
        if connection.execute(change).rowcount:
            return
        try:
            connection.execute(
                insert(IMPORTED).values(poller=self._poller, since=since, until=until, **values)
            )
        except DBAPIError as error:
            if not is_conflict(error):
                raise
            raise RecordsError(
                english(
                    "{database}: another import for this poller ran at the same time. Nothing is lost; run"
                    " this one again when the other has ended",
                    database=self._access.place,
                )
            ) from None
