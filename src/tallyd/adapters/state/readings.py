"""Stores readings, restores them from out files, and deletes old ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast

from tallyd.adapters.state.alerts import Alerts
from tallyd.adapters.state.bodies import packed
from tallyd.adapters.state.connection import ConflictError, StateConnection, Statements, damaged
from tallyd.adapters.state.history import ReadingHistory
from tallyd.adapters.state.out_files import free_name
from tallyd.adapters.state.outbox import queue
from tallyd.adapters.state.types import JobRef, NewReading, OutFile, Recorded
from tallyd.core.alerts.rules import Evaluation, Observations
from tallyd.core.naming import instant_text, out_stem
from tallyd.core.out_document import Heading, document, stored_text
from tallyd.core.reading import Facts, Problem, Reading, Slot


class Readings(ReadingHistory):
    """All counts, and all slots that have none.

    If a slot has several readings, one is the slot's own and has the slot's key. The keys of the others end
    with their `part`. The slot's own reading settles the slot.
    """

    def __init__(self, connection: StateConnection, alerts: Alerts) -> None:
        super().__init__(connection)
        self._alerts = alerts

    def record(
        self,
        ref: JobRef,
        slot: Slot,
        headed: Sequence[tuple[Reading, Heading]],
        *,
        observations: Observations | None,
        is_taken: Callable[[str], bool],
    ) -> Recorded:
        """Commit the readings of one run: from here on the counts exist.

        One transaction settles the slot, reserves the names of the out files (`is_taken`: a file on disk has
        this name), and stores the job's memory, the outbox messages and the alerts. Without `observations`
        (`once`), alerts and memory do not change. If the slot already has its reading, nothing changes.
        """
        with self._connection.transaction() as db:
            if slot.key is not None and _is_taken_slot(db, ref, slot.key):
                return Recorded()
            evaluation = Evaluation() if observations is None else self._alerts.apply(observations)
            if observations is not None:
                _remember(db, ref, [reading for reading, _ in headed])
            db.execute(
                "DELETE FROM slot WHERE poller=? AND job=? AND slot=?", (ref.poller, ref.job, slot.key)
            )
            outs: list[OutFile | None] = []
            for reading, heading in headed:
                standing = reading.problems if observations is None else _standing(evaluation, reading)
                outs.append(_store(db, ref, slot, reading, heading, standing=standing, is_taken=is_taken))
                queue(db, ref.poller, reading.outbox, slot_at=heading.due_at or heading.taken_at)
            return Recorded(outs=tuple(outs), evaluation=evaluation)

    def restore(self, found: Iterable[NewReading], marks: Mapping[tuple[str, str], frozenset[str]]) -> int:
        """Restore readings from their out files, all or none; return how many.

        A slot that has its reading keeps it. The `marks` of each (poller, job) move to its newest reading, so
        that slots missed since then are found.
        """
        try:
            return self._restore(found, marks)
        except ConflictError as error:
            # The names are not in the table, so its index is damaged.
            raise damaged(self._connection.place, error) from error

    def _restore(self, found: Iterable[NewReading], marks: Mapping[tuple[str, str], frozenset[str]]) -> int:
        with self._connection.transaction() as db:
            count = sum(_restore(db, each) for each in found)
            for (poller, job), names in marks.items():
                (newest,) = db.execute(
                    "SELECT max(due_at) FROM reading WHERE poller=? AND job=? AND outcome='taken'",
                    (poller, job),
                ).fetchone()
                db.executemany(
                    "INSERT INTO mark (poller, job, mark, at) VALUES (?, ?, ?, ?)"
                    " ON CONFLICT (poller, job, mark) DO UPDATE SET at=excluded.at WHERE mark.at<excluded.at",
                    [(poller, job, name, newest) for name in names if newest is not None],
                )
            return count

    def check(self) -> None:
        """Raise ValueError if the memory of a job is not JSON."""
        with self._connection.reading() as db:
            for (text,) in db.execute("SELECT value FROM memory"):
                json.loads(text)

    def memory(self, poller: str, job: str) -> Facts:
        """Return the job's memory from its last reading."""
        with self._connection.reading() as db:
            row = db.execute("SELECT value FROM memory WHERE poller=? AND job=?", (poller, job)).fetchone()
        return cast("Facts", json.loads(row[0])) if row else {}

    def prune(self, poller: str, *, before: datetime, most: int) -> int:
        """Delete at most `most` written readings from before `before`; return how many.

        Their age is that of the names of their out files, which are deleted by name.
        """
        with self._connection.transaction() as db:
            done = db.execute(
                "DELETE FROM reading WHERE id IN (SELECT id FROM reading WHERE poller=?"
                " AND coalesce(due_at, taken_at)<? AND written=1 LIMIT ?)",
                (poller, instant_text(before), most),
            )
            return done.rowcount


