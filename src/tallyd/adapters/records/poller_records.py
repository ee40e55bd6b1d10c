"""One poller's records, on any of the databases."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Select, bindparam, delete, func, insert, select
from sqlalchemy.exc import DBAPIError

from tallyd.adapters.records.arrivals import (
    forget_arrivals,
    note_arrivals,
    read_arrivals,
    set_back_arrivals,
)
from tallyd.adapters.records.bulk_insert import add_rows
from tallyd.adapters.records.engine.errors import explained, is_conflict
from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.hosts import read_hosts
from tallyd.adapters.records.imports import Imports
from tallyd.adapters.records.ingest import in_ledger, plan, write_counts, write_ledger
from tallyd.adapters.records.retention import forget_files, forget_passages
from tallyd.adapters.records.server_checks import CheckStore
from tallyd.adapters.records.server_history import forget_lags, read_hours, read_lags, sum_hours
from tallyd.adapters.records.tables import INGESTED_FILE, INSIDE_CORRECTION, PASSAGE_MINUTE
from tallyd.contract.arrivals import Arrival, Came
from tallyd.contract.corrections import Correction
from tallyd.contract.imports import Imported
from tallyd.contract.lags import HourCount, Hours, LagRow, StoreOutcome
from tallyd.contract.passages import Count, Fingerprint, LedgerRow, Outcome, ToIngest, read_seen, seen_text
from tallyd.core.hosts import Host

_TRIES: Final = 5
"""If another process has committed, one more try is enough. Deadlocks on MariaDB may need a few."""
_FILE: Final = INGESTED_FILE.c
_NEWEST: Final = (
    select(
        _FILE.id,
        _FILE.source,
        _FILE.sha256,
        _FILE.name,
        _FILE.size,
        _FILE.records,
        _FILE.state,
        _FILE.reason,
        _FILE.ingested_at,
    )
    .where(_FILE.poller == bindparam("poller"), _FILE.state == bindparam("state"))
    .order_by(_FILE.ingested_at.desc(), _FILE.id.desc())
    .limit(bindparam("most"))
)


class PollerRecords:
    """The records of one poller. Implements `contract.Records`."""

    def __init__(
        self, access: Access, poller: str, checks: CheckStore | None = None, *, here: str = ""
    ) -> None:
        self._access = access
        self.poller = poller
        self.here = here
        self._checks = checks or CheckStore(access, poller)

    def known(self, files: Collection[Fingerprint]) -> frozenset[Fingerprint]:
        if not files:
            return frozenset()
        with self._access.reading() as connection:
            found = in_ledger(connection, self.poller, files)
        return frozenset(file for file, (_, state) in found.items() if state == "done")

    def ingest(
        self, files: Sequence[ToIngest], *, now: datetime, keep_rows: bool, came: Sequence[Came] = ()
    ) -> tuple[Outcome, ...]:
        if not files and not came:
            return ()
        for tries_left in reversed(range(_TRIES)):
            try:
                with self._access.explaining():
                    return self._ingest(files, now=now, keep_rows=keep_rows, came=came)
            except _OvertakenError as overtaken:
                # The next try finds what the other process stored, and counts it as a repeat.
                if not tries_left:
                    raise explained(self._access.place, overtaken.cause) from None
        raise AssertionError("the last try returns or raises")

    def arrivals(self, now: datetime) -> Mapping[str, Arrival]:
        return read_arrivals(self._access, self.poller, now=now)

    def set_back_arrivals(self, now: datetime) -> None:
        set_back_arrivals(self._access, self.poller, now=now)

    def hosts(self, now: datetime) -> tuple[Host, ...]:
        return read_hosts(self._access, now=now)

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        with self._access.reading() as connection:
            found = connection.execute(self._sums(PASSAGE_MINUTE.c.source, since, until))
            return {row[0]: _count(row[1:]) for row in found}

    def corrections(self, since: datetime, until: datetime) -> Sequence[Correction]:
        columns = INSIDE_CORRECTION.c
        query = (
            select(
                columns.source,
                columns.minute,
                columns.inside,
                columns.why,
                columns.noted_by,
                columns.noted_at,
            )
            .where(
                columns.poller == self.poller,
                columns.minute >= _bound(since),
                columns.minute < _bound(until),
            )
            .order_by(columns.minute, columns.source)
        )
        with self._access.reading() as connection:
            return [
                Correction(
                    source=source,
                    at=read_seen(minute),
                    inside=inside,
                    why=why,
                    by=by,
                    noted_at=read_seen(noted_at),
                )
                for source, minute, inside, why, by, noted_at in connection.execute(query)
            ]

    def correct(self, correction: Correction) -> None:
        """Store a correction. It replaces one of the same source and minute."""
        columns = INSIDE_CORRECTION.c
        key = {
            "poller": self.poller,
            "minute": seen_text(correction.at),
            "source": correction.source,
        }
        with self._access.writing() as connection:
            is_it = (columns[name] == value for name, value in key.items())
            connection.execute(delete(INSIDE_CORRECTION).where(*is_it))
            connection.execute(
                insert(INSIDE_CORRECTION).values(
                    **key,
                    inside=correction.inside,
                    why=correction.why,
                    noted_by=correction.by,
                    noted_at=seen_text(correction.noted_at),
                )
            )

    def imported(self) -> Imported | None:
        return Imports(self._access, self.poller).imported()

    def minutes(
        self, since: datetime, until: datetime, *, sources: Collection[str] | None = None
    ) -> Sequence[tuple[str, Count]]:
        chosen = () if sources is None else (PASSAGE_MINUTE.c.source.in_(sources),)
        with self._access.reading() as connection:
            found = connection.execute(self._sums(PASSAGE_MINUTE.c.minute, since, until, *chosen))
            return sorted((row[0], _count(row[1:])) for row in found)

    def ledger(self, *, rejected: bool, most: int) -> tuple[LedgerRow, ...]:
        states = ("rejected",) if rejected else ("done", "rejected")
        with self._access.reading() as connection:
            # Query each state separately, so that the index is used.
            asked = [{"poller": self.poller, "state": state, "most": most} for state in states]
            rows = [row for each in asked for row in connection.execute(_NEWEST, each)]
        rows.sort(key=lambda row: (row[-1], row[0]), reverse=True)
        return tuple(_ledger_row(row[1:]) for row in rows[:most])

    def free_bytes(self) -> int | None:
        if self._access.folder is None:
            return None
        try:
            found = os.statvfs(self._access.folder)
        except OSError:
            return None  # the next use of the database reports the error
        return found.f_bavail * found.f_frsize

    def files_since(self, since: datetime) -> Mapping[str, int]:
        """Return how many files were stored (`done`) and rejected (`rejected`) since an instant."""
        columns = INGESTED_FILE.c
        query = (
            select(columns.state, func.count())
            .where(
                columns.poller == self.poller,
                columns.state.in_(("done", "rejected")),  # all states; so that the index is used
                columns.ingested_at >= _bound(since),
            )
            .group_by(columns.state)
        )
        with self._access.reading() as connection:
            found = {row[0]: int(row[1]) for row in connection.execute(query)}
        return {"done": found.get("done", 0), "rejected": found.get("rejected", 0)}

    def prune(self, before: datetime, *, most: int) -> int:
        bound = _bound(before)
        forgotten = forget_arrivals(self._access, self.poller, bound)
        forgetting = (forget_passages, forget_files, forget_lags)
        return forgotten + sum(forget(self._access, self.poller, bound, most=most) for forget in forgetting)

    def note_checks(self, rows: Sequence[LagRow], hours: Hours) -> StoreOutcome:
        return self._checks.note(rows, hours)

    def server_hours(
        self, since: datetime, until: datetime, *, servers: Collection[str] | None = None
    ) -> tuple[tuple[str, str, HourCount], ...]:
        return read_hours(self._access, self.poller, _bound(since), _bound(until), servers=servers)

    def server_sums(self, since: datetime, until: datetime) -> Mapping[str, HourCount]:
        """Return the sums of each server over the hours with since <= hour < until."""
        return sum_hours(self._access, self.poller, _bound(since), _bound(until))

    def server_lags(
        self, servers: Collection[str], since: datetime, until: datetime, *, most: int
    ) -> tuple[LagRow, ...]:
        """Return the newest `most` rows of these servers with since <= checked_at < until, oldest first.

        Ask for all servers at once: rows are ordered by time, so each query reads the rows of all servers.
        """
        return read_lags(self._access, self.poller, _bound(since), _bound(until), servers=servers, most=most)

    def _ingest(
        self, files: Sequence[ToIngest], *, now: datetime, keep_rows: bool, came: Sequence[Came]
    ) -> tuple[Outcome, ...]:
        with self._access.writing_raw() as connection:
            ledger = in_ledger(connection, self.poller, {file.fingerprint for file in files})
            made = plan(files, ledger)
            # First what may conflict with other processes: `rows` can be read only once.
            try:
                stored = write_ledger(connection, self.poller, made, now=now, keep_rows=keep_rows)
                write_counts(connection, self.poller, stored)
                note_arrivals(connection, self.poller, came, here=self.here, now=now)
            except DBAPIError as error:
                if is_conflict(error):
                    raise _OvertakenError(error) from None
                raise
            if keep_rows and stored:
                add_rows(connection, stored)
        return tuple(made.outcomes)

    def _sums(
        self, by: Column[Any], since: datetime, until: datetime, *also: ColumnElement[bool]
    ) -> Select[Any]:
        """Return the query of the sums over the minutes with since <= minute < until, by a column."""
        columns = PASSAGE_MINUTE.c
        return (
            select(
                by,
                func.sum(columns.n_in),
                func.sum(columns.n_out),
                func.sum(columns.n_other),
                func.min(columns.first_at),
                func.max(columns.last_at),
            )
            .where(
                columns.poller == self.poller,
                columns.minute >= _bound(since),
                columns.minute < _bound(until),
                *also,
            )
            .group_by(by)
        )


class _OvertakenError(Exception):
    """Another process was faster. Nothing was stored, and `rows` was not read."""

    def __init__(self, cause: DBAPIError) -> None:
        super().__init__()
        self.cause = cause


def _bound(at: datetime) -> str:
    """Round an instant up to a whole second, since stored instants are cut to the second."""
    return seen_text(at + timedelta(microseconds=999_999))


def _count(row: Sequence[Any]) -> Count:
    n_in, n_out, n_other, first_at, last_at = row
    return Count(int(n_in), int(n_out), int(n_other), first_at, last_at)  # sums may be Decimal


def _ledger_row(row: Sequence[Any]) -> LedgerRow:
    source, sha256, name, size, records, state, reason, ingested_at = row
    return LedgerRow(
        source=source,
        sha256=sha256.hex(),
        name=name,
        size=size,
        records=records,
        state=state,
        reason=reason,
        ingested_at=read_seen(ingested_at),
    )
