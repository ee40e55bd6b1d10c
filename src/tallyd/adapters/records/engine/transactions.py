"""Transactions: how they begin and end, and how their errors are explained."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from tallyd.adapters.records.engine.engines import PATIENCE_S, engine_of, folder_of, for_writing
from tallyd.adapters.records.engine.errors import explained
from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import english

QUEUE_S: Final = 30.0
"""On SQLite there is one writer at a time. How long to wait for the other writers of this process."""


class Access:
    """A database with a pool of connections. Thread-safe.

    `get_ready` is called before each transaction, except for `reading_as_it_is`.
    """

    def __init__(self, url: str, *, patience_s: float = PATIENCE_S) -> None:
        self.engine, self.place = engine_of(url, patience_s=patience_s)
        self.folder: Final = folder_of(url)
        self.kind: Final = self.engine.dialect.name
        self.get_ready: Callable[[], None] = lambda: None
        # SQLite waits by polling, which is unfair. Whoever is next holds `_next`, so that a thread which
        # writes all the time lets others in between.
        self._next, self._writer = threading.Lock(), threading.Lock()
        driver = self.engine.dialect.loaded_dbapi
        self._errors: tuple[type[Exception], ...] = (SQLAlchemyError, driver.Error)

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction for reading. Raises `RecordsError`."""
        self.get_ready()
        with self.reading_as_it_is() as connection:
            yield connection

    @contextmanager
    def reading_as_it_is(self) -> Iterator[Connection]:
        """Like `reading`, but does not update the tables first."""
        with self.explaining(), self._transaction(writes=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction for writing.

        It commits at the end; any exception rolls it back. Raises `RecordsError`.
        """
        with self.explaining(), self.writing_raw() as connection:
            yield connection

    @contextmanager
    def writing_raw(self) -> Iterator[Connection]:
        """Like `writing`, but with the errors of SQLAlchemy and the driver."""
        self.get_ready()
        with self._queue(), self._transaction(writes=True) as connection:
            yield connection

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Convert errors of SQLAlchemy and the driver into `RecordsError`."""
        try:
            yield
        except self._errors as error:
            # `from None`: the error's own text may contain values, and a traceback would print it.
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
        text = english("{database}: other threads of tallyd keep it busy", database=self.place)
        return RecordsError(text)

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
        # After a full disk SQLite has already rolled back. The driver knows that and sends nothing.
        try:
            connection.rollback()
        except self._errors:
            connection.invalidate()  # the connection is lost; the first error says why
