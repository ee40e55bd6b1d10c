"""The readings: what was counted, what was missed, and which out file is still to be written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import count
from typing import Any, Literal, cast

from tallyd.adapters.state.alerts import apply
from tallyd.adapters.state.connection import StateDamagedError, StateFile
from tallyd.adapters.state.rows import FromFile, OutFile, OutText, Recorded, Stored, Whose
from tallyd.core.alerts import Findings, Judgement
from tallyd.core.document import Heading, document, dumped
from tallyd.core.naming import instant_text, numbered, out_stem, read_instant
from tallyd.core.reading import Facts, Reading, Slot

_COLUMNS = "poller, kind, job, slot, outcome, reason, due_at, taken_at, body, out_name"


class Readings:
    """Every count that exists, and every slot known to have none."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    def record(
        self,
        whose: Whose,
        slot: Slot,
        reading: Reading,
        heading: Heading,
        *,
        findings: Findings | None,
        is_taken: Callable[[str], bool],
    ) -> Recorded:
        """Commit a reading: from here on the count exists.

        The slot is settled, the out file's name reserved (`is_taken` knows the names on disk), what the job
        remembers and its alerts are stored, all at once. `findings` None leaves every alert alone
        (`once`). A slot that has its reading already keeps it, and nothing at all is changed.
        """
        with self._file.transaction() as db:
            if slot.key is not None and _is_taken_slot(db, whose, slot.key):
                return Recorded()
            judgement = Judgement(standing=reading.problems) if findings is None else apply(db, findings)
            if reading.memory is not None and findings is not None:
                db.execute(
                    "INSERT OR REPLACE INTO memory (poller, job, value) VALUES (?, ?, ?)",
                    (whose.poller, whose.job, json.dumps(reading.memory)),
                )
            db.execute(
                "DELETE FROM slot WHERE poller=? AND job=? AND slot=?", (whose.poller, whose.job, slot.key)
            )
            if reading.facts is None:
                return Recorded(judgement=judgement)
            text = dumped(document(heading, reading.facts, judgement.standing))
            stem = out_stem(heading.due_at or heading.taken_at, heading.zone)
            name = _free_name(db, whose.poller, stem, is_taken)
            return Recorded(out=_insert(db, whose, slot, heading, OutText(name, text)), judgement=judgement)

    def unwritten(self) -> tuple[OutFile, ...]:
        """Return the readings whose out file is not known to be on disk, oldest first."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT id, poller, out_name, body FROM reading WHERE NOT written ORDER BY id"
            ).fetchall()
        return tuple(OutFile(id=id_, poller=poller, name=name, text=body) for id_, poller, name, body in rows)

    def is_unwritten(self, out: OutFile) -> bool:
        """Whether the out file is still not known to be on disk."""
        with self._file.reading() as db:
            row = db.execute("SELECT 1 FROM reading WHERE id=? AND NOT written", (out.id,)).fetchone()
        return row is not None

    def is_last(self, out: OutFile) -> bool:
        """Whether no reading of the poller was stored after this one."""
        with self._file.reading() as db:
            (last,) = db.execute(
                "SELECT max(id) FROM reading WHERE poller=? AND outcome='taken'", (out.poller,)
            ).fetchone()
        return bool(last == out.id)

    def missed_since_taken(
        self, poller: str, job: str, *, now: datetime, reason: str | None = None
    ) -> tuple[datetime, ...]:
        """Return the slots missed since the job's last reading within the timetable, oldest first.

        With `reason`, only those missed for it. Slots ahead of `now` are of a clock that ran ahead.
        """
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT due_at FROM reading WHERE poller=:poller AND job=:job AND outcome='missed'"
                " AND (:reason IS NULL OR reason=:reason) AND due_at <= :now"
                " AND due_at > coalesce((SELECT max(due_at) FROM reading"
                " WHERE poller=:poller AND job=:job AND outcome='taken' AND due_at <= :now), '')"
                " ORDER BY due_at",
                {"poller": poller, "job": job, "reason": reason, "now": instant_text(now)},
            )
            return tuple(read_instant(due_at) for (due_at,) in rows)

    def missed_between(self, poller: str, job: str, since: datetime, until: datetime) -> tuple[datetime, ...]:
        """Return the job's slots with since <= slot < until that have no reading, oldest first."""
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT due_at FROM reading WHERE poller=? AND job=? AND outcome='missed'"
                " AND due_at>=? AND due_at<? ORDER BY due_at",
                (poller, job, instant_text(since), instant_text(until)),
            )
            return tuple(read_instant(due_at) for (due_at,) in rows)

    def mark_written(self, out: OutFile) -> None:
        """Commit that the out file is on disk."""
        with self._file.transaction() as db:
            db.execute("UPDATE reading SET written=1 WHERE id=?", (out.id,))

    def rename_out(self, out: OutFile, *, is_taken: Callable[[str], bool]) -> OutFile:
        """Reserve another name for an out file whose first name turned out to be somebody else's."""
        with self._file.transaction() as db:
            stem = out.name.removesuffix(".json")
            name = _free_name(db, out.poller, stem, is_taken)
            db.execute("UPDATE reading SET out_name=? WHERE id=?", (name, out.id))
        return OutFile(id=out.id, poller=out.poller, name=name, text=out.text)

    def newest_names(self, poller: str) -> frozenset[str]:
        """Return the names of the poller's out files of the newest month that has any.

        Raises `StateDamagedError` where a name is no text any more.
        """
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT out_name FROM reading WHERE poller=:poller AND out_name>="
                "(SELECT substr(max(out_name), 1, 7) FROM reading WHERE poller=:poller)",
                {"poller": poller},
            )
            names = frozenset(name for (name,) in rows)
        if not all(isinstance(name, str) for name in names):
            raise StateDamagedError("state.db is damaged: the name of an out file is no text")
        return names

    def restore(self, found: Iterable[FromFile], marks: Mapping[tuple[str, str], frozenset[str]]) -> int:
        """Take readings back in from their out files, all or none; return how many were.

        A slot that has its reading keeps it. The `marks` of each (poller, job) are moved on to its newest
        reading, so that a slot missed since is found.
        """
        with self._file.transaction() as db:
            try:
                count = sum(_restore(db, each) for each in found)
            except sqlite3.IntegrityError as error:
                # These names are not in the table; then its index is wrong.
                raise StateDamagedError(f"{self._file.path} is damaged: {error}") from error
            for (poller, job), names in marks.items():
                (newest,) = db.execute(
                    "SELECT max(due_at) FROM reading WHERE poller=? AND job=? AND outcome='taken'",
                    (poller, job),
                ).fetchone()
                db.executemany(
                    "INSERT INTO mark (poller, job, mark, at) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET at=max(at, excluded.at)",
                    [(poller, job, name, newest) for name in names if newest is not None],
                )
            return count

    def check(self) -> None:
        """Raise ValueError where what is remembered, or is still to be written, makes no sense."""
        with self._file.reading() as db:
            for (text,) in db.execute(
                "SELECT value FROM memory UNION ALL SELECT body FROM reading WHERE NOT written"
            ):
                json.loads(text)

    def memory(self, poller: str, job: str) -> Facts:
        """Return what the job's last reading asked to remember."""
        with self._file.reading() as db:
            row = db.execute("SELECT value FROM memory WHERE poller=? AND job=?", (poller, job)).fetchone()
        return cast("Facts", json.loads(row[0])) if row else {}

    def history(
        self, *, poller: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Stored, ...]:
        """Return readings and missed slots with since <= time < until, oldest first.

        The time of a row is its slot's, outside the timetable the time it was taken.
        """
        span = {
            "poller": poller,
            "since": instant_text(since) if since else None,
            "until": instant_text(until) if until else None,
        }
        with self._file.reading() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM reading WHERE (:poller IS NULL OR poller=:poller)"  # noqa: S608 # a constant
                " AND (:since IS NULL OR coalesce(due_at, taken_at)>=:since)"
                " AND (:until IS NULL OR coalesce(due_at, taken_at)<:until)"
                " ORDER BY coalesce(due_at, taken_at), id",
                span,
            )
            return tuple(_stored(row) for row in rows)

    def newest(
        self, poller: str, *, now: datetime, outcome: Literal["taken", "missed"] = "taken"
    ) -> Stored | None:
        """Return the poller's last reading within the timetable, or its last missed slot, up to `now`."""
        with self._file.reading() as db:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM reading"  # noqa: S608 # a constant
                " WHERE poller=? AND outcome=? AND due_at <= ? ORDER BY due_at DESC LIMIT 1",
                (poller, outcome, instant_text(now)),
            ).fetchone()
        return _stored(row) if row else None

    def pollers(self) -> tuple[str, ...]:
        """Return the pollers that have readings, those no longer in the config included."""
        with self._file.reading() as db:
            return tuple(name for (name,) in db.execute("SELECT DISTINCT poller FROM reading ORDER BY 1"))

    def prune(self, poller: str, *, before: datetime, most: int) -> int:
        """Forget at most `most` written readings from before an instant; return how many."""
        with self._file.transaction() as db:
            done = db.execute(
                "DELETE FROM reading WHERE id IN (SELECT id FROM reading WHERE poller=? AND taken_at<?"
                " AND written LIMIT ?)",
                (poller, instant_text(before), most),
            )
            return done.rowcount


