"""The time in a database: what hosts whose clocks differ can agree on."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, text

_NOW: Final = MappingProxyType(
    {
        "postgresql": "SELECT clock_timestamp() AT TIME ZONE 'UTC'",
        "mysql": "SELECT utc_timestamp(6)",
    }
)


def clock_of(connection: Connection, now: datetime) -> datetime:
    """Return the time in the database. SQLite has none of its own: there it is `now`, of this machine."""
    query = _NOW.get(connection.dialect.name)
    if query is None:
        return now
    found: datetime = connection.execute(text(query)).scalar_one()
    return found.replace(tzinfo=UTC)
