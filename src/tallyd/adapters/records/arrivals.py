"""The newest file of each source, on any of the databases.

Hosts say how long ago a file came, and the database keeps that by its own clock. So hosts whose clocks differ
agree on which source is silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Connection, Row, bindparam, delete, select, update

from tallyd.adapters.records.bulk_insert import second_text
from tallyd.adapters.records.clock import clock_of
from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.tables import ARRIVAL
from tallyd.contract.arrivals import Arrival, Came
from tallyd.contract.passages import read_seen, seen_text

_INTO: Final = (
    "INSERT INTO arrival (poller, source, last_file_at, last_record_at, state, reason, host, seen_at) VALUES "
)
# What is stored may be ahead, if the clock of the database was set back since.
_NOTED: Final = MappingProxyType(
    {
        "sqlite": f"{_INTO}(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (poller, source) DO UPDATE SET"  # constants
        " last_file_at=max(min(last_file_at, excluded.seen_at), excluded.last_file_at), last_record_at="
        "coalesce(max(last_record_at, excluded.last_record_at), last_record_at, excluded.last_record_at),"
        " state=excluded.state, reason=excluded.reason, host=excluded.host, seen_at=excluded.seen_at",
        "postgresql": f"{_INTO}(%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (poller, source)"
        " DO UPDATE SET"
        " last_file_at=greatest(least(arrival.last_file_at, excluded.seen_at), excluded.last_file_at),"
        " last_record_at=greatest(arrival.last_record_at, excluded.last_record_at),"
        " state=excluded.state, reason=excluded.reason, host=excluded.host, seen_at=excluded.seen_at",
        "mysql": f"{_INTO}(%s, %s, %s, %s, %s, %s, %s, %s) ON DUPLICATE KEY UPDATE"  # constants
        " last_file_at=greatest(least(last_file_at, VALUES(seen_at)), VALUES(last_file_at)), last_record_at="
        "coalesce(greatest(last_record_at, VALUES(last_record_at)), last_record_at, VALUES(last_record_at)),"
        " state=VALUES(state), reason=VALUES(reason), host=VALUES(host), seen_at=VALUES(seen_at)",
    }
)
_OF_POLLER: Final = select(ARRIVAL).where(ARRIVAL.c.poller == bindparam("poller"))


def note_arrivals(
    connection: Connection, poller: str, came: Sequence[Came], *, here: str, now: datetime
) -> None:
    """Note what a host says of its sources, in the order of the key: two transactions can't deadlock."""
    if not came:
        return
    at = clock_of(connection, now)
    values = [
        (
            poller,
            each.source,
            seen_text(at - max(now - each.at, timedelta())),
            None if each.last_record is None else second_text(each.last_record),
            each.state,
            each.reason,
            here,
            seen_text(at),
        )
        for each in sorted(came)
    ]
    connection.exec_driver_sql(_NOTED[connection.dialect.name], values)


def read_arrivals(access: Access, poller: str, *, now: datetime) -> Mapping[str, Arrival]:
    """Return the arrivals of a poller, by source."""
    with access.reading() as connection:
        ahead = now - clock_of(connection, now)
        rows = connection.execute(_OF_POLLER, {"poller": poller}).all()
    return {row.source: _arrival(row, ahead, now) for row in rows}


def set_back_arrivals(access: Access, poller: str, *, now: datetime) -> None:
    """Let arrivals that are ahead of now have come now."""
    columns = ARRIVAL.c
    with access.writing() as connection:
        at = seen_text(clock_of(connection, now))
        connection.execute(
            update(ARRIVAL)
            .where(columns.poller == poller, columns.last_file_at > at)
            .values(last_file_at=at, seen_at=at)
        )


def forget_arrivals(access: Access, poller: str, before: str) -> int:
    """Delete the arrivals of before an instant; return how many. A poller has few."""
    columns = ARRIVAL.c
    with access.writing() as connection:
        is_old = (columns.poller == poller, columns.last_file_at < before)
        return connection.execute(delete(ARRIVAL).where(*is_old)).rowcount


def _arrival(row: Row[Any], ahead: timedelta, now: datetime) -> Arrival:
    """Return a row as a value. `ahead` is how far the clock of this host is ahead of the database's."""
    last_file_at = read_seen(row.last_file_at) + ahead
    return Arrival(
        last_file_at=min(last_file_at, now),
        last_record_at=read_seen(row.last_record_at) if row.last_record_at else None,
        state=row.state,
        reason=row.reason,
        host=row.host,
        seen_at=min(read_seen(row.seen_at) + ahead, now),
        is_ahead=last_file_at > now,
    )
