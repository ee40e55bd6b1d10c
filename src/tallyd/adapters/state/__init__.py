"""`state.db`: the daemon's memory, and the point where a count begins to exist.

SQLite in WAL mode with `synchronous=FULL`: what was committed survives a power cut. Every change is one
`BEGIN IMMEDIATE` transaction. Decides nothing: which slot is due and which problem is over is computed in
core/.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tallyd.adapters.state.alerts import Alerts
from tallyd.adapters.state.connection import StateDamagedError, StateError, StateFile, StateTooNewError
from tallyd.adapters.state.notifications import Notifications
from tallyd.adapters.state.out_files import Outs
from tallyd.adapters.state.outbox import Outbox
from tallyd.adapters.state.readings import Readings
from tallyd.adapters.state.slots import Slots
from tallyd.adapters.state.types import NewReading, OutFile, Recorded, Whose

__all__ = [
    "NewReading",
    "OutFile",
    "Recorded",
    "State",
    "StateDamagedError",
    "StateError",
    "StateTooNewError",
    "Whose",
]


class State:
    """An open state.db by its parts: `slots`, `readings` and their `outs`, `outbox`, `alerts`,
    `notifications`, and notes of the daemon's own.

    Opening checks the file (`PRAGMA quick_check`) and creates the tables of a new one. Raises `StateError`,
    `StateDamagedError` where the file is no sound database, `StateTooNewError` where a newer tallyd wrote it.
    With `reads_only` it is opened as it is, beside the one that writes, and can only be read.
    """

    def __init__(self, path: Path, *, reads_only: bool = False) -> None:
        self._file = StateFile(path, reads_only=reads_only)
        self.path = path
        self.slots = Slots(self._file)
        self.readings = Readings(self._file)
        self.outs = Outs(self._file)
        self.outbox = Outbox(self._file)
        self.alerts = Alerts(self._file)
        self.notifications = Notifications(self._file)

    def close(self) -> None:
        """Close the connection; a further call does nothing."""
        self._file.close()

    def check(self) -> None:
        """Raise `StateDamagedError` where what the daemon begins with makes no sense.

        Opening looks at the structure of the file; here it is the texts that are read. The past is left out,
        since there may be years of it.
        """
        try:
            self.alerts.all()
            self.notifications.check()
            self.slots.check()
            self.readings.check()
            self.outs.check()
            self.outbox.check()
        except (ValueError, TypeError) as error:  # TypeError: what should be text is bytes
            raise StateDamagedError(f"{self.path} is damaged: {error}") from error
        except StateError as error:
            # Of our own fixed queries, SQLite's general error says that a table is not as it was made.
            if getattr(error.__cause__, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR:
                raise StateDamagedError(f"{self.path} is damaged: {error.__cause__}") from error
            raise

    def is_in_place(self) -> bool:
        """Whether state.db is still the file that was opened: nobody deleted or replaced it."""
        return self._file.is_in_place()

    def was_changed_elsewhere(self) -> bool:
        """Whether another process has committed since the last time this was asked (`tallyd mute`)."""
        return self._file.was_changed_elsewhere()

    def ping(self) -> None:
        """Raise `StateError` unless the database answers."""
        with self._file.reading() as db:
            db.execute("SELECT 1 FROM meta LIMIT 1").fetchone()

    def note(self, name: str) -> str | None:
        """Return a note by name (which config is in force, ...)."""
        with self._file.reading() as db:
            row = db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_note(self, name: str, value: str | None) -> None:
        """Store or, with None, remove a note."""
        with self._file.transaction() as db:
            if value is None:
                db.execute("DELETE FROM meta WHERE name=?", (name,))
            else:
                db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
