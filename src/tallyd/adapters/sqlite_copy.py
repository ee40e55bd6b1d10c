"""Copies a SQLite database that other processes use, as it is at one moment."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from tallyd.core.errors import BackupError
from tallyd.core.language.messages import english, mark

SUFFIXES: Final = ("", "-wal", "-shm")
"""Of the files of one database. A `-wal` belongs to its database, and to no other one."""
_BUSY_S: Final = 30.0
_SPARE_BYTES: Final = 64 << 20
"""What the copy leaves free: the daemon writes to the same disk."""


def copy_database(path: Path, target: Path, changes: Iterable[str] = ()) -> None:
    """Copy a database to a new file, and make `changes` to the copy. Raises `BackupError`.

    One read transaction sees it at one moment, and nobody waits for it. What was deleted is not in the copy:
    SQLite's other way to copy, page by page, would keep what is left of it.
    """
    folder, size_bytes = target.parent, sum(_size(Path(f"{path}{suffix}")) for suffix in SUFFIXES)
    if shutil.disk_usage(folder).free < size_bytes + _SPARE_BYTES:
        why = mark("not enough room for the copy of a database")
        raise BackupError(english("{place}: {why}", place=folder, why=why))
    try:
        source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
        with closing(source):
            source.execute("VACUUM INTO ?", (str(target),))
        with closing(sqlite3.connect(target)) as copy:
            copy.execute("PRAGMA secure_delete=ON")
            for statement in changes:
                copy.execute(statement)
            copy.commit()
    except sqlite3.Error as error:
        raise BackupError(english("{file} can't be copied: {why}", file=path, why=error)) from error


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
