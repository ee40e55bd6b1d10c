"""The state in PostgreSQL, in a schema of its own, so that two daemons on two machines share it.

Import it only if psycopg is wanted: it is an extra.

One row of the table `leader` orders all changes: each transaction first counts itself there. So nobody else
changes anything meanwhile, as with SQLite; everybody sees whether something has changed; and a daemon that
is not the leader any more changes nothing, because its token is not found (`leadership.py`).
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, Final

import psycopg

from tallyd.adapters.state.connection import (
    DeposedError,
    Rows,
    StateError,
    Values,
    too_new,
)
from tallyd.adapters.state.schema import SCHEMA_VERSION, statements
from tallyd.adapters.state.server_session import SCHEMA, connect, explained, place_of
from tallyd.core.language.messages import english, mark
from tallyd.core.leader import Leader
from tallyd.core.naming import read_instant

LOCK: Final = 0x7461_6C6C
"""The key of the leader's lock: "tall"."""
AGAIN_AFTER_S: Final = 2.0
"""After a failed connection the next one is tried after this pause. Meanwhile nobody waits."""
RESOLVED_WITHIN_S: Final = 10.0
"""How long to find out whether a commit whose answer got lost has happened."""
_LEADER: Final = """
CREATE TABLE leader (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id=1), schema_version INTEGER NOT NULL, commits INTEGER NOT NULL,
  term INTEGER NOT NULL, token TEXT, host TEXT, folder TEXT, since TEXT
);
CREATE TABLE daemon (
  host TEXT NOT NULL, folder TEXT NOT NULL, config TEXT NOT NULL, config_since TIMESTAMPTZ NOT NULL,
  seen_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (host, folder)
);
INSERT INTO leader (id, schema_version, commits, term) VALUES (1, {version}, 0, 0)
"""


class StateServer:
    """The state on a server. Satisfies `StateConnection`.

    `token` is that of the leader: then each change fails with `DeposedError` once there is another one. None:
    a command, which may change things beside the leader. With `reads_only`, nothing can be changed, and the
    tables must be there. A connection that was lost is made anew by the next call.
    """

    def __init__(self, url: str, *, token: str | None = None, reads_only: bool = False) -> None:
        self._url, self._token, self._reads_only = url, token, reads_only
        self.place = place_of(url)
        # By the first part, the next leader finds the sessions of this one.
        self._name = f"tallyd {token[:12] if token else 'command'} {secrets.token_hex(6)}"
        self._lock = threading.RLock()
        self._db: psycopg.Connection[Any] | None = None
        self._is_changing = False
        self._is_closed = False
        self._own_commits = 0
        self._failed: tuple[float, str] | None = None
        try:
            with self._lock, explained(self.place):
                self._prepare(self._connected())
        except BaseException:
            self.close()
            raise

    # -- the port ----------------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[_Statements]:
        with self._lock, explained(self.place):
            if self._is_changing:
                yield _Statements(self._connected())
                return
            db = self._connected()
            xid = self._begin(db)
            self._is_changing = True
            try:
                yield _Statements(db)
            except BaseException:
                _roll_back(db)
                raise
            finally:
                self._is_changing = False
            self._commit(db, xid)
            self._own_commits += 1

    @contextmanager
    def reading(self) -> Iterator[_Statements]:
        with self._lock, explained(self.place):
            yield _Statements(self._connected())

    @property
    def is_changing(self) -> bool:
        return self._is_changing

    def version(self) -> tuple[int, int]:
        with self.reading() as db:
            (commits,) = db.execute("SELECT commits FROM leader").fetchone()
        return commits - self._own_commits, self._own_commits

    def is_in_place(self) -> bool:
        return True  # what was dropped raises `TablesError`

    def confirm(self) -> None:
        """Raise `DeposedError` if there is a newer leader, `StateError` if nobody can say now."""
        with self.reading() as db:
            if db.execute("SELECT 1 FROM leader WHERE token=?", (self._token,)).fetchone() is None:
                raise DeposedError(self.place)

    def leader(self) -> Leader | None:
        with self._lock, explained(self.place):
            return leader_in(self._connected())

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._db is not None:
                self._db.close()

    # -- connection --------------------------------------------------------------------------------------

    def _connected(self) -> psycopg.Connection[Any]:
        if self._db is not None and not self._db.closed:
            return self._db
        if self._is_closed:
            raise StateError(
                english("{place}: {why}", place=self.place, why=mark("the connection is closed"))
            )
        if self._is_changing:  # its changes are lost; the block must end
            raise psycopg.OperationalError("the connection was lost")
        if self._failed is not None and time.monotonic() < self._failed[0]:
            raise StateError(self._failed[1])
        try:
            with explained(self.place):
                self._db = connect(self._url, name=self._name, reads_only=self._reads_only)
                self._end_former_sessions(self._db)
        except StateError as error:
            self._failed = (time.monotonic() + AGAIN_AFTER_S, str(error))
            raise
        self._failed = None
        return self._db

    def _end_former_sessions(self, db: psycopg.Connection[Any]) -> None:
        """End a session of ours that was cut off, before its locks hold us up."""
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name=%s AND usename=current_user AND pid<>pg_backend_pid()",
            (self._name,),
        )

    def _prepare(self, db: psycopg.Connection[Any]) -> None:
        """Create the tables of a new database, and check the version of those that are there."""
        found = db.execute("SELECT to_regclass('leader') IS NOT NULL").fetchone()
        if found == (False,) and not self._reads_only:
            with db.transaction():
                # One of two daemons that start at the same time waits for the other one here.
                db.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (SCHEMA,))
                found = db.execute("SELECT to_regclass('leader') IS NOT NULL").fetchone()
                if found == (False,):  # pragma: no branch: see above
                    db.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}".encode())
                    for statement in (*statements(), *statements(_LEADER.format(version=SCHEMA_VERSION))):
                        db.execute(_of_postgresql(statement).encode())
        (version,) = db.execute("SELECT schema_version FROM leader").fetchone() or (0,)
        if version > SCHEMA_VERSION:
            raise too_new(self.place)

    # -- transactions ------------------------------------------------------------------------------------

    def _begin(self, db: psycopg.Connection[Any]) -> str:
        """Begin a transaction, and count it; return its number. Others wait until it ends."""
        # The token is ours, and hexadecimal. A parameter would cost a second round trip.
        is_leader = "" if self._token is None else f" WHERE token='{self._token}'"
        count = f"UPDATE leader SET commits=commits+1{is_leader} RETURNING pg_current_xact_id()"  # noqa: S608 # see above
        try:
            cursor = db.execute(f"BEGIN; {count}".encode())
            cursor.nextset()
            row = cursor.fetchone()
        except BaseException:
            _roll_back(db)
            raise
        if row is None:
            _roll_back(db)
            raise DeposedError(self.place)
        return str(row[0])

    def _commit(self, db: psycopg.Connection[Any], xid: str) -> None:
        try:
            done = db.execute("COMMIT").statusmessage
        except psycopg.OperationalError:
            if not self._has_committed(xid):
                raise
        else:
            if done != "COMMIT":  # a statement had failed, and somebody went on
                raise StateError(
                    english("{place}: {why}", place=self.place, why=mark("the change was undone"))
                )

    def _has_committed(self, xid: str) -> bool:
        """Whether a transaction was committed whose answer got lost. Raises what the connection raises."""
        # Only in tests/campaigns/standby.py is the server away for longer, or the COMMIT still on its way.
        until_s = time.monotonic() + RESOLVED_WITHIN_S
        while True:
            try:
                row = self._connected().execute("SELECT pg_xact_status(%s::xid8)", (xid,)).fetchone()
            except (StateError, psycopg.OperationalError):  # pragma: no cover: see above
                if time.monotonic() > until_s:
                    raise
                time.sleep(AGAIN_AFTER_S / 4)
                continue
            if row != ("in progress",) or time.monotonic() > until_s:
                return row == ("committed",)
            time.sleep(0.05)  # pragma: no cover: see above


