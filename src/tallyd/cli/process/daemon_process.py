"""The daemon as a process: signals, threads, systemd. Its main flow is in daemon.py.

All threads block signals, and only the main thread waits for them: a handler that takes a lock can deadlock
with the thread that it interrupts. The schedule has its own thread; runs use the threads of the executor.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tallyd.adapters.clock import Clock
from tallyd.adapters.logs import LogFile, Logs
from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import State, StateError
from tallyd.adapters.systemd import ServiceManager
from tallyd.alerting.heartbeat import Heartbeat
from tallyd.alerting.notifier import Notifier
from tallyd.cli.process.equipment import look_closely, reporter_of
from tallyd.cli.process.outgoing import Outgoing
from tallyd.cli.process.resources import Outside
from tallyd.cli.process.standby import Keeper, Standby, StartOver, config_problems, start_over
from tallyd.cli.shared import utc_now
from tallyd.config.active_file import active_file, write_active
from tallyd.config.model import Config
from tallyd.config.reload import ActiveConfig
from tallyd.core.alerts.daemon_alerts import LOG
from tallyd.core.alerts.rules import OWN
from tallyd.core.errors import EXIT_OK, EXIT_PROBLEM
from tallyd.core.hosts import Host
from tallyd.core.language.messages import english
from tallyd.core.leader import Leader
from tallyd.core.reading import Problem
from tallyd.daemon import Daemon, Dependencies
from tallyd.outbox.relay import Relay
from tallyd.outbox.worker import OutboxWorker
from tallyd.runs.runner import Runner
from tallyd.runs.stats import RunStats
from tallyd.scheduling.wakeups import Wakeups
from tallyd.storage.host_beats import HostBeats
from tallyd.storage.record_retention import RecordRetention
from tallyd.storage.recovery import damage_problems, open_state
from tallyd.storage.store import Store
from tallyd.web.http.service import Service
from tallyd.web.intake.service import Intake
from tallyd.web.service import Served

if TYPE_CHECKING:
    from tallyd.adapters.state.leadership import Leadership

log = logging.getLogger("tallyd")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LONGEST_STOP_S = 2.0
"""How long runs may continue after SIGTERM. The next start repeats a run that did not end."""
DELIVERIES_END_S = 0.5
"""How long deliveries may continue after they were asked to end."""
WORKERS = 256
"""Most runs at the same time. Threads are created when needed, so a source that hangs delays no other."""


class StateGoneError(Exception):
    """state.db was deleted or replaced while the daemon runs; a new start rebuilds it from out/."""

    def __init__(self, place: str) -> None:
        super().__init__(f"{place} was deleted or replaced while tallyd was running")


class Process:
    """Everything that lives as long as the process."""

    def __init__(self, config: Config) -> None:
        self._environ = dict(os.environ)
        self._config = config
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._reload = threading.Event()
        self._wakeups = Wakeups(self._wake.set)
        self._kept: dict[tuple[str, str], dict[str, object]] = {}
        self._stats = RunStats()
        self._service_manager = ServiceManager.from_environment()
        self._restart = _how_to_restart(self._service_manager)
        self._services: tuple[Service[Any], ...] = ()
        self._clock = Clock()
        self._log_trouble: Problem | None = None
        self._failed = False
        self._leadership: Leadership | None = None
        self._token: str | None = None
        self._starts_over = False
        self._logs = Logs(
            level=config.settings.log.level,
            secrets=config.secrets,
            file=_log_file(config),
            on_failure=self._log_failed,
            on_recovered=self._log_recovered,
        )
        self._outgoing = Outgoing(self._logs.redact)
        self._outside = Outside(
            config,
            now=utc_now,
            on_files=self._wakeups.wake,
            reporter=reporter_of(self._outgoing.deliver),
        )

    def run(self) -> int:
        """Start, run until a signal to stop, stop. Returns the exit status."""
        with ExitStack() as stack:
            if self._config.state_url is not None and not self._becomes_leader(self._config.state_url, stack):
                return EXIT_OK
            try:
                store = self.open_store()
            except StateError as error:
                log.error("cannot start", extra={"reason": str(error)})  # noqa: TRY400 # no bug, no traceback
                return EXIT_PROBLEM
            stack.callback(store.state.close)
            stack.callback(self._outside.close)
            executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="run")
            daemon = Daemon(self._deps(store, executor))
            ticking = partial(self._tick_until_stopped, daemon, store)
            schedule = threading.Thread(target=ticking, name="schedule")
            schedule.start()
            self._serve_signals()
            # With a limit: a config on a dead network share can block this thread for ever.
            schedule.join(LONGEST_STOP_S)
            self._end_runs(daemon, executor, is_cut_off=schedule.is_alive())
        if self._starts_over:
            start_over(self._environ)
        return EXIT_PROBLEM if self._failed else EXIT_OK

    def _becomes_leader(self, url: str, stack: ExitStack) -> bool:
        """Stand by until no other daemon works; false: a signal came first."""
        from tallyd.adapters.state.leadership import Leadership  # noqa: PLC0415 # an extra

        leadership = Leadership(
            url,
            host=socket.gethostname(),
            folder=str(self._config.state_dir),
            config=self._config.digest,
        )
        stack.callback(leadership.release)
        self._note_active(self._config)
        standby = Standby(
            self._config,
            leadership,
            signals=SIGNALS,
            service_manager=self._service_manager,
            clock=self._clock,
            stats=self._stats,
            serve=self._serve_standby,
        )
        try:
            if not standby.wait():
                return False
        except StartOver:
            start_over(self._environ)
        self._leadership, self._token = leadership, leadership.token
        stack.callback(Keeper(leadership, self._depose).stop)
        return True

    def _serve_standby(self, state: State, leader: Callable[[], Leader | None]) -> Served:
        store = Store(state, OutFiles(self._config.out_dir), now=self._clock.now)
        return self._served(store, lambda: (), leader=leader)

    def _depose(self) -> None:
        self._starts_over = True
        os.kill(os.getpid(), signal.SIGTERM)

    def open_store(self) -> Store:
        """Open the store of the counts. Raises `StateError`."""
        state = open_state(self._config, now=self._clock.now(), token=self._token)
        return Store(state, OutFiles(self._config.out_dir), now=self._clock.now)

    def _deps(self, store: Store, executor: ThreadPoolExecutor) -> Dependencies:
        active_config = ActiveConfig(
            self._config,
            now=self._clock.now,
            monotonic=self._clock.monotonic,
            environ=self._environ,
            closely=look_closely,
            restart=self._restart,
        )
        relay = Relay(
            store,
            locks=self._config.state_dir / "locks",
            now=self._clock.now,
            monotonic=self._clock.monotonic,
        )
        return Dependencies(
            store=store,
            executor=executor,
            clock=self._clock,
            show_status=self._service_manager.status,
            active_config=active_config,
            runner=partial(self._runner, store, relay),
            on_config=self._configure,
            notifier=Notifier(
                store,
                deliver=self._outgoing.deliver,
                executor=executor,
                now=self._clock.now,
                monotonic=self._clock.monotonic,
            ),
            host_beats=HostBeats(executor, self._outside.beat, state=store.state, now=self._clock.now),
            heartbeat=Heartbeat(executor, wait=self._stop.wait, monotonic=self._clock.monotonic),
            wakeups=self._wakeups,
            record_retention=RecordRetention(executor, self._outside.prunables, self._stop.is_set),
            outbox_worker=OutboxWorker(store, relay, executor=executor, now=self._clock.now),
            troubles=partial(self._troubles, self._config.state_dir),
        )

    def _runner(self, store: Store, relay: Relay, config: Config) -> Runner:
        return Runner(
            store=store,
            http=self._outgoing.client(config),
            stop=self._stop,
            locks=config.state_dir / "locks",
            now=utc_now,
            monotonic=self._clock.monotonic,
            deliver=relay.deliver_now,
            resources=self._outside,
            wake=self._wakeups.wake,
            kept=self._kept,
            stats=self._stats,
        )

    def _note_active(self, config: Config) -> None:
        try:
            write_active(config, restart=self._restart)
        except OSError as error:
            # Counting continues. `status` misses the file only if the config breaks before the next start.
            extra = {"file": str(active_file(config.path)), "reason": (error.strerror or "").lower()}
            log.warning("active file cannot be written", extra=extra)

    def _configure(self, config: Config) -> None:
        self._note_active(config)
        if self._leadership is not None:
            self._leadership.config = config.digest
        self._logs.reconfigure(
            level=config.settings.log.level, secrets=config.secrets, file=_log_file(config)
        )
        self._outside.apply_config(config)
        for service in self._services:
            service.apply_config(config)

    def _served(
        self,
        store: Store,
        hosts: Callable[[], tuple[Host, ...]],
        leader: Callable[[], Leader | None] | None = None,
    ) -> Served:
        return Served(
            self._config,
            store,
            kept=self._kept,
            runs=self._stats,
            hosts=hosts,
            leader=leader,
            now=utc_now,
            restart=self._restart,
        )

    # -- the schedule's thread ---------------------------------------------------------------------------

    def _tick_until_stopped(self, daemon: Daemon, store: Store) -> None:
        try:
            daemon.start()
            log.info("tallyd started", extra={"config": str(self._config.path), "pid": os.getpid()})
            self._service_manager.ready(daemon.status())
            # Earlier, /healthz would report that tallyd is not healthy.
            page = self._served(store, daemon.other_hosts)
            self._services = (page, Intake(self._config, now=utc_now))
            self._tick(daemon, store)
        except BaseException:
            # A bug outside of any run. systemd starts a new process, which is safe at any point.
            log.exception("the schedule crashed, tallyd stops")
            self._failed = True
            os.kill(os.getpid(), signal.SIGTERM)

    def _tick(self, daemon: Daemon, store: Store) -> None:
        feed_every_s = self._service_manager.watchdog_interval_s
        fed_s = self._clock.monotonic()
        while not self._stop.is_set():
            reload = self._reload.is_set()
            if reload:
                self._reload.clear()
                self._service_manager.reloading()
            daemon.tick(reload=reload)
            if reload:
                self._service_manager.ready(daemon.status())
            if feed_every_s is not None and self._clock.monotonic() - fed_s >= feed_every_s:
                fed_s = self._clock.monotonic()
                if store.state.answers():
                    self._service_manager.watchdog()
            if not store.state.is_in_place():
                raise StateGoneError(store.state.place)
            self._wake.wait(daemon.idle_s())
            self._wake.clear()

    # -- signals and the end -----------------------------------------------------------------------------

    def _serve_signals(self) -> None:
        """Wait for signals in the main thread; return when it is time to stop."""
        while (received := signal.sigwait(SIGNALS)) == signal.SIGHUP:
            self._reload.set()
            self._wake.set()
        log.info("tallyd stops", extra={"signal": signal.Signals(received).name})
        if not self._starts_over:  # systemd would end a process that said so and went on
            self._service_manager.stopping()
        self._stop.set()
        self._wake.set()
        self._outgoing.end_requests()
        for service in self._services:
            service.stop()

    def _end_runs(self, daemon: Daemon, executor: ThreadPoolExecutor, *, is_cut_off: bool) -> None:
        executor.shutdown(wait=False, cancel_futures=True)
        is_done = daemon.wait(LONGEST_STOP_S)
        # Only now: a message that is cut off may have arrived, and would then be sent twice.
        self._outgoing.end_messages()
        for service in self._services:
            service.close()
        if not is_cut_off and (is_done or daemon.wait(DELIVERIES_END_S)):
            daemon.finish()
            log.info("tallyd stopped")
            return
        # A thread hangs in a call that nothing can end (a name lookup). Its slot is claimed, so the next
        # start repeats it. If we waited, systemd would send SIGKILL.
        log.warning("a run did not stop in time and was cut off; the next start repeats it")
        self._logs.stop()
        if self._starts_over:
            start_over(self._environ)
        os._exit(EXIT_PROBLEM if self._failed else EXIT_OK)

    # -- problems of the process itself ------------------------------------------------------------------

    def _log_failed(self, text: str) -> None:
        self._log_trouble = LOG.problem(OWN, since=self._clock.now(), reason=text)

    def _log_recovered(self) -> None:
        self._log_trouble = None

    def _troubles(self, state_dir: Path) -> tuple[Problem, ...]:
        self._logs.try_again()
        own = (self._log_trouble,) if self._log_trouble else ()
        found = config_problems(self._leadership, now=self._clock.now()) if self._leadership else ()
        served = (problem for service in self._services for problem in service.problems())
        return (*own, *found, *served, *damage_problems(state_dir))


def _log_file(config: Config) -> LogFile:
    log_settings = config.settings.log
    return LogFile(
        path=config.log_dir / "tallyd.log", max_bytes=log_settings.max_bytes, backups=log_settings.backups
    )


def _how_to_restart(service_manager: ServiceManager) -> str:
    """Return how a person restarts this tallyd."""
    if service_manager.is_heard:
        return "sudo systemctl restart tallyd"
    if sys.stderr.isatty():
        return english("stop tallyd with Ctrl-C and start it again")
    return english("stop tallyd and start it again")
