"""Why a database can't be used, in our own words.

Drivers put values (of unique violations), addresses and user names into their texts; none of that is passed
on. What has no words here is told by its number and the name that the standard or the maker gave it.
"""

from __future__ import annotations

import re
import sqlite3
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tallyd.core.errors import RecordsError

_LOST: Final = "the connection was lost, or there was none to be had"
_NO_TABLES: Final = "its tables are not as tallyd made them; restart tallyd, which brings them up to date"
_HELD: Final = "another process holds what this needs; trying again helps"
_FULL: Final = "its disk is full"
_READ_ONLY: Final = "it can't be written (read-only)"
_CROWDED: Final = "it takes no further connection"
_LOGIN: Final = "it refuses this user or password"
_NO_DATABASE: Final = "there is no database of that name"
_RIGHTS: Final = "this user lacks the rights"
_SLOW: Final = "it did not answer in time"
_REFUSED: Final = "nothing accepts connections there"
_NO_HOST: Final = "the host's name can't be resolved"
_ENDING: Final = "it is starting, stopping or was told to end the connection"

_SQLITE: Final = MappingProxyType(
    {
        "SQLITE_FULL": "the disk is full",
        "SQLITE_BUSY": _HELD,
        "SQLITE_LOCKED": _HELD,
        "SQLITE_READONLY": _READ_ONLY,
        "SQLITE_CANTOPEN": "the file is missing or can't be opened; put it back, or restart for a new one",
        "SQLITE_CORRUPT": "the file is damaged",
        "SQLITE_NOTADB": "the file is no SQLite database",
        "SQLITE_IOERR": "the disk can't be read or written",
        "SQLITE_ERROR": _NO_TABLES,
    }
)
_POSTGRESQL: Final = MappingProxyType(
    {
        "25006": _READ_ONLY,
        "28000": _LOGIN,
        "28P01": _LOGIN,
        "3D000": _NO_DATABASE,
        "40P01": _HELD,
        "42501": _RIGHTS,
        "42703": _NO_TABLES,
        "42P01": _NO_TABLES,
        "53100": _FULL,
        "53300": _CROWDED,
        "55P03": _HELD,
        "57P01": _ENDING,
        "57P02": _ENDING,
        "57P03": _ENDING,
    }
)
_MYSQL: Final = MappingProxyType(
    {
        1021: _FULL,
        1040: _CROWDED,
        1044: _RIGHTS,
        1045: _LOGIN,
        1049: _NO_DATABASE,
        1053: _ENDING,
        1054: _NO_TABLES,
        1114: _FULL,
        1142: _RIGHTS,
        1146: _NO_TABLES,
        1205: _HELD,
        1213: _HELD,
        1290: _READ_ONLY,
        1698: _LOGIN,
        1927: _ENDING,
        2006: _LOST,
        2013: _LOST,
    }
)
_CONNECTING: Final = (
    # libpq and PyMySQL tell these apart in their text alone.
    ("password|authentication|no pg_hba.conf", _LOGIN),
    ("timed out|timeout", _SLOW),
    ("refused|No such file", _REFUSED),
    ("does not exist", _NO_DATABASE),
    ("resolve|translate host|Name or service|getaddrinfo", _NO_HOST),
    ("too many", _CROWDED),
    ("starting up|shutting down|terminating", _ENDING),
    ("clos|reset|lost|EOF", _LOST),
)


def explained(place: str, error: BaseException) -> RecordsError:
    """Return what to raise for an error of SQLAlchemy or of a driver; never holds a value or the URL."""
    return RecordsError(f"{place}: {_reason(error)}")


def is_conflict(error: BaseException) -> bool:
    """Whether another transaction was faster with the same file, or the two got in each other's way."""
    found = _driver_error(error)
    if getattr(found, "sqlstate", None) in {"23505", "40001", "40P01"}:
        return True
    return type(found).__module__.startswith("pymysql") and _number(found) in {1062, 1213}


def _reason(error: BaseException) -> str:
    if isinstance(error, PoolTimeoutError):
        return "all of tallyd's own connections to it are in use"
    if isinstance(error, NoSuchModuleError):
        return "there is no such kind of database"
    found = _driver_error(error)
    if isinstance(found, sqlite3.Error):
        return _of_sqlite(found)
    if type(found).__module__.startswith("pymysql"):
        return _of_mysql(found)
    return _of_postgresql(found)


def _of_sqlite(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", None)
    if name is None:
        return "the file is damaged, or was closed"
    primary = "_".join(name.split("_")[:2])
    known = _SQLITE.get(primary)
    return f"{known} ({name})" if known else name


def _of_postgresql(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    if state is None:
        return _of_connecting(error)
    # The class of the error bears the condition's name of PostgreSQL's documentation.
    return _POSTGRESQL.get(state) or f"SQLSTATE {state} ({type(error).__name__})"


def _of_mysql(error: BaseException) -> str:
    number = _number(error)
    if number in {2002, 2003, 0}:
        return _of_connecting(error)
    if number == 2013 and "timed out" in str(error):
        return _SLOW
    return _MYSQL.get(number) or f"error {number} ({_name_of_mysql(number)})"


def _name_of_mysql(number: int) -> str:
    # An extra: imported only here, where its error is at hand. It brings no types.
    from pymysql.constants import ER  # type: ignore[import-untyped] # noqa: PLC0415

    return next((name for name, value in vars(ER).items() if value == number), "unknown")


def _of_connecting(error: BaseException) -> str:
    text = str(error)
    return next((reason for sign, reason in _CONNECTING if re.search(sign, text)), _LOST)


def _driver_error(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _number(error: BaseException) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
