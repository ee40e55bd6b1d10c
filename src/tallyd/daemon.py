"""THE MAIN FLOW. Start reading here.

About once a second there is a tick. Ticks are on one thread, runs on those of the executor. The scheduler
says which jobs to look at (`scheduling/scheduler.py`). A look at a job compares its timetable with state.db
(`scheduling/planner.py`) and submits at most one run. The run has five steps: claim, fetch, commit, deliver,
write (`runs/runner.py`, `storage/store.py`). Everything that must be remembered is in state.db, so a tick, a
look or a run may be repeated, or end anywhere. Only while state.db cannot be used, readings are held in
memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from concurrent.futures import wait as futures_wait
from dataclasses import dataclass
from typing import Any

from tallyd.adapters.clock import Clock
from tallyd.alerting.daemon_health import DaemonHealth
from tallyd.alerting.heartbeat import Heartbeat, is_well
from tallyd.alerting.notifier import Notifier
from tallyd.config.jobs import tasks_of
from tallyd.config.model import Config
from tallyd.config.reload import ActiveConfig
from tallyd.core.hosts import BEAT_EVERY_S as HOST_BEAT_EVERY_S
from tallyd.core.hosts import Host
from tallyd.core.language.formats import clock as clock_text
from tallyd.core.reading import Problem, Slot
from tallyd.core.schedule.timetable import Every
from tallyd.core.uptime import BEAT_EVERY_S
from tallyd.outbox.worker import OutboxWorker
from tallyd.runs.job_state import JobState, JobStates
from tallyd.runs.runner import Runner
from tallyd.runs.toolbox import job_fields
from tallyd.scheduling.planner import Planner
from tallyd.scheduling.scheduler import LONGEST_TICK_S, Entry, Scheduler
from tallyd.scheduling.wakeups import Wakeups
from tallyd.storage.host_beats import HostBeats
from tallyd.storage.record_retention import RecordRetention
from tallyd.storage.retention import Retention
from tallyd.storage.store import Store
from tallyd.storage.uptime import Uptime

log = logging.getLogger("tallyd")


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """The parts that the daemon uses; `cli/` builds them.

    `runner` returns the runner for a config. `on_config` is called with each config that becomes active, for
    settings outside of the daemon (log level, secrets to redact). `troubles` returns the problems of other
    parts of the process, such as the log. `show_status` shows a line in `systemctl status`. `notifier` sends
    alerts to people, `heartbeat` to the dead man's switch, `host_beats`
    to the other daemons on the database. `wakeups` holds the jobs that must run at once.
    `outbox_worker` sends reports until the upstream accepts them. `record_retention` deletes old rows and
    files.
    """

    store: Store
    executor: Executor
    clock: Clock
    show_status: Callable[[str], None]
    active_config: ActiveConfig
    runner: Callable[[Config], Runner]
    on_config: Callable[[Config], None]
    notifier: Notifier
    heartbeat: Heartbeat
    host_beats: HostBeats
    wakeups: Wakeups
    record_retention: RecordRetention
    outbox_worker: OutboxWorker
    troubles: Callable[[], tuple[Problem, ...]] = tuple


class Daemon:
    """Runs the pollers of the active config. Call `start`, then `tick` about once a second."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._deps = dependencies
        self._store = dependencies.store
        self._now = dependencies.clock.now
        self._scheduler = Scheduler(
            dependencies.clock, look=self.look_at_everything, on_jump=self._clock_jumped
        )
        self._runner = dependencies.runner(dependencies.active_config.config)
        self._jobs = JobStates()
        self._health = DaemonHealth(
            dependencies.store,
            dependencies.active_config,
            dependencies.clock,
            dependencies.notifier,
            found=self._problems,
            may_still_be=dependencies.host_beats.may_still_be,
            is_about_report=dependencies.outbox_worker.watches,
        )
        self._safely = self._health.safely
        self._planner = Planner(dependencies.store, now=self._now)
        self._uptime = Uptime(dependencies.store.state, now=self._now)
        self._retention = Retention(
            dependencies.store,
            dependencies.clock,
            self._scheduler.steady_for_s,
            self._safely,
            (dependencies.outbox_worker.prune, dependencies.record_retention.prune),
        )

    def start(self) -> None:
        """Apply the config, and finish what a killed process left."""
        self._apply_config()
        self._store.out.remove_leftovers()
        self._safely("pruning", self._retention.begin)
        self.look_at_everything()

    def tick(self, *, reload: bool = False) -> None:
        """Do what is due. `reload` is true after SIGHUP."""
        self._runner.stats.tick(self._deps.clock.monotonic())
        active_config = self._deps.active_config
        rejected_before = active_config.rejected
        newer = active_config.newer(asked=reload)
        if newer is not None:
            self._look_at_jobs()  # first begin what was due under the old config
            active_config.take(newer)
            self._runner = self._deps.runner(newer)
            self._apply_config()
            pollers = list(newer.settings.pollers)
            log.info("config loaded", extra={"path": str(newer.path), "pollers": pollers})
        if newer is not None or active_config.rejected != rejected_before:
            # At once: a new time of day counts from now on, and `status` must show a rejected config.
            self.look_at_everything()
        self._scheduler.tick()
        for job_state in self._jobs:
            if job_state.has_waiting_slot and not job_state.is_running:
                job_state.has_waiting_slot = False
                self._look(job_state)
        self._begin_woken()
        if self._store.alerts.is_news.is_set() or self._store.state.was_changed_elsewhere():
            self._safely("own problems", self._health.evaluate)  # one may be the cause of others
            self._notify()

    def idle_s(self, longest_s: float = LONGEST_TICK_S) -> float:
        """Return how long to wait before the next tick, in seconds, at most `longest_s`."""
        monotonic_s = self._deps.clock.monotonic()
        pauses_s = [job_state.pause_s(monotonic_s) for job_state in self._jobs.woken()]
        return min([self._scheduler.idle_s(longest_s), *pauses_s])

    def finish(self) -> None:
        """Store and write what is still in memory. Call it after the runs have ended."""
        self._safely(
            "last write", lambda: self._store.finish(self._jobs.tasks(), running=self._jobs.running())
        )
        self._note_uptime()

    def wait(self, timeout_s: float) -> bool:
        """Wait for runs and deliveries; return false if some have not ended in time."""
        deps = self._deps
        futures: list[Future[Any]] = [
            *self._jobs.futures(),
            *deps.notifier.under_way(),
            *deps.heartbeat.under_way(),
            *deps.host_beats.under_way(),
            *deps.record_retention.under_way(),
            *deps.outbox_worker.under_way(),
        ]
        # `wait` never returns for a future that was cancelled in the queue.
        running = [future for future in futures if not future.cancelled()]
        return not futures_wait(running, timeout=timeout_s).not_done

    def other_hosts(self) -> tuple[Host, ...]:
        """Return the other daemons on the database."""
        return self._deps.host_beats.others()

    # -- looking -----------------------------------------------------------------------------------------

    def look_at_everything(self) -> None:
        """Compare every timetable with state.db, and store what could not be stored before."""
        self._safely("held readings", self._store.commit_held)
        if self._store.check_state():
            tasks, running = self._jobs.tasks(), self._jobs.running()
            self._safely("out files", lambda: self._store.write_unwritten(tasks, running=running))
            self._safely("note", lambda: self._deps.active_config.note(self._store.state, tasks))
            self._safely("sending", self._deps.outbox_worker.look)
        self._safely("own problems", self._health.evaluate)
        self._look_at_jobs()
        self._notify()
        self._deps.show_status(self.status())

    def _look_at_jobs(self) -> None:
        for job_state in self._jobs:
            self._look(job_state)

    def _notify(self) -> None:
        """Notify people of changes. Without state.db this works from memory."""
        self._store.alerts.is_news.clear()
        self._safely("notifying", self._deps.notifier.look)

    def _problems(self) -> Iterable[Problem]:
        """Return what is wrong with other parts of the process."""
        overdue = self._jobs.overdue(monotonic_s=self._deps.clock.monotonic())
        deps = self._deps
        return *deps.troubles(), *deps.outbox_worker.problems(), *deps.host_beats.problems(), *overdue

    def status(self) -> str:
        """Return the state and the next run in one line."""
        now, parts = self._now(), []
        active_config = self._deps.active_config
        if self._store.state_trouble:
            parts.append(f"cannot use state.db: {self._store.state_trouble}; readings are held in memory")
        coming = [(at, job_state.task) for job_state in self._jobs if (at := job_state.task.next_at(now))]
        if coming:
            at, task = min(coming, key=lambda pair: pair[0])
            parts.append(f"next: {task.poller} {task.job.name} {clock_text(at, task.zone, now=now)}")
        elif not self._jobs.tasks():
            parts.append("no poller is configured; add one to the config, tallyd reloads it automatically")
        if active_config.rejected:
            parts.append(f"the config on disk was rejected ({active_config.config.tallyd} check)")
        return "; ".join(parts)

    def _look(self, job_state: JobState) -> None:
        self._safely(f"look at {' '.join(job_state.task.name)}", lambda: self._begin_what_is_due(job_state))

    def _begin_what_is_due(self, job_state: JobState) -> None:
        """Find out what is due for one job, and begin it. Raises `StateError`."""
        # Ask before the plan: a run that ends in between changes what is stored.
        was_running = job_state.is_running
        plan = self._planner.plan(job_state.task)
        if was_running:
            job_state.keep_waiting(plan)
            return
        if plan.missed:
            # If this fails, the next look records them. The slot that is due now runs anyway.
            missed = job_state.with_reasons(plan.missed)
            record = self._runner.missed_slots.record_missed
            self._safely("missed slots", lambda: record(job_state.task, missed, older_since=plan.older_since))
        if plan.run is not None:
            self._begin(job_state, plan.run, plan.watermark)

    def _begin_woken(self) -> None:
        """Begin the jobs that were woken. A job that is running begins once more when it ends."""
        self._jobs.wake(self._deps.wakeups.taken())
        for job_state in self._jobs.woken():
            if job_state.pause_s(self._deps.clock.monotonic()) == 0:
                self._begin_without_slot(job_state)

    def _begin(self, job_state: JobState, slot: Slot, watermark: str | None) -> None:
        runner, task = self._runner, job_state.task
        progress = runner.progress()
        job_state.begins(slot.key, progress, monotonic_s=self._deps.clock.monotonic())
        log.debug("run begins", extra={**job_fields(task), "slot": slot.key, "late_s": round(slot.late_s, 1)})
        job_state.future = self._deps.executor.submit(runner.run, task, slot, watermark, progress)
        if task.job.wakes:
            # A job that was woken during its run begins again at once: `rouse` ends the pause between ticks.
            job_state.future.add_done_callback(
                lambda _run: self._deps.wakeups.rouse() if job_state.is_woken else None
            )

    # -- the active config -------------------------------------------------------------------------------

    def _apply_config(self) -> None:
        """Plan the jobs of the active config. Current runs finish with their old settings."""
        config = self._deps.active_config.config
        self._deps.on_config(config)
        self._store.alerts.alert_policy_of = config.alert_policy_of
        self._store.apply_pollers(config.settings.pollers)
        self._health.forget_crashes()  # the next look notes what still fails
        self._deps.notifier.apply_config(config)
        self._deps.outbox_worker.apply_config(config, self._runner.http_tools)
        self._jobs.replace(tasks_of(config))
        entries = [self._entry(job_state) for job_state in self._jobs]
        self._scheduler.plan(
            (
                *entries,
                *self._beats(config),
                Entry("pruning", self._retention.until_s, self._prune),
                Entry.every("host beat", HOST_BEAT_EVERY_S, self._beat_host),
                Entry.every("uptime", BEAT_EVERY_S, self._note_uptime),
            )
        )
        self._safely("unwatched", lambda: self._health.resolve_unwatched(self._jobs.tasks()))
        self._safely("forgotten jobs", lambda: self._store.state.slots.forget_others(self._jobs.names()))

    def _beats(self, config: Config) -> list[Entry]:
        """Return the scheduler entry of the heartbeat, if the config has one."""
        wanted = config.settings.heartbeat
        if wanted is None:
            return []
        url = wanted.url.reveal()

        def beat() -> None:
            well = is_well(self._store.alerts.alerts().values())
            self._deps.heartbeat.beat(self._runner.http, url, is_well=well)

        return [Entry.every("heartbeat", wanted.every, lambda: self._safely("heartbeat", beat))]

    def _entry(self, job_state: JobState) -> Entry:
        when, name = job_state.task.job.when, " ".join(job_state.task.name)
        if isinstance(when, Every) and not when.grid:
            return Entry.every(name, when.interval_s, lambda: self._begin_without_slot(job_state))

        def until_next_s() -> float | None:
            now = self._now()
            next_at = job_state.task.next_at(now)
            return None if next_at is None else (next_at - now).total_seconds()

        return Entry(name, until_next_s, lambda: self._look(job_state))

    def _begin_without_slot(self, job_state: JobState) -> None:
        """Begin a run without a slot. If the job is running, the run is skipped."""
        if job_state.is_running:
            job_state.skip_run()
            self._runner.stats.note_skipped(job_state.task.name)
        else:
            self._begin(job_state, Slot(None, self._now()), None)

    # -- the clock, and old data -------------------------------------------------------------------------

    def _clock_jumped(self, by_s: float) -> None:
        log.warning("clock jumped", extra={"by_s": round(by_s, 1)})
        self._note_uptime()  # at once: after a suspend the daemon is on from here

    def _beat_host(self) -> None:
        self._safely("host beat", self._deps.host_beats.beat)

    def _note_uptime(self) -> None:
        self._safely("uptime", self._uptime.beat)

    def _prune(self) -> None:
        self._retention.prune(self._deps.active_config.config, self._jobs.tasks())
