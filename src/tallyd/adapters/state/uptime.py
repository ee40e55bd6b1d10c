"""When tallyd was on, in state.db."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from tallyd.adapters.state.connection import StateConnection
from tallyd.core.naming import instant_text, read_instant
from tallyd.core.uptime import MOST_SILENT_S, TimeSpan, merged

_NOTE = (
    "INSERT INTO uptime (started_at, seen_at) VALUES (?, ?)"
    " ON CONFLICT (started_at) DO UPDATE SET seen_at=excluded.seen_at"
)


class UptimeRows:
    """The times that the daemon was on without a break, in rows of a day at most."""

    def __init__(self, connection: StateConnection) -> None:
        self._connection = connection

    def note(self, seen_at: Mapping[datetime, datetime]) -> None:
        """Store until when the daemon has been on, by the beginning of each row."""
        with self._connection.transaction() as db:
            db.executemany(
                _NOTE,
                [(instant_text(start), instant_text(seen)) for start, seen in seen_at.items()],
            )

    def between(self, since: datetime, until: datetime, *, now: datetime) -> tuple[TimeSpan, ...]:
        """Return when the daemon was on within since <= time < until, oldest first.

        If it is on now, the last time goes on until now.
        """
        silent_since = since - timedelta(seconds=MOST_SILENT_S)
        with self._connection.reading() as db:
            rows = db.execute(
                "SELECT started_at, seen_at FROM uptime WHERE seen_at>=? AND started_at<?",
                (instant_text(silent_since), instant_text(until)),
            )
            spans = ((read_instant(start), read_instant(seen)) for start, seen in rows)
            return merged(spans, since, until, now=now)

    def prune(self, before: datetime) -> None:
        """Delete what is older, also of a row that goes on: nothing is known any more of incidents then."""
        border = instant_text(before)
        with self._connection.transaction() as db:
            (seen_at,) = db.execute(
                "SELECT max(seen_at) FROM uptime WHERE started_at<=?", (border,)
            ).fetchone()
            db.execute("DELETE FROM uptime WHERE started_at<?", (border,))
            if seen_at is not None and seen_at > border:
                db.execute(_NOTE, (border, seen_at))

    def check(self) -> None:
        """Raise ValueError if the newest row can't be parsed, `StateError` if the table is not there."""
        with self._connection.reading() as db:
            for row in db.execute("SELECT started_at, seen_at FROM uptime ORDER BY started_at DESC LIMIT 1"):
                for text in row:
                    read_instant(text)
