"""The readings: what was counted, what was missed, and which out file is still to be written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast

from tallyd.adapters.state.alerts import apply
from tallyd.adapters.state.connection import StateDamagedError
from tallyd.adapters.state.history import Past
from tallyd.adapters.state.out_files import free_name
from tallyd.adapters.state.outbox import queue
from tallyd.adapters.state.types import NewReading, OutFile, Recorded, Whose
from tallyd.core.alerts.rules import Evaluation, Observations
from tallyd.core.naming import instant_text, out_stem
from tallyd.core.out_document import Heading, document, stored_text
from tallyd.core.reading import Facts, Problem, Reading, Slot


class Readings(Past):
    """Every count that exists, and every slot known to have none.

    Of several readings of one slot, one is the slot's own and bears its key; the others have a `part`, which
    stands behind it. A slot is settled by its own reading.
    """

    def record(
        self,
        whose: Whose,
        slot: Slot,
        headed: Sequence[tuple[Reading, Heading]],
        *,
        observations: Observations | None,
        is_taken: Callable[[str], bool],
    ) -> Recorded:
        """Commit the readings of one run: from here on the counts exist.

        The slot is settled, the names of the out files are reserved one after the other (`is_taken` knows
        those on disk), what the job remembers, what is to be sent and the alerts are stored, all at once.
        `observations` None (`once`) leaves alerts and memory as they are. A slot that already has its reading
        keeps it, and nothing changes.
        """
        with self._file.transaction() as db:
            if slot.key is not None and _is_taken_slot(db, whose, slot.key):
                return Recorded()
            evaluation = Evaluation() if observations is None else apply(db, observations)
            if observations is not None:
                _remember(db, whose, [reading for reading, _ in headed])
            db.execute(
                "DELETE FROM slot WHERE poller=? AND job=? AND slot=?", (whose.poller, whose.job, slot.key)
            )
            outs: list[OutFile | None] = []
            for reading, heading in headed:
                standing = reading.problems if observations is None else _standing(evaluation, reading)
                outs.append(_store(db, whose, slot, reading, heading, standing=standing, is_taken=is_taken))
                queue(db, whose.poller, reading.outbox, slot_at=heading.due_at or heading.taken_at)
            return Recorded(outs=tuple(outs), evaluation=evaluation)

    def restore(self, found: Iterable[NewReading], marks: Mapping[tuple[str, str], frozenset[str]]) -> int:
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
        """Raise ValueError where what is remembered makes no sense."""
        with self._file.reading() as db:
            for (text,) in db.execute("SELECT value FROM memory"):
                json.loads(text)

    def memory(self, poller: str, job: str) -> Facts:
        """Return what the job's last reading asked to remember."""
        with self._file.reading() as db:
            row = db.execute("SELECT value FROM memory WHERE poller=? AND job=?", (poller, job)).fetchone()
        return cast("Facts", json.loads(row[0])) if row else {}

    def prune(self, poller: str, *, before: datetime, most: int) -> int:
        """Forget at most `most` written readings from before an instant; return how many."""
        with self._file.transaction() as db:
            done = db.execute(
                "DELETE FROM reading WHERE id IN (SELECT id FROM reading WHERE poller=? AND taken_at<?"
                " AND written LIMIT ?)",
                (poller, instant_text(before), most),
            )
            return done.rowcount


def _restore(db: sqlite3.Connection, found: NewReading) -> bool:
    """Store a reading that was found in out/; whether it was not known."""
    id_ = _insert(db, found, is_written=True)
    if found.part is None:
        db.execute(
            "DELETE FROM slot WHERE poller=? AND job=? AND slot=?",
            (found.whose.poller, found.whose.job, found.slot),
        )
    return id_ is not None


def _remember(db: sqlite3.Connection, whose: Whose, readings: Iterable[Reading]) -> None:
    """Store what the job is to remember: what the last reading that says so wants."""
    for memory in [each.memory for each in readings if each.memory is not None][-1:]:
        db.execute(
            "INSERT OR REPLACE INTO memory (poller, job, value) VALUES (?, ?, ?)",
            (whose.poller, whose.job, json.dumps(memory)),
        )


def _standing(evaluation: Evaluation, reading: Reading) -> tuple[Problem, ...]:
    """Return a reading's own problems, as they stand."""
    own = {problem.key for problem in reading.problems}
    return tuple(problem for problem in evaluation.standing if problem.key in own)


def _store(
    db: sqlite3.Connection,
    whose: Whose,
    slot: Slot,
    reading: Reading,
    heading: Heading,
    *,
    standing: tuple[Problem, ...],
    is_taken: Callable[[str], bool],
) -> OutFile | None:
    """Store one reading; None where there is nothing to write, or it is known from its out file already."""
    if reading.facts is None:
        return None
    stem = out_stem(heading.due_at or heading.taken_at, heading.zone)
    new = NewReading(
        whose=whose,
        slot=slot.key,
        part=reading.part,
        due_at=heading.due_at,
        taken_at=heading.taken_at,
        name=free_name(db, whose.poller, stem, is_taken),
        text=stored_text(document(heading, reading.facts, standing)),
    )
    id_ = _insert(db, new, is_written=False)
    return None if id_ is None else OutFile(id=id_, poller=whose.poller, job=whose.job, name=new.name)


def _row_key(slot: str | None, part: str | None) -> str | None:
    """Return what stands in `slot` of a row; None outside the timetable."""
    return slot if slot is None or part is None else f"{slot}#{part}"


def _is_taken_slot(db: sqlite3.Connection, whose: Whose, slot: str) -> bool:
    row = db.execute(
        "SELECT 1 FROM reading WHERE poller=? AND job=? AND slot=? AND outcome='taken'",
        (whose.poller, whose.job, slot),
    ).fetchone()
    return row is not None


def _insert(db: sqlite3.Connection, new: NewReading, *, is_written: bool) -> int | None:
    """Store a reading, in the place of what was recorded as missed; None where the slot has its reading."""
    row = db.execute(
        "INSERT INTO reading"
        " (poller, kind, job, slot, outcome, due_at, taken_at, body, out_name, part, written)"
        " VALUES (?, ?, ?, ?, 'taken', ?, ?, ?, ?, ?, ?) ON CONFLICT (poller, job, slot) DO UPDATE SET"
        " outcome='taken', reason=NULL, taken_at=excluded.taken_at, body=excluded.body,"
        " out_name=excluded.out_name, written=excluded.written WHERE outcome='missed' RETURNING id",
        (
            new.whose.poller,
            new.whose.kind,
            new.whose.job,
            _row_key(new.slot, new.part),
            instant_text(new.due_at) if new.due_at else None,
            instant_text(new.taken_at),
            new.text,
            new.name,
            new.part,
            is_written,
        ),
    ).fetchone()
    return None if row is None else int(row[0])
