"""The daemons that use the database, each with a row that it renews.

All instants are the database's own: hosts whose clocks differ still agree on who is gone.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, text, update

from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.tables import HOST, Instant
from tallyd.contract.passages import read_seen, seen_text
from tallyd.core.hosts import FORGOTTEN_AFTER, Duties, Host, Neighbours

_CLOCK: Final = MappingProxyType(
    {
        "sqlite": "SELECT datetime('now') AS at",
        "postgresql": "SELECT date_trunc('second', clock_timestamp() AT TIME ZONE 'UTC') AS at",
        "mysql": "SELECT utc_timestamp() AS at",
    }
)


class HostTable:
    """The row of one daemon: `name` is that of its machine, `folder` where it keeps its state.

    Only one thread at a time uses it.
    """

    def __init__(self, access: Access, *, name: str, folder: str) -> None:
        self._access = access
        self._id = secrets.token_hex(8)
        self._name, self._folder = _storable(name), _storable(folder)
        self._started: str | None = None

    def beat(self, *, version: str, config_digest: str, duties: Duties, now: datetime) -> Neighbours:
        """Note that this daemon runs; return who else does. Raises `RecordsError`.

        The first beat replaces the rows of the daemon that ran here before. `now` is the time on this host.
        """
        with self._access.writing() as connection:
            at = _clock(connection)
            started = self._started or at
            forgotten = seen_text(read_seen(at) - FORGOTTEN_AFTER)
            rows, others = _rows(connection), []
            for row in rows:
                is_former = self._started is None and (row.name, row.folder) == (self._name, self._folder)
                if row.id != self._id and not is_former and row.beat_at >= forgotten:
                    others.append(row)
            # By their keys: a search would lock the rows of others, and two hosts could deadlock.
            kept = {self._id, *(row.id for row in others)}
            if old := [row.id for row in rows if row.id not in kept]:
                connection.execute(delete(HOST).where(HOST.c.id.in_(old)))
            values = {
                "name": self._name,
                "folder": self._folder,
                "version": version,
                "started_at": started,
                "beat_at": at,
                "config_digest": config_digest,
                "pollers": json.dumps({poller: sorted(done) for poller, done in sorted(duties.items())}),
            }
            # No update of a row that is not there: on MariaDB it would lock the gap.
            if any(row.id == self._id for row in rows):
                connection.execute(update(HOST).where(HOST.c.id == self._id).values(values))
            else:
                connection.execute(insert(HOST).values(id=self._id, **values))
            own = connection.execute(select(HOST).where(HOST.c.id == self._id)).one()
        self._started = started
        ahead = now - read_seen(at)
        return Neighbours(me=_host(own, ahead), others=tuple(_host(row, ahead) for row in others))


def read_hosts(access: Access, *, now: datetime) -> tuple[Host, ...]:
    """Return all daemons that have beaten within a day, by name. Raises `RecordsError`."""
    with access.reading() as connection:
        at, rows = read_seen(_clock(connection)), _rows(connection)
    hosts = (_host(row, now - at) for row in rows)
    return tuple(host for host in hosts if now - host.beat_at <= FORGOTTEN_AFTER)


def _rows(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(select(HOST).order_by(HOST.c.name, HOST.c.folder, HOST.c.id)).all()


def _clock(connection: Connection) -> str:
    """Return the time in the database, in UTC."""
    query = text(_CLOCK[connection.dialect.name]).columns(at=Instant)
    return str(connection.execute(query).scalar_one())


def _host(row: Row[Any], ahead: timedelta) -> Host:
    """Return a row as a value. `ahead` is how far the clock of this host is ahead of the database's."""
    duties = {poller: frozenset(done) for poller, done in json.loads(row.pollers).items()}
    return Host(
        id=row.id,
        name=row.name,
        folder=row.folder,
        version=row.version,
        started_at=read_seen(row.started_at) + ahead,
        beat_at=read_seen(row.beat_at) + ahead,
        config_digest=row.config_digest,
        duties=duties,
    )


def _storable(name: str) -> str:
    """Return text that every database accepts: a folder on disk may have bytes that are not text."""
    return name.encode("utf-8", "replace").decode()[:250]
