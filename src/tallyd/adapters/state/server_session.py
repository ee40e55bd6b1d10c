"""A session on the PostgreSQL that has the state. Import it only if psycopg is wanted: it is an extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import errors

from tallyd.adapters.records.engine.bounded import BoundedConnection
from tallyd.adapters.records.engine.errors import reason_of
from tallyd.adapters.state.connection import ConflictError, StateError, TablesError
from tallyd.core.language.messages import english, mark

SCHEMA: Final = "tallyd_state"
ANSWER_S: Final = 12.0
"""Time limit for one answer."""
LEASE_S: Final = 20
"""A session that is silent for so long within a transaction, or with the lock of the leader, is ended: its
process is frozen, or cut off."""
_SESSION: Final = (
    "SET search_path={schema}; SET TimeZone='UTC'; SET DateStyle='ISO'; SET lock_timeout='8s';"
    " SET statement_timeout='10s'; SET idle_in_transaction_session_timeout='{lease}s';"
    " SET tcp_keepalives_idle=5; SET tcp_keepalives_interval=5; SET tcp_keepalives_count=3;"
    " SET default_transaction_read_only={reads_only}"
)
_CONNECTING: Final = {
    "connect_timeout": 5,
    "client_encoding": "utf8",
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "target_session_attrs": "read-write",  # of several hosts in the URL, the one that is the primary now
}
_OLDEST: Final = 140000
"""PostgreSQL 14 has `idle_session_timeout`."""


def connect(url: str, *, name: str, reads_only: bool = False) -> psycopg.Connection[Any]:
    """Connect, with a time limit for each answer. Raises `psycopg.Error` and `StateError`.

    `name` is what `pg_stat_activity` shows. Without a transaction, each statement is one.
    """
    wanted = psycopg.conninfo.conninfo_to_dict(url.replace("postgresql+psycopg://", "postgresql://", 1))
    options = {**_CONNECTING, "application_name": name, **wanted}
    if reads_only:
        options.pop("target_session_attrs")
    connection = BoundedConnection.connect(**options, autocommit=True, prepare_threshold=None)  # type: ignore[arg-type] # one mapping for options of several types
    connection.answer_s = ANSWER_S
    try:
        _check_server(connection)
        session = _SESSION.format(schema=SCHEMA, lease=LEASE_S, reads_only="on" if reads_only else "off")
        connection.execute(session.encode())
    except BaseException:
        connection.close()
        raise
    return connection


def _check_server(connection: psycopg.Connection[Any]) -> None:
    if connection.info.server_version < _OLDEST:  # pragma: no cover: no test has so old a server
        raise StateError(mark("state.url: tallyd needs PostgreSQL 14 or newer"))
    if connection.info.parameter_status("server_encoding") != "UTF8":
        raise StateError(
            mark("state.url: the encoding of the database is not UTF8; create it with ENCODING 'UTF8'")
        )


def place_of(url: str) -> str:
    """Return what people call the database: its host, and never a password."""
    known = psycopg.conninfo.conninfo_to_dict(url.replace("postgresql+psycopg://", "postgresql://", 1))
    host, port = known.get("host"), known.get("port")
    if not host or str(host).startswith("/"):
        return mark("PostgreSQL on this machine")
    address = f"{host}:{port}" if port else str(host)
    return english("PostgreSQL at {address}", address=address)


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Convert errors of the driver into `StateError`, in our own words: theirs may hold values."""
    try:
        yield
    except (errors.UniqueViolation, errors.CheckViolation, errors.NotNullViolation) as error:
        raise ConflictError(type(error).__name__) from error
    except psycopg.Error as error:
        is_tables = isinstance(error, errors.UndefinedTable | errors.UndefinedColumn)
        kind = TablesError if is_tables else StateError
        raise kind(english("{place}: {why}", place=place, why=reason_of(error))) from error


def check_session(url: str) -> None:
    """Raise `StateError` if sessions are shared: a pooler lends each transaction another one.

    Then a lock belongs to nobody. Two connections at the same time must be two sessions.
    """
    place = place_of(url)
    with (
        explained(place),
        connect(url, name="tallyd check") as one,
        connect(url, name="tallyd check") as other,
    ):
        pids = {each.execute("SELECT pg_backend_pid()").fetchone() for each in (one, other)}
    if len(pids) == 1:
        why = mark(
            "this is a pooler that shares sessions between transactions, and a standby needs a lock that a "
            "session holds; connect to PostgreSQL itself, or set the pooler to session mode"
        )
        raise StateError(english("{place}: {why}", place=place, why=why))
