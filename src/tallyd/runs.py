"""One run of a job, from the claim to the written file. The order of its steps is what keeps counts.

Claim the slot, fetch with no transaction open, commit the reading, write the out file. A process that dies
in between leaves a claimed slot (it is run again), or a committed reading (it is written out again), never
a count twice and never one lost in silence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from tallyd.adapters.locks import FileLock, LockedError
from tallyd.adapters.state import OutFile, Recorded, StateError
from tallyd.books import Books, Taken
from tallyd.contract import Http, Toolbox
from tallyd.core import failures
from tallyd.core.alerts import Findings
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.naming import problem_key
from tallyd.core.reading import LATE_AFTER_S, Facts, Problem, Reading, Slot
from tallyd.core.timetable import BUSY, NOT_STARTED, Missed
from tallyd.retry import Retrying
from tallyd.tasks import Task

log = logging.getLogger("tallyd")

LOCK_WAIT_S = 30.0
ALIVE_EVERY_S = 60.0
TOLD_LATE_S = 900.0
"""A slot that failed and is tried again is told after so long at the latest, in seconds."""


class Stop(Protocol):
    """The shutdown, as a `threading.Event` offers it."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


@dataclass
class Progress:
    """What a run shows while it goes on: how many tries, and when it last moved (monotonic seconds)."""

    monotonic: Callable[[], float]
    began_at: datetime
    alive_s: float = field(init=False)
    attempts: int = 1

    def __post_init__(self) -> None:
        self.alive_s = self.monotonic()

    def alive(self) -> None:
        self.alive_s = self.monotonic()


