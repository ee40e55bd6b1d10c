"""A database of each kind, ready to be used."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

from sqlalchemy import NullPool, create_engine, text

from adapters.records.servers import Server
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.poller_records import PollerRecords

_numbers = count(1)


@dataclass(frozen=True)
class Site:
    """One database. Tests share it; each uses its own poller. `server` is None for SQLite."""

    kind: str
    url: str
    database: Database
    server: Server | None

    def new_poller(self) -> str:
        return f"visitors{next(_numbers)}"

    def records(self) -> PollerRecords:
        return self.database.records(self.new_poller())

    def query(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """Return what a person with SQL would see."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement), values)]

    def run(self, statement: str) -> None:
        """Change what is stored, as a person with SQL would."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text(statement))


def passages(site: Site, records: PollerRecords) -> list[tuple[Any, ...]]:
    """Return the passages of a poller, as a person reads them, by file and person."""
    return site.query(
        "SELECT source, person_id, direction, seen_at, frame FROM passage_readable"
        " WHERE poller=:poller ORDER BY file_id, person_id",
        poller=records.poller,  # only for looking into the database
    )
