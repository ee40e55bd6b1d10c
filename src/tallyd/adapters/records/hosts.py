"""The daemons that use the database, each with a row that it renews.

All instants are the database's own: hosts whose clocks differ still agree on who is gone.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from tallyd.adapters.records.clock import clock_of
from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.tables import HOST
from tallyd.contract.passages import read_seen, seen_text
from tallyd.core.hosts import FORGOTTEN_AFTER, Duties, Host, Neighbours, storable

# Made once: SQLAlchemy needs longer to make a statement than SQLite to execute it.
_ALL: Final = select(HOST).order_by(HOST.c.name, HOST.c.folder, HOST.c.id)
_RENEW: Final = update(HOST).where(HOST.c.id == bindparam("own"))


class HostTable:
    """The row of one daemon: `name` is that of its machine, `folder` where it keeps its state.

    Only one thread at a time uses it.
    """

    def __init__(self, access: Access, *, name: str, folder: str) -> None:
        self._access = access
        self._id = secrets.token_hex(8)
        self._name, self._folder = storable(name), storable(folder)
        self._started: str | None = None
        self._is_noted = False

    def beat(
        self, *, version: str, config_digest: str, duties: Duties, now: Callable[[], datetime]
    ) -> Neighbours:
        """Note that this daemon runs; return who else does. Raises `RecordsError`.

        The first beat replaces the rows of the daemon that ran here before. `now` is the clock of this host:
        it is read once the database answers, so that a slow connection does not look like a wrong clock.
        """
        self._is_noted = False
        with self._access.writing() as connection:
            clock = clock_of(connection, now())
            ahead, at = now() - clock, seen_text(clock)
            others, is_there = self._tidied(connection, forgotten=seen_text(clock - FORGOTTEN_AFTER))
            values = {
                "id": self._id,
                "name": self._name,
                "folder": self._folder,
                "version": version,
                "started_at": self._started or at,
                "beat_at": at,
                "ahead_s": ahead.total_seconds(),
                "config_digest": config_digest,
                "pollers": json.dumps({poller: sorted(done) for poller, done in sorted(duties.items())}),
            }
            # No update of a row that is not there: on MariaDB it would lock the gap.
            if is_there:
                connection.execute(_RENEW, {**values, "own": self._id})
            else:
                connection.execute(insert(HOST), values)
        own = SimpleNamespace(**values)
        self._started, self._is_noted = own.started_at, True
        return Neighbours(me=_host(own, ahead), others=tuple(_host(row, ahead) for row in others))

    def _tidied(self, connection: Connection, *, forgotten: str) -> tuple[Sequence[Row[Any]], bool]:
        """Delete rows that nobody renews; return those of other daemons, and whether this one has a row."""
        rows = {row.id: row for row in _rows(connection)}
        is_there = rows.pop(self._id, None) is not None
        others = {
            each: row
            for each, row in rows.items()
            if row.beat_at >= forgotten
            and (self._started or (row.name, row.folder) != (self._name, self._folder))
        }
        # By their keys: a search would lock the rows of others, and two hosts could deadlock.
        if old := [each for each in rows if each not in others]:
            connection.execute(delete(HOST).where(HOST.c.id.in_(old)))
        return tuple(others.values()), is_there

    def leave(self) -> None:
        """Delete the row: this daemon stops. Nothing waits for a database that did not take the last beat.

        Raises `RecordsError`.
        """
        if self._is_noted:
            with self._access.writing() as connection:
                connection.execute(delete(HOST).where(HOST.c.id == self._id))


def read_hosts(access: Access, *, now: datetime) -> tuple[Host, ...]:
    """Return all daemons that have beaten within a day, by name. Raises `RecordsError`."""
    with access.reading() as connection:
        ahead, rows = now - clock_of(connection, now), _rows(connection)
    hosts = (_host(row, ahead) for row in rows)
    return tuple(host for host in hosts if now - host.beat_at <= FORGOTTEN_AFTER)


def _rows(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(_ALL).all()


def _host(row: Row[Any] | SimpleNamespace, ahead: timedelta) -> Host:
    """Return a row as a value. `ahead` is how far the clock of this host is ahead of the database's."""
    duties = {poller: frozenset(done) for poller, done in json.loads(row.pollers).items()}
    return Host(
        id=row.id,
        name=row.name,
        folder=row.folder,
        version=row.version,
        started_at=read_seen(row.started_at) + ahead,
        beat_at=read_seen(row.beat_at) + ahead,
        ahead_s=row.ahead_s,
        config_digest=row.config_digest,
        duties=duties,
    )
