"""state.db and out/ together: commit, then write, then note that it is written.

state.db is the commit point and the out files are its projection. What can't be committed now is held in
memory and tried again; what can't be written to out/ is found again as unwritten.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import OutFile, Recorded, State, StateError
from tallyd.config.jobs import Task
from tallyd.core.alerts.daemon_alerts import CLOCK, OUT, clock_suspect, out_unwritable
from tallyd.core.alerts.rules import Observations
from tallyd.core.outbox import Outcomes, reported
from tallyd.core.reading import Facts, Problem, Reading, Send, Slot
from tallyd.core.schedule.timetable import Missed
from tallyd.core.texts import visible
from tallyd.storage.alert_store import AlertStore
from tallyd.storage.clock_check import ClockCheck
from tallyd.storage.out_writer import OutWriter
from tallyd.storage.store_result import StoreResult, beside, heading_of, is_idle, observations_of

log = logging.getLogger("tallyd")


@dataclass(frozen=True)
class Held:
    """A change that could not be committed yet, and the slots that it settles (none: of alerts alone).

    `memory` is what the job asked to remember by it, if anything.
    """

    slots: frozenset[tuple[str, str, str | None]]
    commit: Callable[[], None]
    memory: Facts | None = None


class Store:
    """What is stored. Used by the schedule's thread and by the runs' threads."""

    def __init__(self, state: State, out: OutFiles, *, now: Callable[[], datetime]) -> None:
        self.state = state
        self.out = out
        self.files = OutWriter(state, out, now=now, on_trouble=self.note_trouble)
        self.alerts = AlertStore(state, now=now)
        self._now = now
        self._held: list[Held] = []
        self._lock = threading.Lock()
        self.state_trouble: str | None = None
        self._trouble_since: datetime | None = None
        self.clock_check = ClockCheck()

    # -- what a run stores -------------------------------------------------------------------------------

    def claim(self, task: Task, slot: Slot, mark: str | None) -> None:
        """Commit that a slot is begun. Where that fails the run goes on: a count in memory beats none."""
        if self.state_trouble is not None:
            return  # known to fail, and every try would hold up the other jobs
        try:
            self.state.slots.claim(task.whose, slot, mark)
        except StateError as error:
            self.note_trouble(error)

    def take(
        self,
        task: Task,
        slot: Slot,
        readings: Sequence[Reading],
        *,
        in_timetable: bool,
        post: Callable[[Sequence[Send]], Outcomes] = lambda _sends: {},
    ) -> tuple[StoreResult, ...]:
        """Commit the readings of one run, have what they send posted, and write their out files.

        `in_timetable` false is `once`: no problem is touched and nothing is remembered. `post` tries, after
        the commit, to send what the readings send, and returns what is known of it then. It raises nothing.
        """
        observations = observations_of(task, slot, readings, now=self._now()) if in_timetable else None
        if observations is not None and slot.key is None and all(is_idle(each) for each in readings):
            # Every two seconds of every day: an idle pass may not write.
            self._judge(observations)
            return tuple(StoreResult(reading=each, out=None, is_stored=not self._held) for each in readings)
        sends = tuple(send for each in readings for send in each.sends)
        # Nobody writes the files before it is known what became of the sends.
        with self.files.held_back(task.poller) if sends else nullcontext():
            outs, is_stored = self._commit_readings(task, slot, readings, observations)
            outcomes = post(sends) if sends and is_stored else {}
            told = [reported(each, outcomes) for each in readings]
            outs = tuple(
                self.files.amended(out, each) if out and each.sends and outcomes else out
                for out, each in zip(outs, told, strict=True)
            )
        if in_timetable:
            for each in readings:
                self._judge_clock(task.poller, each)
        failures = [self.files.why_not_written(out, task) if out else None for out in outs]
        for failure in [each for each in failures if each is not None and in_timetable][:1]:
            self._tell_out(failure)
        return tuple(
            StoreResult(reading=reading, out=out, is_stored=is_stored, not_written=failure)
            for reading, out, failure in zip(told, outs, failures, strict=True)
        )

    def _commit_readings(
        self, task: Task, slot: Slot, readings: Sequence[Reading], observations: Observations | None
    ) -> tuple[tuple[OutFile | None, ...], bool]:
        """Return the out file of each reading, and whether they are committed."""
        in_timetable = observations is not None
        has_file = any(each.facts is not None for each in readings)
        others = beside(task, readings, self.alerts.alerts().values()) if has_file else ()
        headed = [
            (each, heading_of(task, slot, each, in_timetable=in_timetable, beside=others))
            for each in readings
        ]
        done: list[tuple[OutFile | None, ...]] = []

        def commit() -> None:
            recorded = self.state.readings.record(
                task.whose,
                slot,
                headed,
                observations=observations,
                is_taken=partial(self.out.exists, task.poller),
            )
            done.append(recorded.outs)
            if in_timetable:
                self.alerts.stored(recorded.judgement)

        memory = next((each.memory for each in reversed(readings) if each.memory is not None), None)
        is_stored = self._commit(task, (slot,), commit, observations, memory=memory if in_timetable else None)
        outs = done[0] if done and done[0] else (None,) * len(readings)
        return outs, is_stored

    def settle(
        self,
        task: Task,
        slots: Iterable[Slot | Missed],
        store: Callable[[Observations], Recorded],
        observations: Observations,
    ) -> None:
        """Commit that a run failed, or that slots were missed; what is said of it is logged."""
        self._commit(task, slots, lambda: self.alerts.stored(store(observations).judgement), observations)

    def _commit(
        self,
        task: Task,
        slots: Iterable[Slot | Missed],
        commit: Callable[[], None],
        observations: Observations | None,
        *,
        memory: Facts | None = None,
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
            if observations is not None:
                self.alerts.remember(observations)
            self._held.append(Held(names, commit, memory))
        return False

    # -- what is made up for -----------------------------------------------------------------------------

    def held_slots(self, poller: str, job: str) -> frozenset[str]:
        """Return the job's slots that are settled in memory and wait for state.db."""
        with self._lock:
            names = [name for held in self._held for name in held.slots]
        return frozenset(slot for *whose, slot in names if whose == [poller, job] and slot is not None)

    def memory(self, poller: str, job: str) -> Facts:
        """Return what the job's last reading asked to remember, be it stored or held.

        Raises `StateError` where nothing is held and state.db can't be read.
        """
        with self._lock:
            for held in reversed(self._held):
                if held.memory is not None and any(slot[:2] == (poller, job) for slot in held.slots):
                    return held.memory
        return self.state.readings.memory(poller, job)

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
            self.alerts.state_fails(self.state_trouble, since=self._trouble_since)

    # -- out files ---------------------------------------------------------------------------------------

    def write_unwritten(self, tasks: tuple[Task, ...]) -> None:
        """Write every out file that is not known to be on disk. Raises `StateError`."""
        failures = self.files.write_unwritten(tasks)
        for failure in failures:
            self._tell_out(failure)
        if not failures:
            self.judge((), may_resolve=lambda key: key == OUT.key)

    # -- problems ----------------------------------------------------------------------------------------

    def judge(
        self,
        named: tuple[Problem, ...],
        *,
        may_resolve: Callable[[str], bool],
        is_unwatched: bool = False,
    ) -> None:
        """Raise and close problems outside of a run, and log what changed; in memory where it must be."""
        observations = Observations(
            named=tuple(self.alerts.worded(problem) for problem in named),
            may_resolve=may_resolve,
            now=self._now(),
            is_unwatched=is_unwatched,
        )

        self._judge(observations)

    def _judge(self, observations: Observations) -> None:
        """Store what findings change, if anything; where it must be, later."""

        def commit() -> None:
            self.alerts.stored(self.state.alerts.judge(observations))

        try:
            if not self._held:
                commit()
                return
        except StateError as error:
            self.note_trouble(error)
        with self._lock:
            if self.alerts.remember(observations):
                self._held.append(Held(frozenset(), commit))

    def _judge_clock(self, poller: str, reading: Reading) -> None:
        """Raise or close `tallyd/clock` by what the sources say of the time."""
        if reading.skew_s is not None:
            named = self.clock_check.found(poller, clock_suspect(reading.skew_s, now=self._now()))
            self.judge(named, may_resolve=lambda key: key == CLOCK.key)

    def _tell_out(self, failure: str) -> None:
        self.judge((out_unwritable(failure, now=self._now()),), may_resolve=lambda _key: False)
