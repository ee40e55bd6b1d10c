"""One machine with the real daemon, wired as `cli/process/daemon_process.py` does it.

Real are the daemon and everything below it: the store, state.db, the out files, the inbox, the database of
records, the config file and its reload. Simulated are the clocks, who runs the runs, and all other machines.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from simulation.chats import Chats
from simulation.clocks import SimClock
from simulation.network import Network, SimHttp
from simulation.perils import Killed, Perils
from simulation.turns import Turns
from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import StateError
from tallyd.alerting.channel import Channel
from tallyd.alerting.heartbeat import Heartbeat
from tallyd.alerting.notifier import Notifier
from tallyd.cli.process.equipment import make_folders
from tallyd.cli.process.resources import Outside
from tallyd.config.active_file import write_active
from tallyd.config.load import load
from tallyd.config.model import Config
from tallyd.config.reload import ActiveConfig
from tallyd.core.alerts.notices import Notice
from tallyd.core.errors import ConfigError
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

log = logging.getLogger("tallyd")

SPOKEN: ContextVar[Sequence[Notice]] = ContextVar("spoken", default=())
"""What the message of this turn says."""


class SimStop(threading.Event):
    """The shutdown of one process. Its waits are rests, so that others run meanwhile."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns

    def is_set(self) -> bool:
        return self._turns.is_stopping

    def wait(self, timeout: float | None = None) -> bool:
        if not self._turns.is_stopping:
            self._turns.rest(timeout or 0.0)
        return self._turns.is_stopping


class OverheardNotifier(Notifier):
    """A notifier that tells which notices the message of this turn is made of: a message is only text."""

    def _notify(self, channel: Channel, pending: Any) -> None:
        SPOKEN.set(pending.notices)
        super()._notify(channel, pending)


class Process:
    """One start of the daemon, until it is stopped or killed.

    `beats` and `prunes`: with the beats of hosts in the database of records, and with its retention, which
    together cost a third of the time.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: SimClock,
        network: Network,
        chats: Chats,
        perils: Perils,
        chance: Random,
        number: int,
        beats: bool,
        prunes: bool,
        token: str | None = None,
    ) -> None:
        self.clock, self.perils, self.number, self._token = clock, perils, number, token
        self._beats, self._prunes = beats, prunes
        self._tick_s = 0.0
        self.turns = Turns(clock, chance)
        self.config = load(path, environ={})
        make_folders(self.config)
        self._stop = SimStop(self.turns)
        self._http = SimHttp(network, self.turns, perils, clock)
        self.wakeups = Wakeups(lambda: None)
        self._kept: dict[tuple[str, str], dict[str, object]] = {}
        self._stats = RunStats()
        self._chats = chats
        self.outside = Outside(self.config, now=clock.now, monotonic=clock.monotonic)
        self.store: Store | None = None
        self.daemon: Daemon | None = None

    def begin(self) -> str | None:
        """Begin, with nothing but what is on disk; return why that is impossible. Raises `Killed`."""
        config = self.config
        try:
            state = open_state(config, now=self.clock.now(), token=self._token)
        except StateError as error:
            return str(error)
        self.store = Store(state, OutFiles(config.out_dir), now=self.clock.now)
        self.daemon = Daemon(self._dependencies(config, self.store))
        self.daemon.start()
        return None

    def tick(self, *, reload: bool = False) -> None:
        """One tick. Raises `Killed`."""
        assert self.daemon is not None
        self._tick_s = self.clock.monotonic() + 1.0
        self.daemon.tick(reload=reload)

    def work(self, chance: Random) -> None:
        """Tick, as every second; then let runs go on, in the order of the seed, at times with a tick between.

        Raises `Killed`.
        """
        if self.clock.monotonic() >= self._tick_s:
            self.tick()
        for _ in range(200):
            if not self.turns.take():
                return
            if self.turns.is_killed:
                raise Killed
            if chance.random() < 0.1:
                self.clock.pass_s(chance.uniform(0.0, 0.2))
                self.tick()

    def stop(self) -> bool:
        """End as after SIGTERM; return false if a run did not end in time. Raises `Killed`."""
        assert self.daemon is not None
        self.turns.is_stopping = True
        while self.turns.take():
            if self.turns.is_killed:
                raise Killed
        self.daemon.finish()
        self.close()
        return True

    def close(self) -> None:
        """Give back what a process that ended gives back: its descriptors."""
        self.turns.end()
        self.outside.close()
        if self.store is not None:
            self.store.state.close()

    def _dependencies(self, config: Config, store: Store) -> Dependencies:
        clock, turns = self.clock, self.turns
        relay = Relay(store, locks=config.state_dir / "locks", now=clock.now, monotonic=clock.monotonic)
        notifier = OverheardNotifier(
            store,
            deliver=lambda url, message: self._chats.deliver(
                url, message, SPOKEN.get(), turns=turns, perils=self.perils, process=self.number
            ),
            executor=turns,
            now=clock.now,
            monotonic=clock.monotonic,
        )
        return Dependencies(
            store=store,
            executor=turns,
            clock=clock.clock(),
            show_status=lambda _line: None,
            active_config=ActiveConfig(
                config,
                now=clock.now,
                monotonic=clock.monotonic,
                environ={},
                closely=lambda _newer, _known: (),
                restart="start it again",
            ),
            runner=partial(self._runner, store, relay),
            on_config=self._configure,
            notifier=notifier,
            host_beats=HostBeats(
                turns,
                self.outside.beat if self._beats else lambda: None,
                state=store.state,
                now=clock.now,
            ),
            heartbeat=Heartbeat(turns, wait=self._stop.wait, monotonic=clock.monotonic),
            wakeups=self.wakeups,
            record_retention=RecordRetention(
                turns, self.outside.prunables if self._prunes else lambda _now: (), self._stop.is_set
            ),
            outbox_worker=OutboxWorker(store, relay, executor=turns, now=clock.now),
            troubles=partial(damage_problems, config.state_dir),
        )

    def _runner(self, store: Store, relay: Relay, config: Config) -> Runner:
        return Runner(
            store=store,
            http=self._http,
            stop=self._stop,
            locks=config.state_dir / "locks",
            now=self.clock.now,
            monotonic=self.clock.monotonic,
            deliver=relay.deliver_now,
            resources=self.outside,
            wake=self.wakeups.wake,
            kept=self._kept,
            stats=self._stats,
        )

    def _configure(self, config: Config) -> None:
        self.config = config
        try:
            write_active(config, restart="start it again")
        except OSError as error:
            log.warning("active file cannot be written", extra={"reason": str(error)})
        self.outside.apply_config(config)


def refused(start: Callable[[], object]) -> str | None:
    """Do a start; return why it was refused by its config, None if it was not."""
    try:
        start()
    except ConfigError as error:
        return error.lines()[0]
    return None
