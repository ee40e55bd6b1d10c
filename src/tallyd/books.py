"""state.db and out/ together: commit, then write, then note that it is written.

state.db is the commit point and the out files are its projection. What can't be committed now is held in
memory and tried again; what can't be written to out/ is found again as unwritten.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from functools import partial

from tallyd.adapters.outfiles import OutError, OutFiles
from tallyd.adapters.state import OutFile, Recorded, State, StateError
from tallyd.alert_book import AlertBook
from tallyd.core.alerts import Findings, closed_by_reading
from tallyd.core.document import Heading, dumped, is_clock_suspect
from tallyd.core.failures import CLOCK, OUT, clock_suspect, out_unwritable
from tallyd.core.naming import local_text
from tallyd.core.notices import Manner
from tallyd.core.reading import LATE_AFTER_S, Problem, Reading, Slot
from tallyd.core.texts import visible
from tallyd.core.timetable import Missed
from tallyd.tasks import Task

PRUNE_BATCH = 500

log = logging.getLogger("tallyd")


@dataclass(frozen=True)
class Held:
    """A change that could not be committed yet, and the slots that it settles (none: of alerts alone)."""

    slots: frozenset[tuple[str, str, str | None]]
    commit: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What became of a reading: its reserved out file (None: nothing to write, or not stored yet), whether
    it is committed (else it is held in memory), and why its file is not written yet, if so.
    """

    out: OutFile | None
    is_stored: bool
    not_written: str | None


