"""Which of several daemons on one PostgreSQL is the leader: the one that works. The others stand by.

The leader holds an advisory lock with a session of its own, and says every few seconds that it lives. A
session that is silent is ended, by the server or by who wants the lock. Whoever gets the lock begins a new
*term*, with a token that nobody had before. The lock decides who may begin; the token decides whose changes
count (`postgresql.py`): a process that was frozen while another one took over finds its token gone.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import psycopg

from tallyd.adapters.state.postgresql import LOCK, StateServer, leader_in
from tallyd.adapters.state.server_session import LEASE_S, check_session, connect, explained, place_of
from tallyd.core.leader import Leader, OtherConfig
from tallyd.core.naming import instant_text

TRY_EVERY_S: Final = 5.0
_FREED: Final = "tallyd_leader"
_NOTE_CONFIG: Final = """
INSERT INTO daemon AS known (host, folder, config, config_since, seen_at) VALUES (%s, %s, %s, now(), now())
ON CONFLICT (host, folder) DO UPDATE SET config=excluded.config, seen_at=now(), config_since=
  CASE WHEN known.config=excluded.config THEN known.config_since ELSE now() END
"""
_OTHER_CONFIGS: Final = """
SELECT other.host, other.folder, greatest(other.config_since, coalesce(own.config_since, now()))
FROM daemon AS other LEFT JOIN daemon AS own
  ON own.host=%(host)s AND own.folder=%(folder)s AND own.config=%(config)s
WHERE (other.host, other.folder)<>(%(host)s, %(folder)s) AND other.config<>%(config)s
  AND other.seen_at>now()-interval '1 minute'
ORDER BY 1, 2
"""


class Leadership:
    """The right to work. `host` and `folder` are those of this daemon. Thread-safe; raises `StateError`.

    `config` is the digest of its active config; `other_configs` are the daemons that have another one, as of
    the last try.
    """

    def __init__(self, url: str, *, host: str, folder: str, config: str = "") -> None:
        self._url, self._host, self._folder, self.config = url, host, folder, config
        self.other_configs: tuple[OtherConfig, ...] = ()
        self._place = place_of(url)
        self._lock = threading.Lock()
        self._session: psycopg.Connection[Any] | None = None
        self._has_tables = False
        self.token: str | None = None

    def take(self, *, now: datetime) -> bool:
        """Become the leader if nobody is. Return whether this daemon is it now."""
        with self._lock, explained(self._place):
            db = self._connected()
            self._compare_configs(db)
            if not _takes_lock(db):
                _end_silent_leader(db)
                return False
            token = secrets.token_hex(16)
            try:
                _end_former_leader(db)
                db.execute(
                    "UPDATE leader"
                    " SET term=term+1, commits=commits+1, token=%s, host=%s, folder=%s, since=%s",
                    (token, self._host, self._folder, instant_text(now)),
                )
            except psycopg.Error:
                db.close()  # and the lock is free
                raise
            self.token = token
            return True

    def keep(self) -> bool:
        """Say that this leader lives. Return false if another one has taken over.

        If the session was lost, and nobody took over since, the lock is taken again, and the term goes on.
        """
        with self._lock, explained(self._place):
            was_lost = self._session is None or self._session.closed
            db = self._connected()
            if was_lost and not _takes_lock(db):
                return False
            self._compare_configs(db)
            return db.execute("SELECT token FROM leader").fetchone() == (self.token,)

    def leader(self) -> Leader | None:
        """Return who is or was the last leader; None: nobody yet."""
        with self._lock, explained(self._place):
            return leader_in(self._connected())

    def wait(self, timeout_s: float) -> bool:
        """Wait until a leader stops, or for so long; return whether one has stopped."""
        with self._lock, explained(self._place):
            return any(True for _ in self._connected().notifies(timeout=timeout_s, stop_after=1))

    def release(self) -> None:
        """Let the next one begin at once. A further call does nothing."""
        with self._lock:
            if self._session is not None:
                with suppress(psycopg.Error):
                    self._session.execute(f"SELECT pg_advisory_unlock_all(); NOTIFY {_FREED}".encode())
                self._session.close()
                self._session = None

    def _compare_configs(self, db: psycopg.Connection[Any]) -> None:
        """Note the config of this daemon, and find the daemons with another one."""
        db.execute(_NOTE_CONFIG, (self._host, self._folder, self.config))
        self.other_configs = _other_configs(db, self._host, self._folder, self.config)

    def _connected(self) -> psycopg.Connection[Any]:
        if not self._has_tables:
            check_session(self._url)
            StateServer(self._url).close()
            self._has_tables = True
        if self._session is None or self._session.closed:
            db = connect(self._url, name=f"tallyd leader {secrets.token_hex(4)}")
            # A frozen process says nothing: then the server ends this session, and the lock is free.
            db.execute(f"SET idle_session_timeout='{LEASE_S}s'; LISTEN {_FREED}".encode())
            self._session = db
        return self._session


def other_configs(url: str, *, host: str, folder: str, config: str) -> tuple[OtherConfig, ...]:
    """Return the daemons on other machines whose config differs from this one. Raises `StateError`."""
    with explained(place_of(url)), connect(url, name="tallyd check", reads_only=True) as db:
        return _other_configs(db, host, folder, config)


def sharers(url: str) -> frozenset[tuple[str, str]]:
    """Return the host and the folder of each daemon that ever shared this state. Raises `StateError`."""
    with explained(place_of(url)), connect(url, name="tallyd check", reads_only=True) as db:
        return frozenset(db.execute("SELECT host, folder FROM daemon").fetchall())


def _other_configs(
    db: psycopg.Connection[Any], host: str, folder: str, config: str
) -> tuple[OtherConfig, ...]:
    rows = db.execute(_OTHER_CONFIGS, {"host": host, "folder": folder, "config": config})
    return tuple(OtherConfig(host=name, folder=where, since=since) for name, where, since in rows)


def _end_former_leader(db: psycopg.Connection[Any]) -> None:
    """End its sessions: what it has begun must not keep this one waiting, for it may be frozen."""
    db.execute(
        "SELECT pg_terminate_backend(pid) FROM leader JOIN pg_stat_activity"
        " ON starts_with(application_name, 'tallyd ' || left(token, 12))"
        " WHERE datname=current_database() AND usename=current_user"
    )


def _end_silent_leader(db: psycopg.Connection[Any]) -> None:
    """End the session of a leader that has been silent for too long, by the clock of the server."""
    db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE locktype='advisory' AND classid=0 AND objid=%s AND granted AND datname=current_database()"
        " AND usename=current_user AND now()-state_change > %s * interval '1 second'",
        (LOCK, LEASE_S),
    )


def _takes_lock(db: psycopg.Connection[Any]) -> bool:
    return db.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone() == (True,)
