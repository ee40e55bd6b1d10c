"""Explains why a database can't be used, in our own words.

Texts of drivers contain values, addresses and user names, so they are never passed on. An error without a
text here is shown with its number and its official name.
"""

from __future__ import annotations

import re
import sqlite3
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import english, mark

SYNTAX: Final = mark("it cannot read the statement")
LOST: Final = mark("the connection was lost, or could not be made")
NO_TABLES: Final = mark("its tables are not as tallyd made them; restart tallyd, which updates them")
CANT_OPEN: Final = mark("the file is missing or can't be opened; restore it, or restart for a new one")
HELD: Final = mark("another process has locked it; try again")
_FULL: Final = mark("its disk is full")
_READ_ONLY: Final = mark("it is read-only")
CROWDED: Final = mark("it accepts no more connections")
_LOGIN: Final = mark("it rejects this user or password")
_NO_DATABASE: Final = mark("there is no database with this name")
_RIGHTS: Final = mark("this user does not have the necessary rights")
SLOW: Final = mark("it did not answer in time")
_REFUSED: Final = mark("nothing accepts connections there")
_NO_HOST: Final = mark("the host's name can't be resolved")
ENDING: Final = mark("it is starting or stopping, or an administrator ended the connection")

_SQLITE: Final = MappingProxyType(
    {
        "SQLITE_FULL": mark("the disk is full"),
        "SQLITE_BUSY": HELD,
        "SQLITE_LOCKED": HELD,
        "SQLITE_READONLY": _READ_ONLY,
        "SQLITE_CANTOPEN": CANT_OPEN,
        "SQLITE_INTERRUPT": SLOW,
        "SQLITE_CORRUPT": mark("the file is damaged"),
        "SQLITE_NOTADB": mark("the file is not a SQLite database"),
        "SQLITE_IOERR": mark("the disk can't be read or written"),
        "SQLITE_ERROR": NO_TABLES,
    }
)
_POSTGRESQL: Final = MappingProxyType(
    {
        "25006": _READ_ONLY,
        "28000": _LOGIN,
        "28P01": _LOGIN,
        "3D000": _NO_DATABASE,
        "40P01": HELD,
        "42501": _RIGHTS,
        "42601": SYNTAX,
        "42703": NO_TABLES,
        "42P01": NO_TABLES,
        "53100": _FULL,
        "53300": CROWDED,
        "55P03": HELD,
        "57014": SLOW,
        "57P01": ENDING,
        "57P02": ENDING,
        "57P03": ENDING,
    }
)
_MYSQL: Final = MappingProxyType(
    {
        1021: _FULL,
        1040: CROWDED,
        1044: _RIGHTS,
        1045: _LOGIN,
        1049: _NO_DATABASE,
        1053: ENDING,
        1054: NO_TABLES,
        1064: SYNTAX,
        1114: _FULL,
        1142: _RIGHTS,
        1146: NO_TABLES,
        1205: HELD,
        1213: HELD,
        1290: _READ_ONLY,
        1698: _LOGIN,
        1792: _READ_ONLY,
        1927: ENDING,
        1969: SLOW,
        2006: LOST,
        2013: LOST,
        3024: SLOW,
    }
)
_UNREADABLE: Final = re.compile(
    r"syntax error$|^incomplete input$|^unrecognized token|one statement at a time"
)
"""SQLite has no number for these."""
_CONNECTING: Final = (
    # libpq and PyMySQL distinguish these only by the text.
    ("password|authentication|no pg_hba.conf", _LOGIN),
    ("timed out|timeout", SLOW),
    ("refused|No such file", _REFUSED),
    ("does not exist", _NO_DATABASE),
    ("resolve|translate host|Name or service|getaddrinfo", _NO_HOST),
    ("too many", CROWDED),
    ("starting up|shutting down|terminating", ENDING),
    ("clos|reset|lost|EOF", LOST),
)


def explained(place: str, error: BaseException) -> RecordsError:
    """Return the exception to raise for an error of SQLAlchemy or a driver.

    It contains no value and no URL.
    """
    return RecordsError(english("{place}: {why}", place=place, why=reason_of(error)))


def is_conflict(error: BaseException) -> bool:
    """Whether another transaction stored the same file first, or the two were in a deadlock."""
    found = _driver_error(error)
    if getattr(found, "sqlstate", None) in {"23505", "40001", "40P01"}:
        return True
    return type(found).__module__.startswith("pymysql") and _number(found) in {1062, 1213}


def reason_of(error: BaseException) -> str:
    """Return what went wrong, in our own words."""
    if isinstance(error, PoolTimeoutError):
        return mark("all of tallyd's own connections to it are in use")
    if isinstance(error, NoSuchModuleError):
        return mark("this kind of database does not exist")
    found = _driver_error(error)
    if isinstance(found, sqlite3.Error):
        return _sqlite_reason(found)
    if type(found).__module__.startswith("pymysql"):
        return _mysql_reason(found)
    return _postgresql_reason(found)


def _sqlite_reason(error: sqlite3.Error) -> str:
    if _UNREADABLE.search(str(error)):
        return SYNTAX
    name = getattr(error, "sqlite_errorname", None)
    if name is None:
        return mark("the file is damaged, or was closed")
    primary = "_".join(name.split("_")[:2])
    known = _SQLITE.get(primary)
    return english("{why} (SQLITE_{name})", why=known, name=name.removeprefix("SQLITE_")) if known else name


def _postgresql_reason(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    if state is None:
        return _connecting_reason(error)
    # The class of the error has the name of the condition in PostgreSQL's documentation.
    return _POSTGRESQL.get(state) or f"SQLSTATE {state} ({type(error).__name__})"


def _mysql_reason(error: BaseException) -> str:
    number = _number(error)
    if number in {2002, 2003, 0}:
        return _connecting_reason(error)
    if number == 2013 and "timed out" in str(error):
        return SLOW
    return _MYSQL.get(number) or english("error {code} ({name})", code=number, name=_mysql_name(number))


def _mysql_name(number: int) -> str:
    # An optional package, imported only here, after one of its errors. It has no types.
    from pymysql.constants import ER  # type: ignore[import-untyped] # noqa: PLC0415

    return next((name for name, value in vars(ER).items() if value == number), "unknown")


def _connecting_reason(error: BaseException) -> str:
    text = str(error)
    return next((reason for sign, reason in _CONNECTING if re.search(sign, text)), LOST)


def _driver_error(error: BaseException) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _number(error: BaseException) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
