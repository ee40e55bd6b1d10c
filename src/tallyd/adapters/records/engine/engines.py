"""Makes the engine for each kind of database: its driver, its timeouts, and its session settings."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import QueuePool

from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import english, mark

PATIENCE_S: Final = 12.0
"""Time limit for one answer.

After a dead connection come a ping and a new connection: together below 30 s.
"""
_LOCK_SHARE: Final = 2 / 3
"""The part of it to wait for a lock. It is shorter, so that the server's own message arrives in time."""

_FORMS: Final = mark("sqlite:////PATH, postgresql+psycopg://... or mysql+pymysql://...")
_WRITES: Final = "tallyd_writes"


def engine_of(url: str, *, patience_s: float, reads_only: bool = False) -> tuple[Engine, str]:
    """Return an engine, and the name of its database for messages. Does not connect.

    It waits `patience_s` for each answer, and less for a lock. With `reads_only` the database is not ours:
    nothing in it changes, its transactions are read-only, and the server ends a statement after that time.
    Raises `RecordsError` for a URL that can't be used.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        text = english("the database's URL can't be read; write it as {forms}", forms=_FORMS)
        raise RecordsError(text) from None
    for name in ("sqlalchemy.pool", "sqlalchemy.engine", "psycopg"):
        # Their errors are also raised, and their debug lines show data.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    make = _KINDS.get(parsed.drivername)
    if make is None:
        text = english("the kind of database in the URL is unknown; write it as {forms}", forms=_FORMS)
        raise RecordsError(text)
    return make(parsed, patience_s, reads_only)


def for_writing(connection: Connection) -> Connection:
    """Mark a connection for a transaction that writes. Call it before the transaction begins."""
    return connection.execution_options(**{_WRITES: True})


# ---- SQLite ------------------------------------------------------------------------------------------------


def _sqlite(url: URL, patience_s: float, reads_only: bool) -> tuple[Engine, str]:
    path = Path(url.database or "")
    if not path.is_absolute() or url.query or url.host:
        raise RecordsError(mark("the database's URL must contain an absolute path: sqlite:////PATH"))

    def connect() -> sqlite3.Connection:
        # `rw`: a missing file is an error. A new one would be empty, and counts would begin at zero.
        return sqlite3.connect(
            f"file:{quote(os.fsencode(path))}?mode={'ro' if reads_only else 'rw'}",
            uri=True,
            timeout=patience_s * _LOCK_SHARE,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine(
        "sqlite+pysqlite://", creator=connect, poolclass=QueuePool, hide_parameters=True, pool_timeout=20
    )
    _keep_to_file(engine, path, () if reads_only else _PRAGMAS)
    event.listen(engine, "begin", _begin)
    return engine, f"SQLite ({path})"


_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "journal_size_limit=67108864")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _keep_to_file(engine: Engine, path: Path, pragmas: Iterable[str]) -> None:
    def identity() -> tuple[int, int] | None:
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def prepare(connection: sqlite3.Connection, record: Any) -> None:
        record.info["identity"] = identity()
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    def check(_connection: object, record: Any, _proxy: object) -> None:
        # SQLite would continue to write into a file that was deleted or replaced, where nobody sees it.
        if record.info["identity"] != identity():
            raise DisconnectionError

    event.listen(engine, "connect", prepare)
    event.listen(engine, "checkout", check)


def create_file(url: str) -> None:
    """Create the file of a SQLite database if it is missing. Raises OSError.

    It does not open the file. Closing a descriptor would release the locks that SQLite may hold on the file
    in another thread. Then the next process that closes the database would delete a log that is still in use.
    """
    with suppress(FileExistsError):
        os.mknod(make_url(url).database or "", 0o640 | stat.S_IFREG)


def lacks_file(url: str) -> bool:
    """Whether this is a SQLite database and its file does not exist yet."""
    parsed = make_url(url)
    return parsed.drivername.startswith("sqlite") and not Path(parsed.database or "").exists()


def folder_of(url: str) -> str | None:
    """Return the folder of a SQLite database; None for other databases."""
    parsed = make_url(url)
    return os.path.dirname(parsed.database or "") if parsed.drivername.startswith("sqlite") else None  # noqa: PTH120 # asked for each file


# ---- PostgreSQL --------------------------------------------------------------------------------------------

_SESSION: Final = "SET TimeZone='UTC'; SET DateStyle='ISO'"


def _postgresql(url: URL, patience_s: float, reads_only: bool) -> tuple[Engine, str]:
    try:
        from psycopg import pq  # noqa: PLC0415 # an extra
    except ImportError:
        text = english("PostgreSQL needs psycopg, which is not installed: pip install 'tallyd[[postgres]]'")
        raise RecordsError(text) from None
    _options_known(url, {each.keyword.decode() for each in pq.Conninfo.get_defaults()})
    host = _host_of(url)
    place = english("PostgreSQL at {address}", address=host) if host else mark("PostgreSQL on this machine")
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_recycle=1800,
        pool_timeout=20,
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": int(patience_s),
            "client_encoding": "utf8",
            "prepare_threshold": None,  # a pooler may use another session for each transaction
        },
    )
    _bound(engine, place, patience_s, reads_only)
    return engine, place


def _bound(engine: Engine, place: str, patience_s: float, reads_only: bool) -> None:
    from tallyd.adapters.records.engine.bounded import BoundedConnection  # noqa: PLC0415 # needs psycopg

    def connect(_dialect: object, _record: object, args: list[Any], options: dict[str, Any]) -> object:
        connection = BoundedConnection.connect(*args, **options)
        connection.answer_s = patience_s
        return connection

    def prepare(connection: Any, _record: object) -> None:
        if not reads_only and connection.info.parameter_status("server_encoding") != "UTF8":
            text = english(
                "{database}: its encoding is not UTF8; create the database with ENCODING 'UTF8'",
                database=place,
            )
            raise RecordsError(text)
        # Ours has no limit for a statement: one COPY may read a large file. Each answer has its own limit.
        limit_ms = int(patience_s * 1000) if reads_only else 0
        lock_ms = int(patience_s * _LOCK_SHARE * 1000)
        read_only = "on" if reads_only else "off"
        connection.execute(
            f"{_SESSION}; SET statement_timeout={limit_ms}; SET lock_timeout={lock_ms};"
            f" SET default_transaction_read_only={read_only}"
        )
        connection.commit()

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", prepare)


# ---- MariaDB and MySQL -------------------------------------------------------------------------------------


_MYSQL_OPTIONS: Final = frozenset(
    {
        "charset",
        "ssl_ca",
        "ssl_cert",
        "ssl_disabled",
        "ssl_key",
        "ssl_verify_cert",
        "ssl_verify_identity",
        "unix_socket",
    }
)


def _mysql(url: URL, patience_s: float, reads_only: bool) -> tuple[Engine, str]:
    try:
        import pymysql  # type: ignore[import-untyped] # noqa: F401, PLC0415 # an extra; it brings no types
    except ImportError:
        text = english(
            "MariaDB and MySQL need PyMySQL, which is not installed: pip install 'tallyd[[mysql]]'"
        )
        raise RecordsError(text) from None
    _options_known(url, _MYSQL_OPTIONS)
    lock_s = max(1, int(patience_s * _LOCK_SHARE))
    engine = create_engine(
        url.set(drivername="mysql+pymysql"),
        hide_parameters=True,
        pool_pre_ping=True,
        pool_recycle=1800,
        pool_timeout=20,
        connect_args={
            "charset": "utf8mb4",
            "connect_timeout": patience_s,
            "read_timeout": patience_s,
            "write_timeout": patience_s,
            # Strict: a value that does not fit is an error; it is never cut.
            "sql_mode": "STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION",
            "init_command": f"SET innodb_lock_wait_timeout={lock_s}, lock_wait_timeout={lock_s},"
            f" time_zone='+00:00'{_mysql_limits(patience_s) if reads_only else ''}",
        },
    )
    host = _host_of(url)
    return engine, (
        english("MariaDB or MySQL at {address}", address=host)
        if host
        else mark("MariaDB or MySQL on this machine")
    )


def _mysql_limits(patience_s: float) -> str:
    """Return what makes a session read-only, with a limit for a statement: each server skips the other's."""
    return (
        f" /*M!100108 , max_statement_time={patience_s:g} */"
        f" /*!50708 , max_execution_time={int(patience_s * 1000)} */"
        " /*M!100000 , tx_read_only=1 */ /*!50720 , transaction_read_only=1 */"
    )


def _options_known(url: URL, known: Collection[str]) -> None:
    if not set(url.query) <= set(known):
        # Do not show the option: the text after a `?` may be the rest of a password.
        text = mark(
            "the database's URL has an option (after the `?`) that the driver does not know; if the password"
            " contains a `?`, write it as %3F"
        )
        raise RecordsError(text)


def _host_of(url: URL) -> str:
    """Return the host with its port, if there is one; empty: this machine."""
    named = url.host or url.query.get("host") or url.query.get("unix_socket")
    if not isinstance(named, str) or named.startswith("/"):
        return ""
    host = f"[{named}]" if ":" in named else named
    return f"{host}:{url.port}" if url.port else host


_KINDS: Final[dict[str, Callable[[URL, float, bool], tuple[Engine, str]]]] = {
    "sqlite": _sqlite,
    "sqlite+pysqlite": _sqlite,
    "postgresql+psycopg": _postgresql,
    "mysql+pymysql": _mysql,
    "mariadb+pymysql": _mysql,
}