class Books:
    """What is stored. Used by the schedule's thread and by the runs' threads.

    `manner` is how tallyd's own problems are told, by the config in force.
    """

    def __init__(self, state: State, out: OutFiles, *, now: Callable[[], datetime]) -> None:
        self.state = state
        self.out = out
        self.alerts = AlertBook(state, now=now)
        self.manner = Manner()
        self._now = now
        self._held: list[Held] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self.state_trouble: str | None = None
        self._trouble_since: datetime | None = None
        self._suspects: dict[str, Problem] = {}

    # -- what a run stores -------------------------------------------------------------------------------

    def claim(self, task: Task, slot: Slot, mark: str | None) -> None:
        """Commit that a slot is begun. Where that fails the run goes on: a count in memory beats none."""
        if self.state_trouble is not None:
            return  # known to fail, and every try would hold up the other jobs
        try:
            self.state.slots.claim(task.whose, slot, mark)
        except StateError as error:
            self.note_trouble(error)

    def take(self, task: Task, slot: Slot, reading: Reading, *, in_timetable: bool) -> Taken:
        """Commit a reading and write its out file.

        `in_timetable` false is `once`: no problem is touched and nothing is remembered.
        """
        heading = heading_of(task, slot, reading, in_timetable=in_timetable)
        findings = _findings_of(task, slot, reading) if in_timetable else None
        if findings is not None and slot.key is None and reading.facts is None and reading.memory is None:
            # Every two seconds of every day: an idle pass may not write.
            self._judge(findings)
            return Taken(out=None, is_stored=not self._held, not_written=None)
        done: list[OutFile] = []

        def commit() -> None:
            recorded = self.state.readings.record(
                task.whose,
                slot,
                reading,
                heading,
                findings=findings,
                is_taken=partial(self.out.exists, task.poller),
            )
            if recorded.out is not None:
                done.append(recorded.out)
            if in_timetable:
                self.alerts.stored(recorded.judgement)

        is_stored = self._commit(task, (slot,), commit, findings)
        if in_timetable:
            self._judge_clock(task.poller, reading)
        failure = None
        for out in done:
            failure = self.why_not_written(out, task)
            if failure is not None and in_timetable:
                self._tell_out(failure)
        return Taken(out=done[0] if done else None, is_stored=is_stored, not_written=failure)

    def settle(
        self,
        task: Task,
        slots: Iterable[Slot | Missed],
        store: Callable[[Findings], Recorded],
        findings: Findings,
    ) -> None:
        """Commit that a run failed, or that slots were missed; what is said of it is logged."""
        self._commit(task, slots, lambda: self.alerts.stored(store(findings).judgement), findings)

    def _commit(
        self,
        task: Task,
        slots: Iterable[Slot | Missed],
        commit: Callable[[], None],
        findings: Findings | None,
    ) -> bool:
        """Commit now, else hold it in memory, alerts included; whether it is committed."""
        try:
            if not self._held:  # behind what is held already: the order stays, and the disk is tried once
                commit()
                return True
        except StateError as error:
            self.note_trouble(error)
        names = frozenset((*task.name, slot.key) for slot in slots)
        with self._lock:
            if findings is not None:
                self.alerts.remember(findings)
            self._held.append(Held(names, commit))
        return False

    # -- what is made up for -----------------------------------------------------------------------------

    def is_held(self, poller: str, job: str, slot: str) -> bool:
        """Whether the slot is settled in memory and waits for state.db."""
        with self._lock:
            return any((poller, job, slot) in held.slots for held in self._held)

    def commit_held(self) -> None:
        """Try again to commit what is held, in order; stop at the first that still fails."""
        while True:
            with self._lock:
                held = self._held[0] if self._held else None
            if held is None:
                return
            try:
                held.commit()
            except StateError as error:
                self.note_trouble(error)
                return
            with self._lock:
                self._held.remove(held)

    def finish(self, tasks: tuple[Task, ...]) -> None:
        """Store and write what can be, before the process ends; what can't be is lost, and that is said."""
        self.commit_held()
        with self._lock:
            lost = [sorted(slot[2] or "" for slot in held.slots) for held in self._held if held.slots]
        if lost:
            log.error("readings held in memory are lost", extra={"count": len(lost), "slots": lost})
        elif self.check_state():
            self.write_unwritten(tasks)

    def answers(self) -> bool:
        """Whether state.db can be read, which feeds the watchdog: a full disk is no reason to be killed."""
        try:
            self.state.ping()
        except StateError:
            return False
        return True

    def was_changed_elsewhere(self) -> bool:
        """Whether a command (`tallyd mute`) has changed state.db since the last time this was asked."""
        try:
            return self.state.was_changed_elsewhere()
        except StateError:
            return False  # what can't be read is told at the next look

    def check_state(self) -> bool:
        """Whether state.db can be read and written again; tells once when it no longer, or again, can."""
        try:
            self.state.ping()
            if self.state_trouble is not None:
                self.state.set_note("written_at", self._now().isoformat())
        except StateError as error:
            self.note_trouble(error)
            self._tell_trouble()
            return False
        with self._lock:
            has_all = not self._held
            if has_all:
                self.alerts.caught_up()
        if self.state_trouble is not None and has_all:
            log.warning("state.db works again", extra={"was": self.state_trouble})
            self.state_trouble = self._trouble_since = None
        if self.state_trouble is None:
            self.alerts.state_works()  # each time: it may not have been possible the last time
        return True

    def note_trouble(self, error: StateError) -> None:
        """Remember and log, once, that state.db can't be used now."""
        text = visible(str(error))
        if text != self.state_trouble:
            log.error(
                "state.db cannot be used; readings are held in memory and lost if tallyd ends",
                extra={"reason": text, "key": "tallyd/state"},
            )
        self.state_trouble = text
        self._trouble_since = self._trouble_since or self._now()

    def _tell_trouble(self) -> None:
        if self.state_trouble is not None and self._trouble_since is not None:
            self.alerts.state_fails(self.state_trouble, since=self._trouble_since, manner=self.manner)

    # -- out files ---------------------------------------------------------------------------------------

    def why_not_written(self, out: OutFile, task: Task | None) -> str | None:
        """Write a reserved out file and `latest.json`, and note that it is written; None: done.

        Else the reason. It stays unwritten in state.db, and `write_unwritten` finds it there.
        """
        try:
            # A run's thread and the schedule's may both have found it unwritten.
            with self._writing:
                if self.state.readings.is_unwritten(out):
                    self._write(out, task)
        except OutError as error:
            return str(error)
        except StateError as error:
            self.note_trouble(error)
            return str(error)
        log.debug("out file written", extra={"poller": out.poller, "file": f"{out.poller}/{out.name}"})
        return None

    def _write(self, out: OutFile, task: Task | None) -> None:
        is_taken = partial(self.out.exists, out.poller)
        while self.out.write(out.poller, out.name, out.text) == "taken":
            out = self.state.readings.rename_out(out, is_taken=is_taken)
        # A file that is written late does not replace a newer latest.json.
        if self.state.readings.is_last(out):
            content = json.loads(out.text)
            next_at = task.next_at(self._now()) if task else None
            content["next_due_at"] = local_text(next_at, task.zone) if task and next_at else None
            self.out.write_latest(out.poller, dumped(content))
        self.state.readings.mark_written(out)

    def write_unwritten(self, tasks: tuple[Task, ...]) -> None:
        """Write every out file that is not known to be on disk, oldest first.

        A poller whose folder can't be written to does not hold up the others. Raises `StateError`.
        """
        by_poller = {task.poller: task for task in tasks}
        failures: dict[str, str] = {}
        for out in self.state.readings.unwritten():
            if out.poller not in failures:
                failure = self.why_not_written(out, by_poller.get(out.poller))
                failures |= {out.poller: failure} if failure is not None else {}
        for failure in failures.values():
            self._tell_out(failure)
        if not failures:
            self.judge((), may_close=lambda key: key == OUT.key)

    # -- problems ----------------------------------------------------------------------------------------

    def judge(
        self,
        named: tuple[Problem, ...],
        *,
        may_close: Callable[[str], bool],
        is_unwatched: bool = False,
    ) -> None:
        """Raise and close problems outside of a run, and log what changed; in memory where it must be."""
        findings = Findings(
            named=tuple(self.manner.worded(problem) for problem in named),
            may_close=may_close,
            now=self._now(),
            is_unwatched=is_unwatched,
        )

        self._judge(findings)

    def _judge(self, findings: Findings) -> None:
        """Store what findings change, if anything; where it must be, later."""

        def commit() -> None:
            self.alerts.stored(self.state.alerts.judge(findings))

        try:
            if not self._held:
                commit()
                return
        except StateError as error:
            self.note_trouble(error)
        with self._lock:
            if self.alerts.remember(findings):
                self._held.append(Held(frozenset(), commit))

    def _judge_clock(self, poller: str, reading: Reading) -> None:
        """Raise or close `tallyd/clock` by what the sources say of the time.

        Each takes back only what it has said itself: of two that disagree one is wrong for good.
        """
        if reading.skew_s is None:
            return
        suspect = clock_suspect(reading.skew_s, now=self._now())
        with self._lock:
            self._suspects.pop(poller, None)
            if suspect is not None:
                self._suspects[poller] = suspect
            suspects = tuple(self._suspects.values())
        self.judge(suspects[:1], may_close=lambda key: key == CLOCK.key)

    def forget_suspects(self, pollers: Container[str]) -> None:
        """Forget what sources said of the clock that are no longer asked."""
        with self._lock:
            self._suspects = {name: one for name, one in self._suspects.items() if name in pollers}

    def prune(self, poller: str, *, before: datetime, zone: tzinfo) -> None:
        """Delete the poller's out files and readings from before the day of an instant.

        Both to the same midnight: a file whose reading is gone would be taken back in at the next start.
        Raises `StateError`.
        """
        day = before.astimezone(zone).date()
        files = self.out.prune(poller, before=day)
        rows, midnight = 0, datetime.combine(day, time(), zone)
        while (batch := self.state.readings.prune(poller, before=midnight, most=PRUNE_BATCH)) > 0:
            rows += batch
        if files or rows:
            log.info("old readings deleted", extra={"poller": poller, "files": files, "rows": rows})

    def _tell_out(self, failure: str) -> None:
        self.judge((out_unwritable(failure, now=self._now()),), may_close=lambda _key: False)


def _findings_of(task: Task, slot: Slot, reading: Reading) -> Findings:
    """Return what a reading says of alerts; what it ends has ended at its slot, where it was not late."""
    return task.findings(
        reading.problems,
        now=slot.stands_for(reading.taken_at),
        may_close=closed_by_reading(
            *task.name, task.job.judges if reading.judges is None else reading.judges
        ),
    )


def heading_of(task: Task, slot: Slot, reading: Reading, *, in_timetable: bool) -> Heading:
    """Return what the out file of a reading begins with."""
    due_at = slot.due_at if in_timetable else None
    late_s = (reading.taken_at - slot.due_at).total_seconds()
    return Heading(
        poller=task.poller,
        kind=task.source.kind,
        origin="once" if not in_timetable else "late" if late_s > LATE_AFTER_S else "live",
        due_at=due_at,
        taken_at=reading.taken_at,
        zone=task.zone,
        clock_suspect=is_clock_suspect(reading.skew_s),
    )
