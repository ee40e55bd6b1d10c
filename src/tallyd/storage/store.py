"""state.db and out/ together: commit, then write, then note that it is written.

state.db is the truth, and the out files follow from it. A change that can't be committed now is held in
memory and retried. A file that can't be written stays unwritten in state.db, so a later look writes it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import DeposedError, Recorded, State, StateError
from tallyd.config.jobs import Task
from tallyd.contract.poller import Poller
from tallyd.core.alerts.daemon_alerts import CLOCK, EXECUTOR, OUT, clock_suspect
from tallyd.core.alerts.rules import OWN, Observations
from tallyd.core.outbox import Outcomes, reported
from tallyd.core.reading import Facts, Problem, Reading, Slot
from tallyd.core.schedule.timetable import Missed
from tallyd.core.texts import visible
from tallyd.storage.alert_store import AlertStore
from tallyd.storage.held import Held, HeldChanges
from tallyd.storage.out_writer import OutWriter
from tallyd.storage.shared_problem import SharedProblem
from tallyd.storage.store_result import StoreResult, beside, heading_of, is_idle, observations_of

log = logging.getLogger("tallyd")


class Store:
    """Stores readings, failures and alerts. Thread-safe."""

    def __init__(self, state: State, out: OutFiles, *, now: Callable[[], datetime]) -> None:
        self.state = state
        self.out = out
        self.files = OutWriter(state, out, now=now)
        self.alerts = AlertStore(state, now=now)
        self._now = now
        self.held = HeldChanges()
        self.state_trouble: str | None = None
        self._trouble_since: datetime | None = None
        self._shared = {kind.key: SharedProblem() for kind in (CLOCK, EXECUTOR)}
        self._is_unwatched: Callable[[str], bool] = lambda _key: False
        self._judging = threading.RLock()

    # -- runs --------------------------------------------------------------------------------------------

    def claim(self, task: Task, slot: Slot, mark: str | None) -> None:
        """Commit that a slot begins. If this fails the run continues: a count in memory beats none."""
        if slot.key is None or self.state_trouble is not None:
            return  # without a slot; or it would fail too, and each try delays the other jobs
        try:
            self.state.slots.claim(task.ref, slot, mark)
        except StateError as error:
            self.note_trouble(error)

    def commit(
        self, task: Task, slot: Slot, readings: Sequence[Reading], *, by_daemon: bool
    ) -> tuple[StoreResult, ...]:
        """Commit the readings of one run with their observations, or hold them in memory.

        `by_daemon` is false for `once`, which changes no alert and no memory. A problem of something that
        the config no longer has is no problem: it was removed while the job was running.
        """
        with self._judging:
            return self._commit_run(task, slot, readings, by_daemon=by_daemon)

    def _commit_run(
        self, task: Task, slot: Slot, readings: Sequence[Reading], *, by_daemon: bool
    ) -> tuple[StoreResult, ...]:
        observations = None
        if by_daemon:
            forgotten = tuple(f"{start}/" for each in readings for start in each.forgotten)
            if forgotten:
                self.evaluate((), may_resolve=lambda key: key.startswith(forgotten), is_unwatched=True)
            observations = self._watched(observations_of(task, slot, readings, now=self._now()))
            for each in readings:
                if each.executor is not None:
                    self._raise_shared(EXECUTOR.key, task.poller, next(iter(each.executor), None))
        if observations is not None and slot.key is None and all(is_idle(each) for each in readings):
            # Some jobs run every two seconds: an idle run must not write to disk.
            self._evaluate(observations)
            return tuple(StoreResult(reading=each, out=None, is_stored=not self.held) for each in readings)
        has_file = any(each.facts is not None for each in readings)
        others = beside(task, readings, self.alerts.alerts().values()) if has_file else ()
        headed = [
            (each, heading_of(task, slot, each, by_daemon=by_daemon, beside=others)) for each in readings
        ]
        memory = next((each.memory for each in reversed(readings) if each.memory is not None), None)
        recorded = self._commit(
            lambda: self.state.readings.record(
                task.ref,
                slot,
                headed,
                observations=observations,
                is_taken=partial(self.out.exists, task.poller),
            ),
            observations,
            slots=frozenset({(*task.name, slot.key)}),
            memory=memory if by_daemon else None,
        )
        if by_daemon:
            for each in readings:
                if each.skew_s is not None:
                    suspect = clock_suspect(each.skew_s, now=self._now())
                    self._raise_shared(CLOCK.key, task.poller, suspect)
        outs = recorded.outs if recorded and recorded.outs else (None,) * len(readings)
        return tuple(
            StoreResult(
                reading=replace(reading, memory=None, problems=() if by_daemon else reading.problems),
                out=out,
                is_stored=recorded is not None,
            )
            for reading, out in zip(readings, outs, strict=True)
        )

    def write(
        self, task: Task, results: Sequence[StoreResult], outcomes: Outcomes
    ) -> tuple[StoreResult, ...]:
        """Write the out files of committed readings, with the outcomes of their reports so far.

        Older files of the job that are still unwritten are written first.
        """
        if outcomes:
            results = [replace(each, reading=reported(each.reading, outcomes)) for each in results]
        has_files = any(each.out for each in results)
        failures = self._not_written(task, results, outcomes) if has_files else {}
        return tuple(
            replace(each, not_written=failures.get(each.out.id)) if each.out else each for each in results
        )

    def _not_written(self, task: Task, results: Sequence[StoreResult], outcomes: Outcomes) -> dict[int, str]:
        """Write the job's out files; return the reasons why some are not written, by id."""
        try:
            for each in results:
                if outcomes and each.out and each.reading.outbox:
                    self.state.out_files.note_report(each.out, (each.reading.facts or {})["report"])
            own = [out for out in self.state.out_files.unwritten() if (out.poller, out.job) == task.name]
            return self.files.write(own, (task,))
        except StateError as error:
            self.note_trouble(error)
            return {each.out.id: str(error) for each in results if each.out}

    def settle(
        self,
        task: Task,
        slots: Iterable[Slot | Missed],
        store: Callable[[Observations], Recorded],
        observations: Observations,
    ) -> None:
        """Commit a failed run, or missed slots, and log the alerts that this changes."""
        names = frozenset((*task.name, slot.key) for slot in slots)
        with self._judging:
            watched = self._watched(observations)
            self._commit(lambda: store(watched), watched, slots=names)

    def watch_only(self, is_unwatched: Callable[[str], bool], may_resolve: Callable[[str], bool]) -> None:
        """Judge by another config from now on: resolve what it no longer watches, also at the end of runs
        that began before.
        """
        with self._judging:
            self._is_unwatched = is_unwatched
            self.evaluate((), may_resolve=may_resolve, is_unwatched=True)

    def _watched(self, observations: Observations) -> Observations:
        named = tuple(problem for problem in observations.named if not self._is_unwatched(problem.key))
        return replace(observations, named=named)

    def _evaluate(self, observations: Observations) -> None:
        """Commit the changes that observations make to the alerts, if any."""
        self._commit(lambda: Recorded(evaluation=self.state.alerts.evaluate(observations)), observations)

    def _commit(
        self,
        commit: Callable[[], Recorded],
        observations: Observations | None,
        *,
        slots: frozenset[tuple[str, str, str | None]] = frozenset(),
        memory: Facts | None = None,
    ) -> Recorded | None:
        """Commit now, or hold the change in memory, alerts included. None: it is not committed yet."""
        try:
            if not self.held:  # else queue behind the held ones: this keeps the order and tries the disk once
                return self._committed(commit)
        except StateError as error:
            self.note_trouble(error)
        with self.held.lock:  # `check_state` must not run in between
            is_news = observations is not None and self.alerts.remember(observations)
            if slots or is_news:
                self.held.add(Held(slots, commit, memory))
        return None

    def _committed(self, commit: Callable[[], Recorded]) -> Recorded:
        recorded = commit()
        self.alerts.stored(recorded.evaluation)
        return recorded

    # -- changes held in memory --------------------------------------------------------------------------

    def memory(self, poller: str, job: str) -> Facts:
        """Return the job's memory from its last reading, held or stored.

        Raises `StateError` if nothing is held and state.db can't be read.
        """
        held = self.held.memory(poller, job)
        return self.state.readings.memory(poller, job) if held is None else held

    def commit_held(self) -> None:
        """Retry to commit the held changes in order. Stop at the first one that fails."""
        while (held := self.held.oldest()) is not None:
            try:
                self._committed(held.commit)
            except StateError as error:
                self.note_trouble(error)
                return
            self.held.discard(held)

    def finish(self, tasks: tuple[Task, ...], *, running: Container[tuple[str, str]] = ()) -> None:
        """Commit and write everything before the process ends. Log the readings that are lost."""
        self.commit_held()
        lost = self.held.slot_keys()
        if lost:
            log.error("readings held in memory are lost", extra={"count": len(lost), "slots": lost})
        elif self.check_state():
            self.write_unwritten(tasks, running=running)

    def check_state(self) -> bool:
        """Whether state.db can be read and written. Logs and raises the alert when this changes."""
        try:
            self.state.ping()
            if self.state_trouble is not None:
                self.state.set_note("written_at", self._now().isoformat())
        except StateError as error:
            self.note_trouble(error)
            if self.state_trouble and self._trouble_since:  # pragma: no branch: a read finds no new leader
                self.alerts.state_fails(self.state_trouble, since=self._trouble_since)
            return False
        with self.held.lock:
            has_all = not self.held
            if has_all:
                self.alerts.caught_up()
        if self.state_trouble is not None and has_all:
            log.warning("state.db works again", extra={"was": self.state_trouble})
            self.state_trouble = self._trouble_since = None
        if self.state_trouble is None:
            self.alerts.state_works()  # every time: the last try may have failed
        return True

    def note_trouble(self, error: StateError) -> None:
        """Remember that the state can't be used now, and log it once.

        A daemon that was deposed has nothing to say about that: it starts over.
        """
        if isinstance(error, DeposedError):
            log.debug("not the leader any more", extra={"reason": str(error)})
            return
        text = visible(str(error))
        if text != self.state_trouble:
            log.error(
                "state.db cannot be used; readings are held in memory and lost if tallyd ends",
                extra={"reason": text, "key": "tallyd/state"},
            )
        self.state_trouble = text
        self._trouble_since = self._trouble_since or self._now()

    # -- out files ---------------------------------------------------------------------------------------

    def write_unwritten(self, tasks: tuple[Task, ...], *, running: Container[tuple[str, str]] = ()) -> None:
        """Write every unwritten out file, except those of `running` jobs.

        A run writes its own files once it knows the outcomes of its reports. Raises `StateError`.
        """
        waiting = [out for out in self.state.out_files.unwritten() if (out.poller, out.job) not in running]
        failures = self.files.write(waiting, tasks)
        self.report_unwritten(failures.values())
        if not failures:
            self.evaluate((), may_resolve=lambda key: key == OUT.key)

    def report_unwritten(self, failures: Iterable[str]) -> None:
        """Raise `tallyd/out` for each reason why an out file could not be written."""
        for failure in dict.fromkeys(failures):
            named = (OUT.problem(OWN, since=self._now(), reason=failure),)
            self.evaluate(named, may_resolve=lambda _key: False)

    # -- problems ----------------------------------------------------------------------------------------

    def evaluate(
        self,
        named: tuple[Problem, ...],
        *,
        may_resolve: Callable[[str], bool],
        is_unwatched: bool = False,
    ) -> None:
        """Raise and resolve alerts outside of a run, and log the changes. Works from memory if needed."""
        observations = Observations(
            named=tuple(self.alerts.worded(problem) for problem in named),
            may_resolve=may_resolve,
            now=self._now(),
            is_unwatched=is_unwatched,
        )
        self._evaluate(observations)

    def apply_pollers(self, pollers: Mapping[str, Poller]) -> None:
        """Forget what pollers found that are no longer there, or no longer need workers."""
        self._shared[CLOCK.key].forget_others(pollers)
        self._shared[EXECUTOR.key].forget_others(
            {name for name, each in pollers.items() if each.workers_needed()}
        )

    def _raise_shared(self, shared: str, poller: str, problem: Problem | None) -> None:
        """Raise or resolve the alert that several pollers may find: the clock, the workers."""
        named = self._shared[shared].found(poller, problem)
        self.evaluate(named, may_resolve=lambda key: key == shared)
