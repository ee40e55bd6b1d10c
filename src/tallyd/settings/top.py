"""The settings at the top of a config file: where data is kept, and how requests are sent."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field

from tallyd.settings.pollers import OutOverride
from tallyd.settings.secrets import Secret
from tallyd.settings.types import Duration, FolderPath, Seconds, Strict, within, wrong
from tallyd.settings.urls import check_unambiguous, is_secret_name, parse_url

_DATABASES = ("sqlite:///", "postgresql+psycopg://", "mysql+pymysql://", "mariadb+pymysql://")


class OutSettings(OutOverride):
    """Where tallyd writes the counts."""

    dir: FolderPath = Field("out", description="Folder of the out files, relative to `data_dir`.")


class LogSettings(Strict):
    """The rotating JSON log."""

    dir: FolderPath = Field("log", description="Folder of `tallyd.log`, relative to `data_dir`.")
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Log this level and above."
    )
    max_bytes: int = Field(
        5_000_000, ge=10_000, le=10**12, description="Rotate the log at this size, in bytes."
    )
    backups: int = Field(9, ge=1, le=1000, description="Number of rotated logs to keep.")


class StateSettings(Strict):
    """The state of the daemon."""

    dir: FolderPath = Field(
        "state",
        description="Folder of `state.db` and locks, relative to `data_dir`. It must be on a local disk.",
    )
    url: Annotated[Secret, AfterValidator(lambda url: url.check(_check_state))] | None = Field(
        None,
        description="`postgresql+psycopg://USER:PASSWORD@HOST/NAME`: keep the state in PostgreSQL, so that a "
        "standby can take over (docs/standby.md). A secret. Default: SQLite, in `state.dir`.",
    )
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = Field(
        400,
        description="Delete past incidents, and the notes of when tallyd was on, after this many days; "
        "null: never.",
    )


class DatabaseSettings(Strict):
    """The database of records of visitors and servers pollers."""

    url: Annotated[Secret, AfterValidator(lambda url: url.check(check_database))] = Field(
        Secret("sqlite:///state/records.db"),
        description="URL for SQLAlchemy: `sqlite:///PATH` (relative to `data_dir`), "
        "`postgresql+psycopg://USER:PASSWORD@HOST/NAME` or `mysql+pymysql://USER:PASSWORD@HOST/NAME`. "
        "A secret, because it may hold a password. In a password write `@` as `%40`, `/` as `%2F`, `:` as "
        "`%3A`, `#` as `%23`, `?` as `%3F`. Default: `sqlite:///state/records.db`.",
    )
    keep_days: int = Field(
        90,
        ge=0,
        le=36_500,
        description="Keep single passages and lags for this many days; 0: do not store them. Counts by the "
        "minute and by the hour stay for ever.",
    )


class HttpSettings(Strict):
    """How tallyd sends HTTP requests."""

    proxy: Annotated[Secret, AfterValidator(lambda url: url.check(_check_proxy))] | None = Field(
        None,
        description="URL of a proxy for every request: `http://USER:PASSWORD@HOST:PORT`. A secret, because "
        "it may hold a password. In a password write `@` as `%40`, `/` as `%2F`, `:` as `%3A`, `#` as `%23`, "
        "`?` as `%3F`. tallyd ignores the proxy variables of the environment.",
    )
    timeout: Duration = Field(
        Seconds(30), description="Time limit of one whole request, from the connection to the last byte."
    )


class HeartbeatSettings(Strict):
    """A dead man's switch such as healthchecks.io: it notices when tallyd stops."""

    url: Annotated[Secret, AfterValidator(lambda url: url.check(_check_heartbeat))] = Field(
        description="URL to call regularly. tallyd adds `/fail` while it is not healthy itself. A secret. "
        "Write an `@` in it as `%40`."
    )
    every: Annotated[Duration, AfterValidator(within(10.0))] = Field(
        Seconds(300), description="How often to call it."
    )


def holds_password(url: str) -> bool:
    """Whether the URL of a database or a proxy is a secret. `ssl_key` is no key: it names a file."""
    parts = urlsplit(url)
    names = {name for name, _ in parse_qsl(parts.query)} - {"ssl_key"}
    return bool(parts.password) or any(map(is_secret_name, names))


def check_database(url: str) -> None:
    """Raise `wrong()` for what is no URL of a database that tallyd can use."""
    if not url.startswith(_DATABASES):
        raise wrong(
            "must be sqlite:///PATH, postgresql+psycopg://USER:PASSWORD@HOST/NAME or "
            "mysql+pymysql://USER:PASSWORD@HOST/NAME"
        )
    if not url.startswith("sqlite"):
        _check_host(url)
    elif not url.removeprefix("sqlite:///").strip("/"):
        raise wrong("must name a file: sqlite:///PATH")


def _check_state(url: str) -> None:
    if not url.startswith("postgresql+psycopg://"):
        raise wrong(
            "must be postgresql+psycopg://USER:PASSWORD@HOST/NAME; without it, the state is in state.dir"
        )
    _check_host(url)


def _check_proxy(url: str) -> None:
    # Not parse_url: a proxy's URL may hold a user and a password.
    if not url.startswith(("http://", "https://")):
        raise wrong("must be a URL that begins with http:// or https://")
    if not _check_host(url):
        raise wrong("must name a host: http://USER:PASSWORD@HOST:PORT")


def _check_heartbeat(url: str) -> None:
    check_unambiguous(url)
    parse_url(url)


def _check_host(url: str) -> str | None:
    """Return the host of a URL. Raises `wrong()` if a part of a password could be read as the host."""
    check_unambiguous(url)
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise wrong("has an invalid port; use a number from 0 to 65535") from None
    return host
