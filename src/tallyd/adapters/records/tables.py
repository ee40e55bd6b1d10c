"""The tables for queries. `tallyd.migrations` has their exact types on each database."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Double, LargeBinary, MetaData, String, Table
from sqlalchemy.types import TypeDecorator, TypeEngine

from tallyd.contract.lags import TARGET_STATES
from tallyd.contract.passages import instant_of, read_seen, seconds_of, seen_text

REVISION: Final = "0001"
"""The revision that this code needs. A test compares it with the newest in `tallyd.migrations`."""
KNOWN_REVISIONS: Final = frozenset({REVISION})
VERSION_TABLE: Final = "tallyd_revision"
"""Not alembic's default name: another program may use alembic in the same database."""

WITHOUT_HOSTS: Final = ("DELETE FROM host",)
"""The statements for a copy that another host is to use: the daemons that ran beside it are not there."""
WITHOUT_USERS: Final = ("UPDATE inside_correction SET noted_by=''",)


class Instant(TypeDecorator[str]):
    """`YYYY-MM-DD HH:MM:SS` in UTC. In the database: text on SQLite, else a timestamp without time zone."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = String() if dialect.name == "sqlite" else DateTime()
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> object:
        if value is None or dialect.name == "sqlite":
            return value
        return datetime.fromisoformat(value)

    def process_result_value(self, value: object, dialect: Dialect) -> str | None:
        del dialect
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value  # type: ignore[return-value] # text


class PreciseInstant(Instant):
    """The same with milliseconds: `YYYY-MM-DD HH:MM:SS.mmm`."""

    cache_ok = True

    def process_result_value(self, value: object, dialect: Dialect) -> str | None:
        del dialect
        if isinstance(value, datetime):
            return value.isoformat(sep=" ", timespec="milliseconds")
        return value  # type: ignore[return-value] # text


class WholeSeconds(Instant):
    """An `Instant` of a table with very many rows: on SQLite, whole seconds since 1970."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(BigInteger() if dialect.name == "sqlite" else DateTime())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> object:
        if value is not None and dialect.name == "sqlite":
            return seconds_of(read_seen(value))
        return super().process_bind_param(value, dialect)

    def process_result_value(self, value: object, dialect: Dialect) -> str | None:
        if isinstance(value, int):
            return seen_text(instant_of(value))
        return super().process_result_value(value, dialect)


_metadata = MetaData()

INGESTED_FILE = Table(
    "ingested_file",
    _metadata,
    Column("id", BigInteger, primary_key=True),
    Column("poller", String),
    Column("source", String),
    Column("sha256", LargeBinary),
    Column("name", String),
    Column("size", BigInteger),
    Column("records", BigInteger),
    Column("state", String),
    Column("reason", String),
    Column("ingested_at", WholeSeconds),
    Column("first_at", WholeSeconds),
)
"""Only the columns that queries use. `first_at` is the time of the oldest stored passage, if there is one."""

PASSAGE_MINUTE = Table(
    "passage_minute",
    _metadata,
    Column("poller", String, primary_key=True),
    Column("minute", Instant, primary_key=True),
    Column("source", String, primary_key=True),
    Column("n_in", BigInteger),
    Column("n_out", BigInteger),
    Column("n_other", BigInteger),
    Column("first_at", Instant),
    Column("last_at", Instant),
)

INSIDE_CORRECTION = Table(
    "inside_correction",
    _metadata,
    Column("poller", String, primary_key=True),
    Column("minute", Instant, primary_key=True),
    Column("source", String, primary_key=True),
    Column("inside", BigInteger),
    Column("why", String),
    Column("noted_by", String),
    Column("noted_at", Instant),
)

SERVER_LAG = Table(
    "server_lag",
    _metadata,
    Column("poller", String, primary_key=True),
    Column("checked_at", Instant, primary_key=True),
    Column("server", String, primary_key=True),
    Column("computed_time", PreciseInstant),
    Column("lag_s", Double),
    Column("state", String),
    Column("advanced_s", Double),
)

SERVER_HOUR = Table(
    "server_hour",
    _metadata,
    Column("poller", String, primary_key=True),
    Column("hour", Instant, primary_key=True),
    Column("server", String, primary_key=True),
    Column("checks", BigInteger),
    Column("lag_s_max", Double),
    *(Column(f"{state}_s", Double) for state in TARGET_STATES),
)

IMPORTED = Table(
    "imported",
    _metadata,
    Column("poller", String, primary_key=True),
    Column("program", String),
    Column("zone", String),
    Column("since", Instant),
    Column("until", Instant),
)

ARRIVAL = Table(
    "arrival",
    _metadata,
    Column("poller", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("last_file_at", Instant),
    Column("last_record_at", Instant),
    Column("state", String),
    Column("reason", String),
    Column("host", String),
    Column("seen_at", Instant),
)

HOST = Table(
    "host",
    _metadata,
    Column("id", String, primary_key=True),
    Column("name", String),
    Column("folder", String),
    Column("version", String),
    Column("started_at", Instant),
    Column("beat_at", Instant),
    Column("ahead_s", Double),
    Column("config_digest", String),
    Column("pollers", String),
)
"""`pollers` is a JSON object: what each does in the database."""