def _restore(db: sqlite3.Connection, found: FromFile) -> int:
    whose, due_at = found.whose, found.due_at
    done = db.execute(
        "INSERT INTO reading (poller, kind, job, slot, outcome, due_at, taken_at, body, out_name, written)"
        " VALUES (?, ?, ?, ?, 'taken', ?, ?, ?, ?, 1) ON CONFLICT (poller, job, slot) DO UPDATE SET"
        " outcome='taken', reason=NULL, taken_at=excluded.taken_at, body=excluded.body,"
        " out_name=excluded.out_name WHERE outcome='missed'",
        (
            whose.poller,
            whose.kind,
            whose.job,
            found.slot,
            instant_text(due_at) if due_at else None,
            instant_text(found.taken_at),
            found.out.text,
            found.out.name,
        ),
    )
    db.execute("DELETE FROM slot WHERE poller=? AND job=? AND slot=?", (whose.poller, whose.job, found.slot))
    return done.rowcount


def _is_taken_slot(db: sqlite3.Connection, whose: Whose, slot: str) -> bool:
    row = db.execute(
        "SELECT 1 FROM reading WHERE poller=? AND job=? AND slot=? AND outcome='taken'",
        (whose.poller, whose.job, slot),
    ).fetchone()
    return row is not None


def _insert(db: sqlite3.Connection, whose: Whose, slot: Slot, heading: Heading, out: OutText) -> OutFile:
    """Store a reading, in the place of what a clock running ahead recorded as missed."""
    done = db.execute(
        "INSERT INTO reading (poller, kind, job, slot, outcome, due_at, taken_at, body, out_name, written)"
        " VALUES (?, ?, ?, ?, 'taken', ?, ?, ?, ?, 0) ON CONFLICT (poller, job, slot) DO UPDATE SET"
        " outcome='taken', reason=NULL, taken_at=excluded.taken_at, body=excluded.body,"
        " out_name=excluded.out_name, written=0 RETURNING id",
        (
            whose.poller,
            whose.kind,
            whose.job,
            slot.key,
            instant_text(heading.due_at) if heading.due_at else None,
            instant_text(heading.taken_at),
            out.text,
            out.name,
        ),
    ).fetchone()
    return OutFile(id=done[0], poller=whose.poller, name=out.name, text=out.text)


def _free_name(db: sqlite3.Connection, poller: str, stem: str, is_taken: Callable[[str], bool]) -> str:
    """Return the first name for `stem` that neither a reading has reserved nor a file on disk bears."""
    for number in count(1):
        name = numbered(stem, number)
        reserved = db.execute(
            "SELECT 1 FROM reading WHERE poller=? AND out_name=?", (poller, name)
        ).fetchone()
        if reserved is None and not is_taken(name):
            return name
    raise AssertionError("count() never ends")


def _stored(row: tuple[Any, ...]) -> Stored:
    poller, kind, job, slot, outcome, reason, due_at, taken_at, body, out_name = row
    return Stored(
        poller=poller,
        kind=kind,
        job=job,
        slot=slot,
        outcome=outcome,
        reason=reason,
        due_at=read_instant(due_at) if due_at else None,
        taken_at=read_instant(taken_at),
        body=cast("Facts", json.loads(body)) if body else None,
        out_name=out_name,
    )
