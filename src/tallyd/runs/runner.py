"""One run of a job: claim, fetch, commit, deliver, write. The order of the steps protects the counts.

No count is stored twice, and none is lost silently, wherever the process dies: see `Runner._five_steps`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from tallyd.adapters.locks import FileLock, LockedError
from tallyd.adapters.state import OutFile, StateError
from tallyd.config.jobs import Task
from tallyd.contract.http import Http
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import RecordsError, SourceError, Stopped
from tallyd.core.outbox import Outcomes
from tallyd.core.reading import Facts, OutboxMessage, Slot
from tallyd.runs.missed import MissedSlots
from tallyd.runs.stats import Ended, RunStats
from tallyd.runs.toolbox import Progress, Resources, job_fields, toolbox
from tallyd.storage.store import Store
from tallyd.storage.store_result import StoreResult, outbox_of

log = logging.getLogger("tallyd")

LOCK_WAIT_S = 30.0


class Deliver(Protocol):
    """Tries once to send the outbox messages of committed readings; returns their outcomes so far.

    Raises nothing: a message that could not be sent stays queued.
    """

    def __call__(self, task: Task, messages: Sequence[OutboxMessage], tools: Toolbox) -> Outcomes: ...


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """A run that a person started (`once`). `wake` asks for another run."""

    wake: Callable[[], None]
    show_progress: Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Runs jobs under one config.

    Jobs use `http` and `resources` (None: only HTTP). `stop` ends every wait. `wake(poller, job)` asks for
    another run of a job. `deliver` sends the outbox messages of committed readings. `kept` is what jobs keep
    from run to run, by (poller, job); pass it on to the next runner. `complaints` are the last logged reasons
    why a job lock could not be taken.
    """

    store: Store
    http: Http
    stop: threading.Event
    locks: Path
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    deliver: Deliver
    resources: Resources | None = None
    wake: Callable[[str, str], None] = lambda _poller, _job: None
    kept: MutableMapping[tuple[str, str], dict[str, object]] = field(default_factory=dict)
    complaints: MutableMapping[tuple[str, str], str | None] = field(default_factory=dict)
    stats: RunStats = field(default_factory=RunStats)

    def progress(self) -> Progress:
        return Progress(self.monotonic, self.now())

    def http_tools(self, task: Task) -> Toolbox:
        """Return a toolbox for deliveries outside of a run: HTTP, and channels for reports."""
        tools = toolbox(
            task, http=self.http, stop=self.stop, progress=self.progress(), now=self.now, memory=dict
        )
        return replace(tools, reporter=self.resources.reporter if self.resources else None)

    def _tools(self, task: Task, progress: Progress, by_hand: ByHand | None) -> Toolbox:
        tools = toolbox(
            task,
            http=self.http,
            stop=self.stop,
            progress=progress,
            now=self.now,
            memory=partial(self._memory, task),
            resources=self.resources,
        )
        tools = replace(tools, kept=self.kept.setdefault(task.name, {}))
        if by_hand is None:
            return replace(tools, wake=partial(self.wake, *task.name))
        return replace(tools, wake=by_hand.wake, show_progress=by_hand.show_progress, is_by_hand=True)

    def _five_steps(
        self, task: Task, slot: Slot, watermark: str | None, progress: Progress, by_hand: ByHand | None = None
    ) -> tuple[StoreResult, ...]:
        """Claim, fetch, commit, deliver, write: the process may be killed between these calls, or in one.

        Killed after the claim or during the fetch: the slot runs again while it is within `catch_up`, at most
        three times; else it is recorded as missed. No transaction is open during the fetch. The commit stores
        the readings and reserves the names of their files. From then on the counts exist, and the slot never
        runs again. Killed during the delivery: a report may be sent twice, which is harmless, since it holds
        the sums of the day. Killed before or during the write: the next start writes the same file.

        Raises what the job raises: `SourceError`, `RecordsError`, `Stopped`.
        """
        self.store.claim(task, slot, watermark)
        tools = self._tools(task, progress, by_hand)
        readings = task.job.run(slot, tools)
        committed = self.store.commit(task, slot, readings, by_daemon=by_hand is None)
        outcomes = self.deliver(task, outbox_of(committed), tools)
        return self.store.write(task, committed, outcomes)

    def run(self, task: Task, slot: Slot, watermark: str | None, progress: Progress) -> Ended:
        """Run a job as the daemon does. Raises nothing: every failure is handled here."""
        begun_s = self.monotonic()
        ended: Ended = "crashed"
        try:
            with self._locked(task):
                ended = self._run_and_note(task, slot, watermark, progress)
        except LockedError as error:
            ended = "locked"
            # `tallyd once` is running this job. The slot is still due at the next look.
            log.warning("another process is running the job", extra={**job_fields(task), "pid": error.pid})
        except Exception as error:
            # The one place that handles a bug in a run: the other jobs continue.
            log.exception("job crashed", extra=job_fields(task))
            self.missed_slots.crashed(task, slot, type(error).__name__)
        finally:
            late_s = None if slot.key is None else slot.late_s
            self.stats.note(task.name, ended, took_s=self.monotonic() - begun_s, late_s=late_s)
        return ended

    @property
    def missed_slots(self) -> MissedSlots:
        return MissedSlots(store=self.store, now=self.now)

    def _run_and_note(self, task: Task, slot: Slot, watermark: str | None, progress: Progress) -> Ended:
        """Run the job and handle expected failures. An exception that gets out is a bug."""
        try:
            results = self._five_steps(task, slot, watermark, progress)
        except Stopped:
            self.missed_slots.release(task, slot)
            return "stopped"
        except (SourceError, RecordsError) as error:
            failure = error if isinstance(error, SourceError) else SourceError(error.text, transient=True)
            self.missed_slots.failed(task, slot, failure, attempts=progress.attempts)
            return "failed"
        self.store.report_unwritten(each.not_written for each in results if each.not_written is not None)
        for each in results:
            fields = {"slot": slot.key, "late_s": round(slot.late_s, 1), **_file(task, each.out)}
            event = "reading taken" if each.is_stored else "reading held in memory"
            is_routine = each.reading.facts is None and slot.key is None
            level = logging.DEBUG if is_routine else logging.INFO
            log.log(level, event, extra={**job_fields(task), **fields})
        return "taken"

    def once(
        self, task: Task, *, show_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> tuple[StoreResult, ...]:
        """Run a job now, outside the timetable: without a slot, and without any effect on alerts.

        While a run asks for another one, the job runs again. Returns the results of all readings of all runs.
        Raises what the job raises, and `LockedError` after LOCK_WAIT_S.
        """
        woken = threading.Event()
        by_hand = ByHand(wake=woken.set, show_progress=show_progress)
        results: list[StoreResult] = []
        with self._locked(task):
            woken.set()
            while woken.is_set():
                woken.clear()
                results += self._five_steps(task, Slot(None, self.now()), None, self.progress(), by_hand)
        return tuple(results)

    @contextmanager
    def _locked(self, task: Task) -> Iterator[None]:
        """Hold the job's lock file, which the daemon and `once` share."""
        lock = FileLock(self.locks / f"{task.poller}.{task.job.name}.lock")
        try:
            self.locks.mkdir(mode=0o750, parents=True, exist_ok=True)
            lock.take(wait_s=LOCK_WAIT_S, stop=self.stop.is_set)
        except OSError as error:
            # The disk accepts no new files. Counting continues without the lock: it only separates us from
            # `once`. Warn only once, since some jobs run every two seconds.
            known = task.name in self.complaints and self.complaints[task.name] == error.strerror
            self.complaints[task.name] = error.strerror
            level = logging.DEBUG if known else logging.WARNING
            fields = {**job_fields(task), "reason": error.strerror}
            log.log(level, "job lock cannot be acquired", extra=fields)
        else:
            self.complaints.pop(task.name, None)
        try:
            yield
        finally:
            lock.release()

    def _memory(self, task: Task) -> Facts:
        try:
            return self.store.memory(*task.name)
        except StateError:
            return {}  # the claim has logged the error; a job also works without its memory


def _file(task: Task, out: OutFile | None) -> dict[str, object]:
    return {"file": f"{task.poller}/{out.name}"} if out else {}
