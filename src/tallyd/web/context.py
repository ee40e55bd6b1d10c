"""What the page, the metrics and the API are made from: what is stored, and what the daemon has in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tallyd.adapters.state import State
from tallyd.config import Config
from tallyd.core.alerts import Alert
from tallyd.core.mutes import Mute

if TYPE_CHECKING:
    from tallyd.adapters.records import BoundRecords, Database

DATABASE_PATIENCE_S = 2.0
"""A database that is away holds up the page no longer."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What may be read. Every call may be made by any thread; none of them changes anything.

    `state` returns an open state.db that can only be read, with a connection of its own: the daemon never
    waits for the page. Raises `StateError`. `records` returns what a poller has in the database; raises
    `RecordsError` where that can't be used, or was never. `alerts` and `mutes` are as the daemon has them,
    from memory while state.db can't be used. `kept` is what a job (poller, job) keeps from run to run.
    `tick_age_s` is how long ago the schedule last ticked, in seconds: it does so each second or so.
    """

    config: Callable[[], Config]
    now: Callable[[], datetime]
    state: Callable[[], State]
    records: Callable[[str], BoundRecords]
    alerts: Callable[[], Mapping[str, Alert]]
    mutes: Callable[[], tuple[Mute, ...]]
    kept: Callable[[str, str], Mapping[str, object]]
    tick_age_s: Callable[[], float]


class Shelf:
    """state.db and the database, each opened once it is asked for; to be closed at the end."""

    def __init__(self, state: Path, database_url: str) -> None:
        self._path = state
        self._url = database_url
        self._lock = threading.Lock()
        self._state: State | None = None
        self._database: Database | None = None

    def state(self) -> State:
        """Return state.db, to be read. Raises `StateError`."""
        with self._lock:
            if self._state is None:
                self._state = State(self._path, reads_only=True)
            return self._state

    def records(self, poller: str) -> BoundRecords:
        """Return what a poller has in the database, to be read. Raises `RecordsError`."""
        # Imported where it is needed: SQLAlchemy costs a small machine a second.
        from tallyd.adapters.records import Database  # noqa: PLC0415 # see above

        with self._lock:
            if self._database is None:
                self._database = Database(self._url, patience_s=DATABASE_PATIENCE_S)
            return self._database.records(poller)

    def close(self) -> None:
        """Close both; a further call does nothing."""
        with self._lock:
            if self._state is not None:
                self._state.close()
            if self._database is not None:
                self._database.close()
