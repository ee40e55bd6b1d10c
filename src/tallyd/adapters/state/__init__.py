"""The state: the daemon's memory. A count exists once it is committed here.

Every change is one transaction that is on disk when it ends, and nobody else changes anything meanwhile. The
decisions are made in core/: which slot is due, which problem is resolved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tallyd.adapters.state.alerts import Alerts
from tallyd.adapters.state.bodies import readable
from tallyd.adapters.state.connection import (
    DeposedError,
    StateConnection,
    StateDamagedError,
    StateError,
    Statements,
    StateTooNewError,
    TablesError,
    damaged,
)
from tallyd.adapters.state.incidents import Incidents
from tallyd.adapters.state.notifications import Notifications
from tallyd.adapters.state.out_files import OutFileRows
from tallyd.adapters.state.outbox import Outbox
from tallyd.adapters.state.readings import Readings
from tallyd.adapters.state.schema import NAMES
from tallyd.adapters.state.slots import Slots
from tallyd.adapters.state.sqlite import StateFile
from tallyd.adapters.state.types import JobRef, NewReading, OutFile, Recorded
from tallyd.adapters.state.uptime import UptimeRows
from tallyd.core.leader import Leader

__all__ = [
    "DeposedError",
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
    """An open state. Each attribute is one part of it; `note` and `set_note` keep the daemon's own notes.

    `at` is the path of a SQLite file or the URL of a PostgreSQL database. There, a daemon is the leader by
    its `token`; commands have none.

    Opening checks the database and creates the tables of a new one. Raises `StateError`,
    `StateDamagedError` if the file is not a sound database, `StateTooNewError` if a newer tallyd wrote it.
    With `reads_only` it is opened as it is, beside the process that writes, and can only be read.
    """

    def __init__(self, at: Path | str, *, reads_only: bool = False, token: str | None = None) -> None:
        self._at = at
        self._connection = _connection(at, reads_only, token)
        self._version: int | None = None
        self.alerts = Alerts(self._connection)
        self.slots = Slots(self._connection, self.alerts)
        self.readings = Readings(self._connection, self.alerts)
        self.out_files = OutFileRows(self._connection)
        self.outbox = Outbox(self._connection)
        self.notifications = Notifications(self._connection)
        self.incidents = Incidents(self._connection)
        self.uptime = UptimeRows(self._connection)

    def reader(self) -> State:
        """Open it once more, only to read. Raises `StateError`."""
        return State(self._at, reads_only=True)

    @property
    def place(self) -> str:
        """Where it is, for messages."""
        return self._connection.place

    def close(self) -> None:
        """Close the connection. A further call does nothing."""
        self._connection.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Commit all changes of this block together at its end, or none: a commit waits for the disk.

        If one of them raises, the exception must leave the block. Other threads wait meanwhile.
        """
        with self._connection.transaction():
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
            raise damaged(self.place, error) from error
        except TablesError as error:
            raise damaged(self.place, error.__cause__) from error

    def confirm(self) -> None:
        """Raise `DeposedError` if another daemon has taken over, `StateError` if nobody can say now."""
        self._connection.confirm()

    def leader(self) -> Leader | None:
        """Return which daemon works, or worked last, if several share the state; None: nobody does."""
        return self._connection.leader()

    def is_in_place(self) -> bool:
        """Whether nobody has deleted or replaced the database since it was opened."""
        return self._connection.is_in_place()

    def was_changed_elsewhere(self) -> bool:
        """Whether another process (`tallyd mute`) has committed since the last call; no if unreadable."""
        try:
            version, _ = self._connection.version()
        except StateError:
            return False  # the next look reports the failure
        was_changed, self._version = version != self._version, version
        return was_changed

    def answers(self) -> bool:
        """Whether it can be read. For the watchdog: a restart does not help against a full disk."""
        try:
            self.ping()
        except StateError:
            return False
        return True

    def ping(self) -> None:
        """Raise `StateError` unless the database answers."""
        with self._connection.reading() as db:
            db.execute("SELECT 1 FROM meta LIMIT 1").fetchone()

    def texts(self) -> Iterator[tuple[str, int, str]]:
        """Yield table, number and text of each row: all that is stored. Raises `StateError`."""
        for table in NAMES:
            with self._connection.reading() as db:
                for number, row in enumerate(_rows(db, table), start=1):
                    yield table, number, "\n".join(readable(each) for each in row if isinstance(each, str))

    def note(self, name: str) -> str | None:
        """Return a note by name (such as the active config); None if there is none."""
        with self._connection.reading() as db:
            row = db.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_note(self, name: str, value: str | None) -> None:
        """Store a note; None removes it."""
        with self._connection.transaction() as db:
            if value is None:
                db.execute("DELETE FROM meta WHERE name=?", (name,))
            else:
                db.execute(
                    "INSERT INTO meta (name, value) VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET value=excluded.value",
                    (name, value),
                )


def _rows(db: Statements, table: str) -> Iterator[tuple[Any, ...]]:
    """Yield all rows of a table; of readings, which may be very many, not all at once."""
    if table != "reading":
        yield from db.execute(f"SELECT * FROM {table}")  # noqa: S608 # a constant
        return
    after = 0
    while rows := db.execute("SELECT * FROM reading WHERE id>? ORDER BY id LIMIT 1000", (after,)).fetchall():
        yield from rows
        after = rows[-1][0]


def _connection(at: Path | str, reads_only: bool, token: str | None) -> StateConnection:
    if isinstance(at, Path):
        return StateFile(at, reads_only=reads_only)
    from tallyd.adapters.state.postgresql import StateServer  # noqa: PLC0415 # an extra

    return StateServer(at, reads_only=reads_only, token=token)