def toolbox(
    task: Task, *, http: Http, stop: Stop, progress: Progress, now: Callable[[], datetime], memory: Facts
) -> Toolbox:
    """Return what a job may touch during one run. Each try that fails is logged before its wait."""

    def on_wait(tries: int, failure: SourceError, wait_s: float) -> None:
        progress.attempts = tries + 1
        progress.alive()
        fields = {"try": tries, "reason": failure.text, "next_try_in_s": round(wait_s, 1)}
        log.warning("try failed", extra={**_whose(task), **fields})

    def wait(seconds: float) -> bool:
        """Wait as long as is asked, showing that the run is alive; true when the shutdown cut it short."""
        while seconds > 0 and not stop.wait(min(seconds, ALIVE_EVERY_S)):
            progress.alive()
            seconds -= ALIVE_EVERY_S
        return stop.is_set()

    return Toolbox(
        poller=task.poller,
        zone=task.zone,
        now=now,
        stop=stop.is_set,
        alive=progress.alive,
        http=http,
        retry=Retrying(policy=task.policy, wait=wait, on_wait=on_wait, monotonic=progress.monotonic),
        memory=memory,
    )


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Runs jobs. `http` asks the outside world; `stop` ends every wait."""

    books: Books
    http: Http
    stop: Stop
    locks: Path
    now: Callable[[], datetime]
    monotonic: Callable[[], float]

    def progress(self) -> Progress:
        return Progress(self.monotonic, self.now())

    def _toolbox(self, task: Task, progress: Progress) -> Toolbox:
        return toolbox(
            task, http=self.http, stop=self.stop, progress=progress, now=self.now, memory=self._memory(task)
        )

    def run(self, task: Task, slot: Slot, mark: str | None, progress: Progress) -> None:
        """Run a job once within the timetable. Raises nothing: every failure has its fate here."""
        try:
            with self._locked(task):
                self._run(task, slot, mark, progress)
        except LockedError as error:
            # `tallyd once` runs the same job; the slot is still due at the next look.
            log.warning("job is run by somebody else", extra={**_whose(task), "pid": error.pid})
        except Exception as error:
            # The one place where a bug in a run ends: the other jobs go on.
            log.exception("job crashed", extra=_whose(task))
            self._crashed(task, slot, type(error).__name__)

    def _crashed(self, task: Task, slot: Slot, kind: str) -> None:
        """Commit a run that a bug ended; what the bug broke may break this too, and is then only logged."""
        try:
            problem = failures.crashed(self._described(task, slot), kind)
            again = self._may_begin_again(task, slot)
            self._end_without(task, slot, f"tallyd itself failed ({kind})", problem, again=again)
        except Exception:
            log.exception("the crash could not be recorded", extra=_whose(task))

    def _run(self, task: Task, slot: Slot, mark: str | None, progress: Progress) -> None:
        if slot.key is not None:
            self.books.claim(task, slot, mark)
        try:
            readings = task.job.run(slot, self._toolbox(task, progress))
        except Stopped:
            self._let_go(task, slot)
        except SourceError as failure:
            self._failed(task, slot, failure, progress)
        else:
            for reading in readings:
                taken = self.books.take(task, slot, reading, in_timetable=True)
                fields = {"slot": slot.key, "late_s": round(slot.late_s, 1), **_file(task, taken.out)}
                event = "reading taken" if taken.is_stored else "reading held in memory"
                is_routine = reading.facts is None and slot.key is None
                log.log(
                    logging.DEBUG if is_routine else logging.INFO, event, extra={**_whose(task), **fields}
                )

    def once(self, task: Task) -> tuple[tuple[Reading, Taken], ...]:
        """Run a job now, outside the timetable: no slot, no problem touched.

        Returns each reading with what became of it. Raises `SourceError`, `LockedError` after
        30 s, `Stopped`.
        """
        with self._locked(task):
            slot = Slot(None, self.now())
            readings = task.job.run(slot, self._toolbox(task, self.progress()))
            return tuple(
                (reading, self.books.take(task, slot, reading, in_timetable=False)) for reading in readings
            )

    @contextmanager
    def _locked(self, task: Task) -> Iterator[None]:
        """Hold the job's lock file, which `once` and the daemon share."""
        lock = FileLock(self.locks / f"{task.poller}.{task.job.name}.lock")
        try:
            self.locks.mkdir(mode=0o750, parents=True, exist_ok=True)
            lock.take(wait_s=LOCK_WAIT_S, stop=self.stop.is_set)
        except OSError as error:
            # The disk refuses new files. Counting goes on without the lock: it only keeps `once` apart.
            log.warning("job lock cannot be taken", extra={**_whose(task), "reason": error.strerror})
        try:
            yield
        finally:
            lock.release()

    def _memory(self, task: Task) -> Facts:
        try:
            return self.books.state.readings.memory(*task.name)
        except StateError:
            return {}  # told by the claim before; what is remembered is only a convenience

    def _described(self, task: Task, slot: Slot) -> failures.Run:
        now = self.now()
        return failures.Run(
            poller=task.poller,
            job=task.job.name,
            due_at=slot.due_at if slot.key is not None else None,
            now=now,
            zone=task.zone,
            next_at=task.next_at(now),
        )

    def _let_go(self, task: Task, slot: Slot) -> None:
        """The shutdown came first: the slot is free again, for the next start within its catch-up."""
        if slot.key is None:
            return
        now = self.now()
        self.books.settle(
            task,
            (slot,),
            lambda findings: self.books.state.slots.fail(
                task.whose,
                slot,
                reason="tallyd was stopped during the run",
                not_before=now,
                findings=findings,
            ),
            task.findings((), now=now),
        )

    def _failed(self, task: Task, slot: Slot, failure: SourceError, progress: Progress) -> None:
        described, tries = self._described(task, slot), progress.attempts
        log.info(
            "run failed",
            extra={**_whose(task), "slot": slot.key, "reason": failure.text, "attempts": tries},
        )
        again = failure.transient and self._may_begin_again(task, slot)
        if again:
            until = _catch_up_ends(task, slot)
            problem = failures.failed_for_now(described, failure.text, attempts=tries, until=until)
            # Told while it is still tried only where that takes long: most outages are made up for.
            is_told = (described.now - slot.due_at).total_seconds() >= TOLD_LATE_S
            problem = replace(problem, at_once=is_told and task.manner.rules.raise_after == 1)
        elif failure.transient:
            problem = failures.failed_for_good(described, failure.text, attempts=tries)
        else:
            problem = failures.refused(described, failure.text)
        self._end_without(task, slot, failure.text, problem, again=again)

    def _may_begin_again(self, task: Task, slot: Slot) -> bool:
        """Whether the slot's catch-up leaves room for another run after the pause."""
        pause = timedelta(seconds=task.policy.longest_wait_s)
        if slot.key is None or self.books.state_trouble is not None:
            return False  # what can't be stored would look settled: it is given up, and told
        return self.now() + pause <= _catch_up_ends(task, slot)

    def _end_without(self, task: Task, slot: Slot, reason: str, problem: Problem, *, again: bool) -> None:
        """Commit a run that gave no reading: to be begun again after a pause, or recorded as missed."""
        now, slots = self.now(), self.books.state.slots
        findings = task.findings((problem,), now=now, counts=not again)
        given_up: tuple[Missed, ...] = ()

        def store(findings: Findings) -> Recorded:
            if again:
                not_before = now + timedelta(seconds=task.policy.longest_wait_s)
                return slots.fail(task.whose, slot, reason=reason, not_before=not_before, findings=findings)
            return slots.miss(task.whose, given_up, now=now, findings=findings)

        if slot.key is not None and not again:
            log.error("slot given up, recorded as missed", extra={**_whose(task), "slot": slot.key})
            given_up = (Missed(slot.key, slot.due_at, reason, None),)
        self.books.settle(task, (slot,), store, findings)

    def record_missed(self, task: Task, missed: tuple[Missed, ...], *, more: int) -> None:
        """Commit slots that were found to have no reading, each with its own reason.

        `more` older ones are too many to be recorded one by one.
        """
        for reason in dict.fromkeys(one.reason for one in missed):
            group = tuple(one for one in missed if one.reason == reason)
            described = self._described(task, Slot(group[-1].key, group[-1].due_at))
            named = self._missed_problem(task, described, group)
            findings = task.findings(named, now=described.now)
            store = partial(self._miss, task, group, described.now)
            self.books.settle(task, group, store, findings)
            fields = {"count": len(group), "more": more, "last": group[-1].key, "reason": reason}
            log.warning("slots missed", extra={**_whose(task), **fields})

    def _miss(self, task: Task, group: tuple[Missed, ...], now: datetime, findings: Findings) -> Recorded:
        return self.books.state.slots.miss(task.whose, group, now=now, findings=findings)

    def _missed_problem(
        self, task: Task, described: failures.Run, group: tuple[Missed, ...]
    ) -> tuple[Problem, ...]:
        """Return what is said of slots missed for one reason. One outage is one problem."""
        reason = group[0].reason
        if reason not in (NOT_STARTED, BUSY):
            return (failures.failed_for_good(described, reason, attempts=1),)
        failed = problem_key(*task.name, "failed")
        if reason == BUSY and any(alert.key == failed for alert in self.books.state.alerts.open()):
            return ()  # they waited for a run that failed, which is told already
        before = self.books.state.readings.missed_since_taken(*task.name, now=described.now, reason=reason)
        times = {*before, *(one.due_at for one in group)}
        # Found together they are one bad reading, but as many slots as one would have waited for.
        is_enough = len(times) >= task.manner.rules.raise_after
        return (replace(failures.missed(described, sorted(times), reason), at_once=is_enough),)


def _catch_up_ends(task: Task, slot: Slot) -> datetime:
    return slot.due_at + timedelta(seconds=max(task.job.catch_up_s or 0.0, LATE_AFTER_S))


def _whose(task: Task) -> dict[str, object]:
    return {"poller": task.poller, "job": task.job.name}


def _file(task: Task, out: OutFile | None) -> dict[str, object]:
    return {"file": f"{task.poller}/{out.name}"} if out else {}
