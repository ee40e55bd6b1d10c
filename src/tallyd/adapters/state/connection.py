"""The connection to state.db: opening, schema, transactions and errors."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from tallyd.core.language.messages import english, mark
from tallyd.core.system_words import reason_of

SCHEMA_VERSION = 1
BUSY_S = 1.0
"""How long a transaction waits for another process. Meanwhile all threads of this process wait too."""
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE mark (
  poller TEXT NOT NULL, job TEXT NOT NULL, mark TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (poller, job, mark)
);
CREATE TABLE slot (
  poller TEXT NOT NULL, job TEXT NOT NULL, slot TEXT NOT NULL, due_at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('claimed', 'failed')), starts INTEGER NOT NULL,
  reason TEXT, not_before TEXT,
  PRIMARY KEY (poller, job, slot)
);
CREATE TABLE reading (
  id INTEGER PRIMARY KEY, poller TEXT NOT NULL, kind TEXT NOT NULL, job TEXT NOT NULL, slot TEXT,
  outcome TEXT NOT NULL CHECK (outcome IN ('taken', 'missed')), reason TEXT,
  due_at TEXT, taken_at TEXT NOT NULL, body TEXT, out_name TEXT, written INTEGER NOT NULL,
  part TEXT, latest TEXT,
  UNIQUE (poller, job, slot), UNIQUE (poller, out_name)
);
CREATE INDEX reading_by_time ON reading (poller, taken_at);
CREATE INDEX reading_unwritten ON reading (id) WHERE NOT written;
CREATE INDEX reading_by_slot ON reading (poller, outcome, due_at);
CREATE INDEX reading_of_poller ON reading (poller, coalesce(due_at, taken_at));
CREATE INDEX reading_of_all ON reading (coalesce(due_at, taken_at));
CREATE TABLE memory (poller TEXT NOT NULL, job TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (poller, job));
CREATE TABLE alert (
  key TEXT PRIMARY KEY, body TEXT NOT NULL,
  severity TEXT AS (json_extract(body, '$.severity')) STORED,
  since REAL AS (julianday(json_extract(body, '$.since'))) STORED,
  raised_at TEXT AS (json_extract(body, '$.raised_at')) STORED,
  over_at TEXT AS (json_extract(body, '$.over_at')) STORED
);
CREATE TABLE incident (
  key TEXT NOT NULL, raised_at TEXT NOT NULL, since TEXT NOT NULL, ended_at TEXT,
  is_unwatched INTEGER NOT NULL, severity TEXT NOT NULL, severities TEXT NOT NULL, text TEXT NOT NULL,
  "over" TEXT NOT NULL, fields TEXT NOT NULL, muted_by TEXT, acknowledged TEXT,
  PRIMARY KEY (key, raised_at)
);
CREATE INDEX incident_by_end ON incident (coalesce(ended_at, '9'));
CREATE INDEX incident_by_begin ON incident (since, key, coalesce(ended_at, '9'));
CREATE TABLE incident_notice (
  key TEXT NOT NULL, raised_at TEXT NOT NULL, channel TEXT NOT NULL, news TEXT NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (key, raised_at, channel, news)
) WITHOUT ROWID;
CREATE TABLE uptime (started_at TEXT PRIMARY KEY, seen_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE notified (
  channel TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  PRIMARY KEY (key, channel)
);
CREATE TABLE mute (
  pattern TEXT PRIMARY KEY, since TEXT NOT NULL, until TEXT NOT NULL, why TEXT NOT NULL,
  "by" TEXT NOT NULL, ended_by TEXT, version INTEGER NOT NULL
);
CREATE TABLE outbox (
  poller TEXT NOT NULL, ssid TEXT NOT NULL, day TEXT NOT NULL, body TEXT NOT NULL, version INTEGER NOT NULL,
  slot_at TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'parked')),
  tries INTEGER NOT NULL DEFAULT 0, turn INTEGER NOT NULL DEFAULT 0, failing_since TEXT, last_tried_at TEXT,
  said TEXT CHECK (said IN ('accepted', 'refused', 'never', 'nothing')), answer TEXT, sent_at TEXT,
  PRIMARY KEY (poller, ssid, day)
);
"""


