"""The slots that were begun but are not settled, and the watermarks: slots before them are never due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from tallyd.adapters.state.alerts import Alerts
from tallyd.adapters.state.connection import StateConnection, Statements
from tallyd.adapters.state.types import JobRef, Recorded
from tallyd.core.alerts.rules import Observations
from tallyd.core.naming import instant_text, read_instant
from tallyd.core.reading import Slot
from tallyd.core.schedule.timetable import Missed, Pending


class Slots:
    """Slots and watermarks.

    A settled slot has a row in `reading` (taken or missed); `slot` has the others.
    """

    def __init__(self, connection: StateConnection, alerts: Alerts) -> None:
        self._connection = connection
        self._alerts = alerts

    def marks(self, poller: str, job: str) -> dict[str, datetime]:
        """Return the job's watermarks by name."""
        with self._connection.reading() as db:
            rows = db.execute("SELECT mark, at FROM mark WHERE poller=? AND job=?", (poller, job))
            return {mark: read_instant(at) for mark, at in rows}

    def set_marks(
        self, poller: str, job: str, marks: Mapping[str, datetime], *, drop: frozenset[str]
    ) -> None:
        """Set some watermarks and delete others, in one transaction."""
        with self._connection.transaction() as db:
            db.executemany(
                "DELETE FROM mark WHERE poller=? AND job=? AND mark=?", [(poller, job, name) for name in drop]
            )
            for name, at in marks.items():
                set_mark(db, poller, job, name, at)

    def check(self) -> None:
        """Raise ValueError if a watermark or a slot has an invalid time."""
        with self._connection.reading() as db:
            for (at,) in db.execute(
                "SELECT at FROM mark UNION ALL SELECT due_at FROM slot"
                " UNION ALL SELECT not_before FROM slot WHERE not_before IS NOT NULL"
            ):
                read_instant(at)

    def forget_others(self, names: frozenset[tuple[str, str]]) -> None:
        """Delete the watermarks and slots of all jobs except these (poller, job).

        If a job comes back later, it starts anew: it has missed nothing while it was not configured.
        """
        with self._connection.reading() as db:
            known = {*db.execute("SELECT poller, job FROM mark UNION SELECT poller, job FROM slot")}
        if known <= names:
            return
        with self._connection.transaction() as db:
            for poller, job in known - names:
                db.execute("DELETE FROM mark WHERE poller=? AND job=?", (poller, job))
                db.execute("DELETE FROM slot WHERE poller=? AND job=?", (poller, job))

    def pending(self, poller: str, job: str) -> tuple[Pending, ...]:
        """Return the job's slots that were begun but are not settled, oldest first."""
        with self._connection.reading() as db:
            rows = db.execute(
                "SELECT slot, due_at, state, starts, reason, not_before FROM slot WHERE poller=? AND job=?"
                " ORDER BY due_at",
                (poller, job),
            ).fetchall()
        return tuple(
            Pending(key, read_instant(due), state, starts, reason, read_instant(wait) if wait else None)
            for key, due, state, starts, reason, wait in rows
        )

    def settled(self, poller: str, job: str, *, since: datetime, now: datetime) -> frozenset[str]:
        """Return the slots due at `since` or later that have their reading, or were recorded as missed.

        A slot that was recorded as missed at a time after `now` does not count: the clock was ahead.
        """
        # One more day: if the rules of a time zone have changed, a slot was due at another instant.
        from_day = since - timedelta(days=1)
        with self._connection.reading() as db:
            rows = db.execute(
                "SELECT slot FROM reading WHERE poller=? AND job=? AND outcome IN ('taken', 'missed')"
                " AND due_at>=? AND (outcome='taken' OR taken_at<=?)",
                (poller, job, instant_text(from_day), instant_text(now)),
            )
            return frozenset(slot for (slot,) in rows)

    def claim(self, ref: JobRef, slot: Slot, mark: str | None) -> None:
        """Commit that a slot begins (again), and move its watermark past it."""
        with self._connection.transaction() as db:
            db.execute(
                "INSERT INTO slot (poller, job, slot, due_at, state, starts)"
                " VALUES (?, ?, ?, ?, 'claimed', 1)"
                " ON CONFLICT (poller, job, slot) DO UPDATE SET state='claimed', starts=slot.starts+1",
                (ref.poller, ref.job, slot.key, instant_text(slot.due_at)),
            )
            if mark is not None:
                set_mark(db, ref.poller, ref.job, mark, slot.due_at)

    def fail(
        self, ref: JobRef, slot: Slot, *, reason: str, not_before: datetime, observations: Observations
    ) -> Recorded:
        """Commit that a run failed. Its slot may begin again at `not_before`."""
        with self._connection.transaction() as db:
            db.execute(
                "INSERT INTO slot (poller, job, slot, due_at, state, starts, reason, not_before)"
                " VALUES (?, ?, ?, ?, 'failed', 1, ?, ?)"
                " ON CONFLICT (poller, job, slot) DO UPDATE SET state='failed', reason=excluded.reason,"
                " not_before=excluded.not_before",
                (
                    ref.poller,
                    ref.job,
                    slot.key,
                    instant_text(slot.due_at),
                    reason,
                    instant_text(not_before),
                ),
            )
            return Recorded(evaluation=self._alerts.apply(observations))

    def miss(
        self, ref: JobRef, missed: tuple[Missed, ...], *, now: datetime, observations: Observations
    ) -> Recorded:
        """Commit that these slots, oldest first, have no reading and will get none."""
        job_columns, said_at = (ref.poller, ref.kind, ref.job), instant_text(now)
        with self._connection.transaction() as db:
            db.executemany(
                "DELETE FROM slot WHERE poller=? AND job=? AND slot=?",
                [(ref.poller, ref.job, one.key) for one in missed],
            )
            db.executemany(
                "INSERT INTO reading (poller, kind, job, slot, outcome, reason, due_at, taken_at, written)"
                " VALUES (?, ?, ?, ?, 'missed', ?, ?, ?, 1) ON CONFLICT (poller, job, slot) DO UPDATE"
                " SET reason=excluded.reason, taken_at=excluded.taken_at WHERE reading.outcome='missed'",
                [(*job_columns, one.key, one.reason, instant_text(one.due_at), said_at) for one in missed],
            )
            marks = {one.watermark: one.due_at for one in missed if one.watermark is not None}
            for mark, at in marks.items():
                set_mark(db, ref.poller, ref.job, mark, at)
            return Recorded(evaluation=self._alerts.apply(observations))


def set_mark(db: Statements, poller: str, job: str, mark: str, at: datetime) -> None:
    """Set one watermark, within a transaction."""
    db.execute(
        "INSERT INTO mark (poller, job, mark, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (poller, job, mark) DO UPDATE SET at=excluded.at",
        (poller, job, mark, instant_text(at)),
    )