def _restore(db: Statements, found: NewReading) -> bool:
    """Store a reading that was found in out/. Return whether it was unknown."""
    id_ = _insert(db, found, is_written=True)
    if found.part is None:
        db.execute(
            "DELETE FROM slot WHERE poller=? AND job=? AND slot=?",
            (found.ref.poller, found.ref.job, found.slot),
        )
    return id_ is not None


def _remember(db: Statements, ref: JobRef, readings: Iterable[Reading]) -> None:
    """Store the job's memory: that of the last reading that has one."""
    for memory in [each.memory for each in readings if each.memory is not None][-1:]:
        db.execute(
            "INSERT INTO memory (poller, job, value) VALUES (?, ?, ?)"
            " ON CONFLICT (poller, job) DO UPDATE SET value=excluded.value",
            (ref.poller, ref.job, json.dumps(memory)),
        )


def _standing(evaluation: Evaluation, reading: Reading) -> tuple[Problem, ...]:
    """Return the problems of this reading that stand after the evaluation."""
    own = {problem.key for problem in reading.problems}
    return tuple(problem for problem in evaluation.standing if problem.key in own)


def _store(
    db: Statements,
    ref: JobRef,
    slot: Slot,
    reading: Reading,
    heading: Heading,
    *,
    standing: tuple[Problem, ...],
    is_taken: Callable[[str], bool],
) -> OutFile | None:
    """Store one reading. None if it has no out file, or was already restored from it."""
    if reading.facts is None:
        return None
    stem = out_stem(heading.due_at or heading.taken_at, heading.zone)
    new = NewReading(
        ref=ref,
        slot=slot.key,
        part=reading.part,
        due_at=heading.due_at,
        taken_at=heading.taken_at,
        name=free_name(db, ref.poller, stem, is_taken),
        text=stored_text(document(heading, reading.facts, standing)),
        latest=stored_text(reading.latest) if reading.latest else None,
    )
    id_ = _insert(db, new, is_written=False)
    return None if id_ is None else OutFile(id=id_, poller=ref.poller, job=ref.job, name=new.name)


def _row_key(slot: str | None, part: str | None) -> str | None:
    """Return the value of a row's `slot`; None outside the timetable."""
    return slot if slot is None or part is None else f"{slot}#{part}"


def _is_taken_slot(db: Statements, ref: JobRef, slot: str) -> bool:
    row = db.execute(
        "SELECT 1 FROM reading WHERE poller=? AND job=? AND slot=? AND outcome='taken'",
        (ref.poller, ref.job, slot),
    ).fetchone()
    return row is not None


def _insert(db: Statements, new: NewReading, *, is_written: bool) -> int | None:
    """Store a reading and return its id.

    It replaces a missed slot. None if the slot has its reading already.
    """
    row = db.execute(
        "INSERT INTO reading"
        " (poller, kind, job, slot, outcome, due_at, taken_at, body, chars, latest, out_name, part, written)"
        " VALUES (?, ?, ?, ?, 'taken', ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (poller, job, slot) DO UPDATE SET"
        " outcome='taken', reason=NULL, taken_at=excluded.taken_at, body=excluded.body,"
        " chars=excluded.chars, latest=excluded.latest, out_name=excluded.out_name,"
        " written=excluded.written WHERE reading.outcome='missed' RETURNING id",
        (
            new.ref.poller,
            new.ref.kind,
            new.ref.job,
            _row_key(new.slot, new.part),
            instant_text(new.due_at) if new.due_at else None,
            instant_text(new.taken_at),
            packed(new.text),
            len(new.text),
            packed(new.latest) if new.latest else None,
            new.name,
            new.part,
            int(is_written),
        ),
    ).fetchone()
    return None if row is None else int(row[0])