class StateError(Exception):
    """state.db can't be opened, read or written now. The text says why. Nothing was changed."""


class StateTooNewError(StateError):
    """A newer tallyd wrote state.db."""


class StateDamagedError(StateError):
    """state.db is not a database, or a damaged one."""


def damaged(file: Path | str, why: object) -> StateDamagedError:
    """Return the exception for a file that makes no sense."""
    return StateDamagedError(english("{file} is damaged: {why}", file=file, why=why))


class StateFile:
    """An open state.db. The threads of this process share one connection and a lock.

    With `reads_only` it is opened beside another connection that writes, in this process or another one. Then
    nothing is created or checked, and a transaction fails.
    """

    def __init__(self, path: Path, *, reads_only: bool = False) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._data_version: int | None = None
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
            text = english(
                "{file} was written by a newer tallyd; install that version again, or restore a backup",
                file=self.path,
            )
            raise StateTooNewError(text)
        if version == 0:
            self._create()

    def _create(self) -> None:
        with self.transaction() as db:
            # Check again: another process may have been faster.
            if db.execute("PRAGMA user_version").fetchone() == (0,):
                if db.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
                    raise damaged(self.path, mark("it has tables but no version"))
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def is_in_place(self) -> bool:
        """Whether nobody has deleted or replaced the file since it was opened."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def was_changed_elsewhere(self) -> bool:
        """Whether another connection has committed since the last call."""
        version = self.version()[0]
        was_changed, self._data_version = version != self._data_version, version
        return was_changed

    def version(self) -> tuple[int, int]:
        """Return what differs after each change: one number for other connections, one for this one."""
        with self.reading() as db:
            return db.execute("PRAGMA data_version").fetchone()[0], db.total_changes

    def close(self) -> None:
        """Close the connection. A further call does nothing."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """One `BEGIN IMMEDIATE` ... `COMMIT`. Any exception rolls it back. Raises `StateError`.

        Within another transaction it is a part of that one, which commits it or rolls it back.
        """
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
        """The connection, for queries only. Raises `StateError`."""
        with self._lock, self._explained():
            yield self._db

    @property
    def is_changing(self) -> bool:
        """Whether a transaction is open: what is read now may be rolled back."""
        return self._db.in_transaction

    @contextmanager
    def _explained(self, *, opening: bool = False) -> Iterator[None]:
        """Convert errors of SQLite and the file system into `StateError`, with the path and the reason."""
        try:
            yield
        except sqlite3.OperationalError as error:
            # No code: Python found text that is not UTF-8. A full or locked disk has its own code. While
            # opening, our statements are fixed, so the general code means a wrong header or schema.
            code = getattr(error, "sqlite_errorcode", None)
            if code is None or (opening and code == sqlite3.SQLITE_ERROR):
                raise damaged(self.path, error) from error
            raise StateError(english("{place}: {why}", place=self.path, why=error)) from error
        except UnicodeDecodeError as error:
            # SQLite quotes the damaged text in its message, and Python can't decode that.
            raise damaged(self.path, error.reason) from error
        except sqlite3.IntegrityError:
            raise  # a bug in tallyd, not a problem of the disk
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, error) from error
        except OSError as error:
            raise StateError(english("{place}: {why}", place=self.path, why=reason_of(error))) from error


T = TypeVar("T")


class Unchanged(Generic[T]):
    """What was read last, as long as nothing in state.db has changed: many ask, and it may be long."""

    def __init__(self, file: StateFile, read: Callable[[sqlite3.Connection], T]) -> None:
        self._file = file
        self._read = read
        self._found: tuple[tuple[int, int], T] | None = None

    def get(self) -> T:
        """Return it. Nobody may change it. Raises `StateError`."""
        with self._file.reading() as db:
            version = self._file.version()
            if self._found is not None and self._found[0] == version:
                return self._found[1]
            found = self._read(db)
            if not self._file.is_changing:
                self._found = version, found
            return found
