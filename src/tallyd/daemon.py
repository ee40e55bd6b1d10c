"""THE MAIN FLOW. Start reading here.

A tick, about once a second on one thread: `schedule` says which jobs to look at (`agenda.py`); a look
compares the timetable with what is stored (`core/timetable.py`) and hands at most one run to the executor;
the run fetches, commits and writes (`runs.py`, `books.py`). Everything that must be remembered is in
state.db, so that a tick, a look and a run may be repeated or cut off anywhere.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures import wait as futures_wait
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from tallyd.adapters.state import StateError
from tallyd.agenda import Agenda, Clock, Entry
from tallyd.books import Books
from tallyd.config import Config
from tallyd.core import failures
from tallyd.core.alerts import OWN, unwatched
from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem, Slot
from tallyd.core.texts import clock as clock_text
from tallyd.core.timetable import Every
from tallyd.desk import Desk
from tallyd.heartbeat import Heartbeat, is_well
from tallyd.in_force import InForce
from tallyd.keeping import Keeper
from tallyd.planning import Planner
from tallyd.pruning import Pruning
from tallyd.runs import Runner
from tallyd.sending import Sender
from tallyd.tasks import Task, tasks_of
from tallyd.telling import Teller
from tallyd.wakes import Wakes

log = logging.getLogger("tallyd")

OWN_KEYS = frozenset(kind.key for kind in (failures.CONFIG, failures.LOG, failures.DAMAGED, failures.WEB))
OWN_WHATS = frozenset(kind.what for kind in (failures.PART_CRASHED, failures.UNDELIVERED))


class Notifier(Protocol):
    """systemd, or nobody."""

    def status(self, text: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Kit:
    """What wiring hands to the daemon: the outside world, and how to use it.

    `runner` makes what runs jobs under a config. `on_config` is told each config that is put in force (log
    level, secrets to redact). `troubles` are the problems of the process's own parts (the log). `teller` and
    `heartbeat` speak to people and to the dead man's switch. `wakes` are jobs that are wanted at once, and
    `keeper` deletes what is old beside readings. `sender` sends reports until they are taken.
    """

    books: Books
    executor: Executor
    clock: Clock
    notifier: Notifier
    in_force: InForce
    runner: Callable[[Config], Runner]
    on_config: Callable[[Config], None]
    teller: Teller
    heartbeat: Heartbeat
    wakes: Wakes
    keeper: Keeper
    sender: Sender
    troubles: Callable[[], tuple[Problem, ...]] = tuple


class Daemon:
    """The pollers of one config on their timetables. `start`, then `tick` until told to stop."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._books = kit.books
        self._now = kit.clock.now
        self._agenda = Agenda(kit.clock, look=self.look_at_everything, on_jump=self._clock_jumped)
        self._runner = kit.runner(kit.in_force.config)
        self._desks: dict[tuple[str, str], Desk] = {}
        self._leaving: dict[tuple[str, str], Desk] = {}
        self._crashes: dict[str, Problem] = {}
        self._planner = Planner(kit.books, now=self._now)
        self._pruning = Pruning(
            kit.books, kit.clock, self._agenda, self._safely, (kit.sender.prune, kit.keeper.begin)
        )

    def start(self) -> None:
        """Make up for what a dead process left, and put the config in force."""
        self._put_in_force()
        self._books.out.remove_leftovers()
        self._safely("pruning", self._pruning.begin)
        self.look_at_everything()

    def tick(self, *, reload: bool = False) -> None:
        """Do what is due. About once a second; `reload` when it was asked for (SIGHUP)."""
        self._runner.stats.tick(self._kit.clock.monotonic())
        in_force = self._kit.in_force
        refused_before = in_force.refused
        newer = in_force.newer(asked=reload)
        if newer is not None:
            self._look_at_jobs()  # a slot that came before the change is still begun
            in_force.take(newer)
            self._runner = self._kit.runner(newer)
            self._put_in_force()
            pollers = list(newer.settings.pollers)
            log.info("config taken", extra={"path": str(newer.path), "pollers": pollers})
        if newer is not None or in_force.refused != refused_before:
            # At once: a new time of day is due from now on, and `status` must say what was refused.
            self.look_at_everything()
        self._agenda.tick()
        for desk in self._desks.values():
            if desk.has_waiting and not desk.is_running:
                desk.has_waiting = False
                self._look(desk)
        self._begin_woken()
        if self._books.alerts.is_news.is_set() or self._books.was_changed_elsewhere():
            self._tell()

    def idle_s(self) -> float:
        """Return how long to wait before the next tick, in seconds."""
        monotonic_s = self._kit.clock.monotonic()
        woken = [desk for desk in self._desks.values() if desk.is_woken and not desk.is_running]
        pauses_s = [desk.pause_s(monotonic_s) for desk in woken]
        return min(self._agenda.idle_s(), *pauses_s) if pauses_s else self._agenda.idle_s()

    def finish(self) -> None:
        """Store and write what can be, once the runs have ended."""
        self._safely("last write", lambda: self._books.finish(self._tasks()))

    def wait(self, timeout_s: float) -> bool:
        """Wait for the runs and deliveries under way; false when some are still going on."""
        desks = (*self._leaving.values(), *self._desks.values())
        # A run that was queued and cancelled is no run: nothing ever tells that it is done.
        running: list[Future[Any]] = [
            desk.future for desk in desks if desk.future is not None and not desk.future.cancelled()
        ]
        speaking = [*self._kit.teller.under_way(), *self._kit.heartbeat.under_way()]
        speaking += [*self._kit.keeper.under_way(), *self._kit.sender.under_way()]
        running += [future for future in speaking if not future.cancelled()]
        return not futures_wait(running, timeout=timeout_s).not_done

    # -- looking -----------------------------------------------------------------------------------------

    def look_at_everything(self) -> None:
        """Compare every timetable with what is stored, and make up for what could not be stored."""
        self._safely("held readings", self._books.commit_held)
        if self._books.check_state():
            self._safely("out files", lambda: self._books.write_unwritten(self._tasks()))
            self._safely("note", lambda: self._kit.in_force.note(self._books.state, self._tasks()))
            self._safely("sending", self._kit.sender.look)
        self._safely("own problems", self._judge_itself)
        self._look_at_jobs()
        self._tell()
        self._kit.notifier.status(self.status())

    def _look_at_jobs(self) -> None:
        for desk in self._desks.values():
            self._look(desk)

    def _tell(self) -> None:
        """Tell what is to be told. Needs no state.db: what it does not know is told from memory."""
        self._books.alerts.is_news.clear()
        self._safely("telling", self._kit.teller.look)

    def _safely(self, part: str, act: Callable[[], object]) -> None:
        """Do one part of a tick. State.db that can't be used, or a bug, ends this part and no other."""
        try:
            act()
        except StateError as error:
            self._books.note_trouble(error)
        except Exception as error:
            if part not in self._crashes:  # a part is done again each half minute; once in the log is enough
                log.exception("part of the daemon crashed", extra={"part": part})
                self._crashes[part] = failures.part_crashed(part, type(error).__name__, now=self._now())
        else:
            self._crashes.pop(part, None)

    def _look(self, desk: Desk) -> None:
        self._safely(f"look at {' '.join(desk.task.name)}", lambda: self._look_closely(desk))

    def _look_closely(self, desk: Desk) -> None:
        """Find out what is due for one job, and begin it. Raises `StateError`."""
        was_running = desk.is_running  # before the plan: a run that ends meanwhile has changed the books
        plan = self._planner.plan(desk.task)
        if was_running:
            desk.keep_waiting(plan)
            return
        if plan.missed:
            # Where they can't be recorded they stay open; what is due now is counted all the same.
            missed = desk.with_reasons(plan.missed)
            record = partial(self._runner.record_missed, desk.task, missed, older_since=plan.older_since)
            self._safely("missed slots", record)
        if plan.run is not None:
            self._begin(desk, plan.run, plan.mark)

    def _begin_woken(self) -> None:
        """Begin what was woken; a run under way is followed by another."""
        for name in self._kit.wakes.taken():
            if name in self._desks:
                self._desks[name].is_woken = True
        for desk in self._desks.values():
            if desk.is_woken and not desk.is_running and desk.pause_s(self._kit.clock.monotonic()) == 0:
                self._begin_plain(desk)

    def _begin(self, desk: Desk, slot: Slot, mark: str | None) -> None:
        runner, task = self._runner, desk.task
        progress = runner.progress()
        desk.begins(slot.key, progress, monotonic_s=self._kit.clock.monotonic())
        log.debug("run begins", extra={**desk.whose, "slot": slot.key, "late_s": round(slot.late_s, 1)})
        desk.future = self._kit.executor.submit(runner.run, task, slot, mark, progress)
        if task.job.wakes:
            desk.future.add_done_callback(lambda _run: self._kit.wakes.rouse() if desk.is_woken else None)

    # -- the config in force -----------------------------------------------------------------------------

    def _put_in_force(self) -> None:
        """Plan the jobs of the config in force. Runs under way finish on the settings they began with."""
        config = self._kit.in_force.config
        self._kit.on_config(config)
        self._books.alerts.manner_of = config.manner_of
        self._books.suspects.forget_others(config.settings.pollers)
        self._crashes.clear()  # what still fails is noted anew at the next look
        self._kit.teller.put_in_force(config)
        self._kit.sender.put_in_force(config, self._runner.plain_tools)
        # A job that was removed and comes back may still be running: then it is not begun a second time.
        old, self._desks = {**self._leaving, **self._desks}, {}
        for task in tasks_of(config):
            before = old.pop(task.name, None)
            self._desks[task.name] = replace(before, task=task) if before else Desk(task)
        self._leaving = {name: desk for name, desk in old.items() if desk.is_running}
        entries = [self._entry(desk) for desk in self._desks.values()]
        self._agenda.plan(
            (*entries, *self._beats(config), Entry("pruning", self._pruning.until_s, self._prune))
        )
        self._close_unwatched()

    def _beats(self, config: Config) -> list[Entry]:
        """Return the entry of the heartbeat, where one is wanted."""
        wanted = config.settings.heartbeat
        if wanted is None:
            return []
        url = wanted.url.reveal()

        def beat() -> None:
            well = is_well(self._books.alerts.alerts().values())
            self._kit.heartbeat.beat(self._runner.http, url, is_well=well)

        return [_every("heartbeat", wanted.every, lambda: self._safely("heartbeat", beat))]

    def _entry(self, desk: Desk) -> Entry:
        when, name = desk.task.job.when, " ".join(desk.task.name)
        if isinstance(when, Every) and not when.grid:
            return _every(name, when.interval_s, lambda: self._begin_plain(desk))

        def until_next_s() -> float | None:
            now = self._now()
            next_at = desk.task.next_at(now)
            return None if next_at is None else (next_at - now).total_seconds()

        return Entry(name, until_next_s, lambda: self._look(desk))

    def _begin_plain(self, desk: Desk) -> None:
        """Begin a run outside of slots, unless the one before still goes on."""
        if not desk.is_running:
            self._begin(desk, Slot(None, self._now()), None)

    def _close_unwatched(self) -> None:
        jobs = [(task.poller, task.job.name, task.job.judges) for task in self._tasks()]
        names = frozenset(self._desks)
        is_unwatched = unwatched(jobs, {task.poller: task.source.watched() for task in self._tasks()})

        def may_close(key: str) -> bool:
            no_source = key == failures.CLOCK.key and not jobs  # to compare the clock with
            no_page = key == failures.WEB.key and self._kit.in_force.config.settings.web is None
            is_gone = is_unwatched(key) and not self._kit.sender.watches(key)
            return is_gone or no_source or no_page or self._kit.teller.is_gone(key)

        close = partial(self._books.judge, (), may_close=may_close, is_unwatched=True)
        self._safely("unwatched", close)
        self._safely("forgotten jobs", lambda: self._books.state.slots.forget_others(names))

    def _tasks(self) -> tuple[Task, ...]:
        return tuple(desk.task for desk in self._desks.values())

    # -- the daemon's own health -------------------------------------------------------------------------

    def _judge_itself(self) -> None:
        """Raise and close what the daemon has to say of itself."""
        named = [*self._kit.troubles(), *self._kit.teller.problems(), *self._crashes.values()]
        named += self._kit.sender.problems()
        named += self._overdue()
        refused = self._kit.in_force.problem()
        if refused is not None:
            named.append(refused)
        self._books.judge(tuple(named), may_close=self._may_end)

    def _may_end(self, key: str) -> bool:
        """Whether a key is the daemon's own, and over where it is not named."""
        return (_is_own(key) and not self._kit.teller.may_still_be(key)) or self._kit.sender.watches(key)

    def _overdue(self) -> list[Problem]:
        monotonic_s = self._kit.clock.monotonic()
        found = (desk.overdue(monotonic_s=monotonic_s) for desk in self._desks.values())
        return [problem for problem in found if problem is not None]

    def _clock_jumped(self, by_s: float) -> None:
        log.warning("clock jumped", extra={"by_s": round(by_s, 1)})

    def _prune(self) -> None:
        self._pruning.prune(self._kit.in_force.config, self._tasks())

    def status(self) -> str:
        """Return in one line how things are and what comes next."""
        now, parts = self._now(), []
        if self._books.state_trouble:
            parts.append(f"cannot use state.db: {self._books.state_trouble}; readings are held in memory")
        coming = [(at, desk.task) for desk in self._desks.values() if (at := desk.task.next_at(now))]
        if coming:
            at, task = min(coming, key=lambda pair: pair[0])
            parts.append(f"next: {task.poller} {task.job.name} {clock_text(at, task.zone, now=now)}")
        elif not self._desks:
            parts.append("no poller is configured; add one to the config, it is taken by itself")
        if self._kit.in_force.refused:
            parts.append(f"the config on disk is refused ({self._kit.in_force.config.tallyd} check)")
        return "; ".join(parts)


def _is_own(key: str) -> bool:
    segments = key_segments(key)
    return (
        segments[-1] == failures.OVERDUE.what
        or key in OWN_KEYS
        or (segments[0] == OWN and segments[-1] in OWN_WHATS)
    )


def _every(name: str, interval_s: float, act: Callable[[], None]) -> Entry:
    """Return an entry that acts at once, and then every so often."""
    delays = itertools.chain([0.0], itertools.repeat(interval_s))
    return Entry(name, lambda: next(delays), act)
