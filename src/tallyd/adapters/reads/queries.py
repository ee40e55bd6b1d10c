"""One query to a database that is not ours: in a read-only transaction, with a time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from tallyd.adapters.records.engine.engines import engine_of
from tallyd.adapters.records.engine.errors import (
    CANT_OPEN,
    CROWDED,
    ENDING,
    HELD,
    LOST,
    NO_TABLES,
    SLOW,
    SYNTAX,
    reason_of,
)
from tallyd.core.errors import RecordsError, SourceError
from tallyd.core.language.messages import english, mark

Rows: TypeAlias = tuple[tuple[object, ...], ...]

MOST_ROWS: Final = 2
"""One is wanted; a second one is enough to see that the query is wrong."""
_AWAY: Final = (LOST, SLOW, HELD, CROWDED, ENDING)
"""What says nothing about the query."""
_NOT_OURS: Final = {
    NO_TABLES: mark("it does not know a table or column of the query, or cannot run it"),
    SYNTAX: mark("it cannot read the query; write one SELECT, in the SQL of this database"),
    CANT_OPEN: mark("the file is missing or can't be opened"),
}
_STEPS: Final = 10_000
"""Between two looks at the clock, in steps of SQLite's machine: about a millisecond."""


class QueryFailed(Exception):  # noqa: N818 # named after the finding
    """The database answered that it cannot run the query. The text says why, without a value."""


class Databases:
    """Databases by their URLs, each with a few connections. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engines: dict[tuple[str, float], tuple[Engine, str]] = {}

    def connected_to(self, url: str, *, timeout_s: float) -> tuple[Engine, str]:
        """Return the engine of a URL and its name for messages. Raises `SourceError`."""
        with self._lock:
            key = url, timeout_s
            try:
                if key not in self._engines:
                    self._engines[key] = engine_of(url, patience_s=timeout_s, reads_only=True)
            except RecordsError as error:
                raise SourceError(error.text, transient=False) from None
            return self._engines[key]

    def place_of(self, url: str, *, timeout_s: float) -> str:
        """Return the name for messages, as far as it is known."""
        _, place = self._engines.get((url, timeout_s), (None, mark("the database")))
        return place

    def close(self) -> None:
        """Close the connections that are not in use. A further call does nothing."""
        with self._lock:
            for engine, _ in self._engines.values():
                engine.dispose()
            self._engines.clear()


def rows_of(engine: Engine, place: str, query: str, *, timeout_s: float) -> Rows:
    """Return the first rows of a query.

    Raises `SourceError` if the database is away, and `QueryFailed` if it cannot run the query.
    """
    deadline_s = time.monotonic() + timeout_s
    with _explained(engine, place, has_answered=False):
        connection = engine.connect()
    try:
        with _explained(engine, place, has_answered=True):
            return _fetched(connection, query, deadline_s)
    finally:
        connection.close()


def _fetched(connection: Connection, query: str, deadline_s: float) -> Rows:
    """Return the first rows, and roll back.

    The query becomes a part of ours. So it returns few rows, whatever it selects, and only a query can run.
    """
    driver = connection.connection.driver_connection
    if driver is not None and connection.dialect.name == "sqlite":
        driver.set_progress_handler(lambda: time.monotonic() > deadline_s, _STEPS)
    written = query.rstrip().rstrip(";")
    ours = f"SELECT * FROM (\n{written}\n) AS asked LIMIT {MOST_ROWS}"  # noqa: S608 # the config's own words
    # As it is written: no `%` or `:name` in it means anything.
    result = connection.execution_options(no_parameters=True).exec_driver_sql(ours)
    rows = tuple(tuple(row) for row in result)
    connection.rollback()
    return rows


@contextmanager
def _explained(engine: Engine, place: str, *, has_answered: bool) -> Iterator[None]:
    driver = engine.dialect.loaded_dbapi
    try:
        yield
    except RecordsError as error:
        raise SourceError(error.text, transient=True) from None
    except (ValueError, ArithmeticError):
        # A driver could not read a value, such as MariaDB's 0000-00-00. Its text would hold that value.
        raise QueryFailed(mark("its value can't be read")) from None
    except (SQLAlchemyError, driver.Error) as error:
        reason = reason_of(error)
        for ours, theirs in _NOT_OURS.items():
            reason = reason.replace(ours, theirs)
        if has_answered and not reason.startswith(_AWAY):
            raise QueryFailed(reason) from None
        raise SourceError(english("{place}: {why}", place=place, why=reason), transient=True) from None
