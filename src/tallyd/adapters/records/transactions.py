"""Transactions: how one begins and ends, and how its failures are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from tallyd.adapters.records.engines import PATIENCE_S, engine_of, folder_of, for_writing
from tallyd.adapters.records.errors import explained
from tallyd.core.errors import RecordsError

QUEUE_S: Final = 30.0
"""So long a writer waits for the writers of this process before it, where there can be only one."""


class Access:
    """A database, through a pool of connections. Any number of threads.

    `get_ready` is called before each transaction but those of `reading_as_it_is`.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S) -> None:
        self.engine, self.place = engine_of(url, patience_s=patience_s)
        self.folder: Final = folder_of(url)
        self.kind: Final = self.engine.dialect.name
        self.get_ready: Callable[[], None] = _is_ready
        # SQLite's own way of waiting is to look again now and then, which serves some and not others. Who is
        # next holds `_next`, so that one who writes again and again lets the others in between.
        self._next, self._writer = threading.Lock(), threading.Lock()
        driver = self.engine.dialect.loaded_dbapi
        self._errors: tuple[type[Exception], ...] = (SQLAlchemyError, driver.Error)

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads. Raises `RecordsError`."""
        self.get_ready()
        with self.reading_as_it_is() as connection:
            yield connection

    @contextmanager
    def reading_as_it_is(self) -> Iterator[Connection]:
        """`reading`, whatever tables there are."""
        with self.told(), self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that ends in a commit, or is rolled back by any exception. Raises `RecordsError`."""
        with self.told(), self.untold_writing() as connection:
            yield connection

    @contextmanager
    def untold_writing(self) -> Iterator[Connection]:
        """`writing`, with the errors of SQLAlchemy and the driver as they are."""
        self.get_ready()
        with self._queue(), self._transaction(writes=True) as connection:
            yield connection

    @contextmanager
    def told(self) -> Iterator[None]:
        """Turn what SQLAlchemy and the driver raise into `RecordsError`."""
        try:
            yield
        except self._errors as error:
            # `from None`: the error's own text may hold values, and a traceback would print it.
            raise explained(self.place, error) from None

    @contextmanager
    def _queue(self) -> Iterator[None]:
        if self.kind != "sqlite":
            yield
            return
        deadline = time.monotonic() + QUEUE_S
        if not self._next.acquire(timeout=QUEUE_S):
            raise self._busy()
        try:
            if not self._writer.acquire(timeout=max(0.0, deadline - time.monotonic())):
                raise self._busy()
        finally:
            self._next.release()
        try:
            yield
        finally:
            self._writer.release()

    def _busy(self) -> RecordsError:
        return RecordsError(f"{self.place}: other work of tallyd's own keeps it busy")

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        connection = self.engine.connect()
        try:
            if writes:
                connection = for_writing(connection)
            connection.begin()
            yield connection
            connection.commit()
        except BaseException:
            self._roll_back(connection)
            raise
        finally:
            connection.close()

    def _roll_back(self, connection: Connection) -> None:
        # A full disk has rolled SQLite back already; the driver knows, and then sends nothing.
        try:
            connection.rollback()
        except self._errors:
            connection.invalidate()  # it is lost, and the first error tells why


def _is_ready() -> None:
    """Nothing is to be done first."""
