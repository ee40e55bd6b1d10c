"""One run of a job, from the claim to the written file. The order of its steps is what keeps counts.

Claim the slot, fetch with no transaction open, commit the readings, try to send what they send, write the
out files. A process that dies in between leaves a claimed slot (it is run again), or a committed reading (it
is written out again), never a count twice and never one lost in silence.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from tallyd.adapters.locks import FileLock, LockedError
from tallyd.adapters.state import OutFile, StateError
from tallyd.config.jobs import Task
from tallyd.contract.http import Http
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.outbox import Outcomes
from tallyd.core.reading import Facts, OutboxMessage, Slot
from tallyd.core.schedule.timetable import Missed
from tallyd.runs.missed import MissedSlots
from tallyd.runs.stats import Ended, RunStats
from tallyd.runs.toolbox import (
    NoResources,
    Progress,
    Resources,
    Stop,
    Wake,
    log,
    toolbox,
    wake_nothing,
    whose,
)
from tallyd.storage.store import Store
from tallyd.storage.store_result import StoreResult, outbox_of

LOCK_WAIT_S = 30.0


class Deliver(Protocol):
    """Tries to send, once, what committed readings send; returns what is known of it then.

    Raises nothing: what could not be sent stays queued.
    """

    def __call__(self, task: Task, messages: Sequence[OutboxMessage], tools: Toolbox) -> Outcomes: ...


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """A run that a person asked for (`once`): `wake` has the job run once more, `show_progress` shows it."""

    wake: Callable[[], None]
    show_progress: Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Runs jobs. `http` and `resources` are what they reach; `stop` ends every wait.

    `wake` (poller, job) has a job run once more. `deliver` sends what is committed. `kept` is what jobs keep
    from run to run, by poller and job; it outlives a runner where the next one is handed the same.
    `complaints` are why job locks could not be taken, as they were logged. `stats` notes how runs went.
    """

    store: Store
    http: Http
    stop: Stop
    locks: Path
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    deliver: Deliver
    resources: Resources = field(default_factory=NoResources)
    wake: Wake = wake_nothing
    kept: MutableMapping[tuple[str, str], dict[str, object]] = field(default_factory=dict)
    complaints: MutableMapping[tuple[str, str], str | None] = field(default_factory=dict)
    stats: RunStats = field(default_factory=RunStats)

    def progress(self) -> Progress:
        return Progress(self.monotonic, self.now())

    def plain_tools(self, task: Task) -> Toolbox:
        """Return what may be touched beside the runs of a poller: HTTP alone."""
        return toolbox(
            task, http=self.http, stop=self.stop, progress=self.progress(), now=self.now, memory={}
        )

    def _tools(self, task: Task, progress: Progress, by_hand: ByHand | None) -> Toolbox:
        tools = toolbox(
            task,
            http=self.http,
            stop=self.stop,
            progress=progress,
            now=self.now,
            memory=self._memory(task),
            resources=self.resources,
            wake=self.wake,
        )
        tools = replace(tools, kept=self.kept.setdefault(task.name, {}))
        if by_hand is None:
            return tools
        return replace(tools, wake=by_hand.wake, show_progress=by_hand.show_progress, is_by_hand=True)

    def _run(
        self, task: Task, slot: Slot, mark: str | None, progress: Progress, by_hand: ByHand | None = None
    ) -> tuple[StoreResult, ...]:
        """Run a job once, whoever asked for it. Killed between two steps, it goes on as their order demands.

        Claim: killed after it, the slot is run again, but not for ever. Fetch: no transaction is open.
        Commit: from here on the counts exist, and are not taken again. Deliver: a report may be sent twice,
        which is harmless. Write: what is not on disk is found again, and written under its reserved name.

        Raises what the job raises: `SourceError`, `RecordsError`, `Stopped`.
        """
        self.store.claim(task, slot, mark)
        tools = self._tools(task, progress, by_hand)
        readings = task.job.run(slot, tools)
        committed = self.store.commit(task, slot, readings, in_timetable=by_hand is None)
        outcomes = self.deliver(task, outbox_of(committed), tools)
        return self.store.write(task, committed, outcomes)

    def run(self, task: Task, slot: Slot, mark: str | None, progress: Progress) -> Ended:
        """Run a job once within the timetable. Raises nothing: every failure has its fate here."""
        begun_s = self.monotonic()
        ended: Ended = "crashed"
        try:
            with self._locked(task):
                ended = self._run_in_timetable(task, slot, mark, progress)
        except LockedError as error:
            ended = "locked"
            # `tallyd once` runs the same job; the slot is still due at the next look.
            log.warning("job is run by somebody else", extra={**whose(task), "pid": error.pid})
        except Exception as error:
            # The one place where a bug in a run ends: the other jobs go on.
            log.exception("job crashed", extra=whose(task))
            self._missed_slots.crashed(task, slot, type(error).__name__)
        finally:
            late_s = None if slot.key is None else slot.late_s
            self.stats.note(task.name, ended, took_s=self.monotonic() - begun_s, late_s=late_s)
        return ended

    def record_missed(self, task: Task, missed: tuple[Missed, ...], *, older_since: datetime | None) -> None:
        """Commit slots that were found to have no reading (`MissedSlots.record_missed`)."""
        self._missed_slots.record_missed(task, missed, older_since=older_since)

    @property
    def _missed_slots(self) -> MissedSlots:
        return MissedSlots(store=self.store, now=self.now)

    def _run_in_timetable(self, task: Task, slot: Slot, mark: str | None, progress: Progress) -> Ended:
        """Run it; return how it ended. Raises what is a bug."""
        try:
            results = self._run(task, slot, mark, progress)
        except Stopped:
            self._missed_slots.let_go(task, slot)
            return "stopped"
        except SourceError as failure:
            self._missed_slots.failed(task, slot, failure, attempts=progress.attempts)
            return "failed"
        self.store.tell_unwritten(each.not_written for each in results if each.not_written is not None)
        for each in results:
            fields = {"slot": slot.key, "late_s": round(slot.late_s, 1), **_file(task, each.out)}
            event = "reading taken" if each.is_stored else "reading held in memory"
            is_routine = each.reading.facts is None and slot.key is None
            log.log(logging.DEBUG if is_routine else logging.INFO, event, extra={**whose(task), **fields})
        return "taken"

    def once(
        self, task: Task, *, show_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> tuple[StoreResult, ...]:
        """Run a job now, outside the timetable: no slot, no problem touched. It is run as often as it asks.

        Returns what became of each reading of every run. Raises `SourceError`, `LockedError` after 30 s,
        `Stopped`.
        """
        woken = threading.Event()
        by_hand = ByHand(wake=woken.set, show_progress=show_progress)
        results: list[StoreResult] = []
        with self._locked(task):
            woken.set()
            while woken.is_set():
                woken.clear()
                results += self._run(task, Slot(None, self.now()), None, self.progress(), by_hand)
        return tuple(results)

    @contextmanager
    def _locked(self, task: Task) -> Iterator[None]:
        """Hold the job's lock file, which `once` and the daemon share."""
        lock = FileLock(self.locks / f"{task.poller}.{task.job.name}.lock")
        try:
            self.locks.mkdir(mode=0o750, parents=True, exist_ok=True)
            lock.take(wait_s=LOCK_WAIT_S, stop=self.stop.is_set)
        except OSError as error:
            # The disk refuses new files. Counting goes on without the lock: it only keeps `once` apart.
            # Once: some jobs run every two seconds.
            known = self.complaints.get(task.name) == error.strerror
            self.complaints[task.name] = error.strerror
            level = logging.DEBUG if known else logging.WARNING
            log.log(level, "job lock cannot be taken", extra={**whose(task), "reason": error.strerror})
        try:
            yield
        finally:
            lock.release()

    def _memory(self, task: Task) -> Facts:
        try:
            return self.store.memory(*task.name)
        except StateError:
            return {}  # told by the claim before; what is remembered is only a convenience


def _file(task: Task, out: OutFile | None) -> dict[str, object]:
    return {"file": f"{task.poller}/{out.name}"} if out else {}