def _roll_back(db: psycopg.Connection[Any]) -> None:
    with suppress(psycopg.Error):
        db.execute("ROLLBACK")


def leader_in(db: psycopg.Connection[Any]) -> Leader | None:
    """Return who works, or worked last; None: nobody yet."""
    row = db.execute(
        "SELECT term, host, folder, since, EXISTS (SELECT 1 FROM pg_locks WHERE locktype='advisory'"
        " AND database=(SELECT oid FROM pg_database WHERE datname=current_database())"
        " AND classid=0 AND objid=%s AND granted) FROM leader",
        (LOCK,),
    ).fetchone()
    if row is None or row[3] is None:
        return None
    return Leader(term=row[0], host=row[1], folder=row[2], since=read_instant(row[3]), is_there=row[4])


class _Statements:
    """Executes statements of this folder on a connection."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Values = (), /) -> Rows:
        return self._connection.execute(_rewritten(statement), _sound(values))

    def executemany(self, statement: str, rows: Iterable[Values], /) -> Rows:
        cursor = self._connection.cursor()
        if found := [_sound(each) for each in rows]:
            cursor.executemany(_rewritten(statement), found)
        return cursor


@cache
def _rewritten(statement: str) -> str:
    """Return a statement with psycopg's placeholders."""
    return re.sub(r":([a-z_]+)", r"%(\1)s", statement.replace("?", "%s"))


def _sound(values: Values) -> Any:
    """Return values without the one character that no text of PostgreSQL can hold."""
    if isinstance(values, dict):
        return {name: _without_nul(each) for name, each in values.items()}
    return [_without_nul(each) for each in values]


def _without_nul(value: object) -> object:
    return value.replace("\0", "\N{SYMBOL FOR NULL}") if isinstance(value, str) else value


def _of_postgresql(statement: str) -> str:
    """Return a statement of the schema: text is compared by its bytes, and numbers are long."""
    text = statement.replace("INTEGER PRIMARY KEY", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY")
    return text.replace(" INTEGER", " BIGINT").replace(" TEXT", ' TEXT COLLATE "C"')
