"""Creates a new SQLite file with its tables.

The result is the same as from migrations, but a second faster.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import closing
from typing import Final

from sqlalchemy import inspect

from tallyd.adapters.records.engine.engines import create_file, folder_of
from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.tables import REVISION, VERSION_TABLE
from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import english
from tallyd.migrations.sqlite import STATEMENTS

WAIT_S: Final = 8
"""How long to wait for another process that sets up the same database."""
_VERSION: Final = (
    f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL,"
    f" CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
)
"""The same statement as in alembic."""


def make_file(url: str, place: str) -> None:
    """Create the file of a SQLite database and all its tables, in one transaction. Raises `RecordsError`.

    If another process was faster, its tables stay as they are.
    """
    descriptor = hold_file(url, place)
    try:
        with closing(Access(url)) as access, access.writing() as connection:
            if inspect(connection).get_table_names():
                return
            for statement in (*STATEMENTS, _VERSION):
                connection.exec_driver_sql(statement)
            connection.exec_driver_sql(f"INSERT INTO {VERSION_TABLE} VALUES (?)", (REVISION,))  # noqa: S608 # a constant
    finally:
        if descriptor is not None:
            os.close(descriptor)


def hold_file(url: str, place: str) -> int | None:
    """Make sure that a SQLite file exists and that no other process sets it up at the same time.

    Return the descriptor that holds the lock; None for other databases. Raises `RecordsError`.
    """
    folder = folder_of(url)
    if folder is None:
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _wait_for(descriptor, place)
            create_file(url)
        except BaseException:
            os.close(descriptor)
            raise
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise RecordsError(english("{place}: {why}", place=place, why=why)) from None
    return descriptor


def _wait_for(folder: int, place: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                text = english("{database}: another process is setting it up", database=place)
                raise RecordsError(text) from None
            time.sleep(0.05)
        except OSError:
            return  # some shares can't lock a folder; if two set it up at once, SQLite rejects one of them
        else:
            return
