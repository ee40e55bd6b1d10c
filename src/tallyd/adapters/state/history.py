"""Queries for readings and missed slots. Read only."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, cast

from tallyd.adapters.state.bodies import unpacked
from tallyd.adapters.state.connection import ALL, StateConnection
from tallyd.core.naming import instant_text, read_instant
from tallyd.core.reading import Facts
from tallyd.core.stored import LastReading, StoredReading

_COLUMNS = "poller, kind, job, slot, outcome, reason, due_at, taken_at, body, out_name, part"
_TIME = "coalesce(due_at, taken_at)"
"""The same expression as in the indexes."""


class ReadingHistory:
    """Queries for readings. Each uses an index, so it is fast with any number of readings."""

    def __init__(self, connection: StateConnection) -> None:
        self._connection = connection

    def missed_since_taken(
        self, poller: str, job: str, *, now: datetime, reason: str | None = None
    ) -> tuple[datetime, ...]:
        """Return the slots missed since the job's last reading within the timetable, oldest first.

        With `reason`, only those with this reason. Slots after `now` are ignored: the clock was ahead.
        """
        with self._connection.reading() as db:
            rows = db.execute(
                "SELECT due_at FROM reading WHERE poller=:poller AND job=:job AND outcome='missed'"  # noqa: S608 # constants
                f"{' AND reason=:reason' if reason else ''} AND due_at <= :now"
                # Not max(): with a condition on the job, that would read every reading.
                " AND due_at > coalesce((SELECT due_at FROM reading"
                " WHERE poller=:poller AND job=:job AND outcome='taken' AND due_at <= :now"
                " ORDER BY due_at DESC LIMIT 1), '')"
                " ORDER BY due_at",
                {"poller": poller, "job": job, "reason": reason, "now": instant_text(now)},
            )
            return tuple(read_instant(due_at) for (due_at,) in rows)

    def missed_between(self, poller: str, job: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
        """Return the job's slots with since <= slot < until that have no reading, oldest first."""
        with self._connection.reading() as db:
            rows = db.execute(
                "SELECT due_at FROM reading WHERE poller=? AND job=? AND outcome='missed'"
                " AND due_at>=? AND due_at<? ORDER BY due_at",
                (poller, job, instant_text(since), instant_text(until)),
            )
            return tuple(read_instant(due_at) for (due_at,) in rows)

    def taken(self, poller: str) -> dict[str, str | None]:
        """Return the names of the poller's out files, each with the slot of its reading, if it has one."""
        with self._connection.reading() as db:
            rows = db.execute(
                "SELECT out_name, slot FROM reading WHERE poller=? AND outcome='taken'"
                " AND out_name IS NOT NULL",
                (poller,),
            )
            return dict(rows.fetchall())

    def history(
        self,
        *,
        poller: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        most: int | None = None,
    ) -> tuple[StoredReading, ...]:
        """Return the first `most` readings and missed slots with since <= time < until, oldest first.

        The time of a row is that of its slot; outside the timetable, when it was taken.
        """
        where, values = _where(poller, since, until)
        with self._connection.reading() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM reading{where} ORDER BY {_TIME}, id LIMIT ?",  # noqa: S608 # constants
                (*values, ALL if most is None else most),
            )
            return tuple(_stored(row) for row in rows)

    def fitting(
        self, *, poller: str | None, since: datetime | None, until: datetime | None, most_chars: int
    ) -> int:
        """Return how many rows of `history` fit into `most_chars`, by the total length of their bodies."""
        where, values = _where(poller, since, until)
        with self._connection.reading() as db:
            (count,) = db.execute(
                "SELECT count(*) FROM (SELECT sum(chars)"  # noqa: S608 # constants
                f" OVER (ORDER BY {_TIME}, id) AS so_far FROM reading{where}) AS each WHERE so_far<=?",
                (*values, most_chars),
            ).fetchone()
        return int(count)

    def last(self, poller: str, *, now: datetime, in_timetable: bool = False) -> StoredReading | None:
        """Return the poller's last reading up to `now`. `in_timetable`: ignore readings taken by hand.

        If a slot has several readings, return the slot's own.
        """
        row = self._last(_COLUMNS, poller, now, in_timetable=in_timetable)
        return _stored(row) if row else None

    def last_taken(self, poller: str, *, now: datetime, in_timetable: bool = False) -> LastReading | None:
        """Return the time of `last` without its body, which may have ten thousand targets."""
        row = self._last("due_at, taken_at", poller, now, in_timetable=in_timetable)
        return LastReading(read_instant(row[1]), is_by_hand=row[0] is None) if row else None

    def _last(
        self, columns: str, poller: str, now: datetime, *, in_timetable: bool
    ) -> tuple[Any, ...] | None:
        # Ask by both times: a late slot may have been taken after a later reading by hand.
        times = ("due_at",) if in_timetable else ("due_at", _TIME)
        with self._connection.reading() as db:
            rows = [
                db.execute(
                    f"SELECT taken_at, {columns} FROM reading"  # noqa: S608 # constants
                    f" WHERE poller=? AND outcome='taken' AND {time} <= ?"
                    f" ORDER BY {time} DESC, part IS NOT NULL, id DESC LIMIT 1",
                    (poller, instant_text(now)),
                ).fetchone()
                for time in times
            ]
        found = max((row for row in rows if row), key=lambda row: str(row[0]), default=None)
        return found[1:] if found else None

    def pollers(self) -> tuple[str, ...]:
        """Return the pollers that have readings, including those that left the config."""
        with self._connection.reading() as db:
            return tuple(name for (name,) in db.execute("SELECT DISTINCT poller FROM reading ORDER BY 1"))


def _where(poller: str | None, since: datetime | None, until: datetime | None) -> tuple[str, list[str]]:
    """Return a condition and its values.

    It has only the limits that are given, so that an index can be used.
    """
    bounds = {
        "poller=?": poller,
        f"{_TIME}>=?": instant_text(since) if since else None,
        f"{_TIME}<?": instant_text(until) if until else None,
    }
    wanted = {bound: value for bound, value in bounds.items() if value is not None}
    return (f" WHERE {' AND '.join(wanted)}" if wanted else ""), list(wanted.values())


def _stored(row: tuple[Any, ...]) -> StoredReading:
    poller, kind, job, slot, outcome, reason, due_at, taken_at, body, out_name, part = row
    return StoredReading(
        poller=poller,
        kind=kind,
        job=job,
        slot=slot,
        outcome=outcome,
        reason=reason,
        due_at=read_instant(due_at) if due_at else None,
        taken_at=read_instant(taken_at),
        body=cast("Facts", json.loads(unpacked(body))) if body else None,
        out_name=out_name,
        part=part,
    )
