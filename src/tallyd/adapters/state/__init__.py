"""`state.db`: the daemon's memory. A count exists once it is committed here.

SQLite in WAL mode with `synchronous=FULL`: a commit survives a power failure. Every change is one
`BEGIN IMMEDIATE` transaction. The decisions are made in core/: which slot is due, which problem is resolved.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tallyd.adapters.state.alerts import Alerts
from tallyd.adapters.state.connection import (
    StateDamagedError,
    StateError,
    StateFile,
    StateTooNewError,
    damaged,
)
from tallyd.adapters.state.incidents import Incidents
from tallyd.adapters.state.notifications import Notifications
from tallyd.adapters.state.out_files import OutFileRows
from tallyd.adapters.state.outbox import Outbox
from tallyd.adapters.state.readings import Readings
from tallyd.adapters.state.slots import Slots
from tallyd.adapters.state.types import JobRef, NewReading, OutFile, Recorded
from tallyd.adapters.state.uptime import UptimeRows

__all__ = [
    "JobRef",
    "NewReading",
    "OutFile",
    "Recorded",
    "State",
    "StateDamagedError",
    "StateError",
    "StateTooNewError",
]


class State:
    """An open state.db. Each attribute is one part of it; `note` and `set_note` keep the daemon's own notes.

    Opening checks the file (`PRAGMA quick_check`) and creates the tables of a new one. Raises `StateError`,
    `StateDamagedError` if the file is not a sound database, `StateTooNewError` if a newer tallyd wrote it.
    With `reads_only` it is opened as it is, beside the process that writes, and can only be read.
    """

    def __init__(self, path: Path, *, reads_only: bool = False) -> None:
        self._file = StateFile(path, reads_only=reads_only)
        self.path = path
        self.alerts = Alerts(self._file)
        self.slots = Slots(self._file, self.alerts)
        self.readings = Readings(self._file, self.alerts)
        self.out_files = OutFileRows(self._file)
        self.outbox = Outbox(self._file)
        self.notifications = Notifications(self._file)
        self.incidents = Incidents(self._file)
        self.uptime = UptimeRows(self._file)

    def close(self) -> None:
        """Close the connection. A further call does nothing."""
        self._file.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit all changes of this block together at its end, or none: a commit waits for the disk.

        If one of them raises, the exception must leave the block. Other threads wait meanwhile.
        """
        with self._file.transaction():
            yield

    def check(self) -> None:
        """Raise `StateDamagedError` if the daemon can't parse the data that it needs at the start.

        Opening checks the structure of the file; this reads the values. Old readings are left out, since
        there may be years of them.
        """
        try:
            self.alerts.all()
            self.notifications.check()
            self.incidents.check()
            self.uptime.check()
            self.slots.check()
            self.readings.check()
            self.out_files.check()
            self.outbox.check()
        except (ValueError, TypeError) as error:  # TypeError: bytes instead of text
            raise damaged(self.path, error) from error
        except StateError as error:
            # Our queries are fixed, so SQLite's general error means that a table has changed.
            if getattr(error.__cause__, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
                raise damaged(self.path, error.__cause__) from error
            raise

    def is_in_place(self) -> bool:
        """Whether nobody has deleted or replaced the file since it was opened."""
        return self._file.is_in_place()

    def was_changed_elsewhere(self) -> bool:
        """Whether another process (`tallyd mute`) has committed since the last call; no if unreadable."""
        try:
            return self._file.was_changed_elsewhere()
        except StateError:
            return False  # the next look reports the failure

    def answers(self) -> bool:
        """Whether it can be read. For the watchdog: a restart does not help against a full disk."""
        try:
            self.ping()
        except StateError:
            return False
        return True

    def ping(self) -> None:
        """Raise `StateError` unless the database answers."""
        with self._file.reading() as db:
            db.execute("SELECT 1 FROM meta LIMIT 1").fetchone()

    def note(self, name: str) -> str | None:
        """Return a note by name (such as the active config); None if there is none."""
        with self._file.reading() as db:
            row = db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_note(self, name: str, value: str | None) -> None:
        """Store a note; None removes it."""
        with self._file.transaction() as db:
            if value is None:
                db.execute("DELETE FROM meta WHERE name=?", (name,))
            else:
                db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
