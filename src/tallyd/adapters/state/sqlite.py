"""The state in SQLite: `state.db`, always on a local disk.

WAL mode with `synchronous=FULL`: a commit survives a power failure. Every change is one `BEGIN IMMEDIATE`
transaction.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tallyd.adapters.state.connection import (
    ConflictError,
    StateError,
    TablesError,
    damaged,
    too_new,
)
from tallyd.adapters.state.schema import SCHEMA_VERSION, statements
from tallyd.core.language.messages import english, mark
from tallyd.core.system_words import reason_of

BUSY_S = 1.0
"""How long a transaction waits for another process. Meanwhile all threads of this process wait too."""


class StateFile:
    """An open state.db. Satisfies `StateConnection`.

    Opening checks the file (`PRAGMA quick_check`) and creates the tables of a new one. With `reads_only` it
    is opened beside another connection that writes, in this process or another one. Then nothing is created
    or checked, and a transaction fails.
    """

    def __init__(self, path: Path, *, reads_only: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        if reads_only:
            self._open_to_read()
            return
        with self._explained():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            found = os.fstat(descriptor)
            os.close(descriptor)
            self._identity = (found.st_dev, found.st_ino)
            self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    @property
    def place(self) -> str:
        return str(self.path)

    def _open_to_read(self) -> None:
        with self._explained():
            # stat only: closing any descriptor of the file would drop SQLite's locks in this process.
            found = self.path.stat()
            self._identity = (found.st_dev, found.st_ino)
            self._db = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=BUSY_S,
                isolation_level=None,
                check_same_thread=False,
            )

    def _prepare(self) -> None:
        with self._explained(opening=True):
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            (sound,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if sound != "ok":
            raise damaged(self.path, sound)
        if version > SCHEMA_VERSION:
            raise too_new(self.path)
        if version == 0:
            self._create()

    def _create(self) -> None:
        with self.transaction() as db:
            # Check again: another process may have been faster.
            if db.execute("PRAGMA user_version").fetchone() == (0,):  # pragma: no branch: see above
                if db.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
                    raise damaged(self.path, mark("it has tables but no version"))
                for statement in statements():
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def confirm(self) -> None:
        """Nothing to ask: the lock file keeps any other daemon away."""

    def leader(self) -> None:
        """Nobody else can be it."""

    def is_in_place(self) -> bool:
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def version(self) -> tuple[int, int]:
        with self.reading() as db:
            return db.execute("PRAGMA data_version").fetchone()[0], db.total_changes

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            is_part = self._db.in_transaction
            if is_part:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                # After a full disk SQLite has already rolled back. A second ROLLBACK would hide the first
                # error.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained():
            yield self._db

    @property
    def is_changing(self) -> bool:
        return self._db.in_transaction

    @contextmanager
    def _explained(self, *, opening: bool = False) -> Iterator[None]:
        """Convert errors of SQLite and the file system into `StateError`, with the path and the reason."""
        try:
            yield
        except sqlite3.OperationalError as error:
            # No code: Python found text that is not UTF-8. A full or locked disk has its own code. Our
            # statements are fixed, so the general code means a wrong schema; while opening, a wrong header.
            code = getattr(error, "sqlite_errorcode", None)
            if code is None or (opening and code == sqlite3.SQLITE_ERROR):
                raise damaged(self.path, error) from error
            kind = TablesError if code == sqlite3.SQLITE_ERROR else StateError
            raise kind(english("{place}: {why}", place=self.path, why=error)) from error
        except UnicodeDecodeError as error:
            # SQLite quotes the damaged text in its message, and Python can't decode that.
            raise damaged(self.path, error.reason) from error
        except sqlite3.IntegrityError as error:
            raise ConflictError(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, error) from error
        except OSError as error:
            raise StateError(english("{place}: {why}", place=self.path, why=reason_of(error))) from error
