"""What a daemon does while another one is the leader: it shows its page, and tries to take over."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn

from tallyd.adapters.clock import Clock
from tallyd.adapters.state import State, StateError
from tallyd.adapters.systemd import ServiceManager
from tallyd.cli.process.equipment import look_closely
from tallyd.cli.shared import load_config
from tallyd.config.file_watch import ConfigWatch
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import configs_problem
from tallyd.core.errors import ConfigError
from tallyd.core.leader import Leader, standby_text
from tallyd.core.reading import Problem
from tallyd.runs.stats import RunStats

if TYPE_CHECKING:
    from tallyd.adapters.state.leadership import Leadership
    from tallyd.web.service import Served

log = logging.getLogger("tallyd")

LOOKS_AFTER_OUTAGE: Final = 2
"""After an outage of the database, the daemon that worked before may go on: it may hold counts in memory."""
DIFFER_AFTER: Final = timedelta(minutes=1)
"""So long, the configs of two machines may differ: nobody changes both at the same moment."""
LOOK_EVERY_S: Final = 1.0
"""How often it looks for signals and changes of the config."""


class StartOver(Exception):  # noqa: N818 # no error
    """This process shall begin anew, as a standby or with another config."""


class Standby:
    """Waits for the leadership. Runs in the main thread, with all signals blocked.

    `serve` makes the page from a state that can only be read, and a function that returns the leader.
    """

    def __init__(
        self,
        config: Config,
        leadership: Leadership,
        *,
        signals: tuple[signal.Signals, ...],
        service_manager: ServiceManager,
        clock: Clock,
        stats: RunStats,
        serve: Callable[[State, Callable[[], Leader | None]], Served],
    ) -> None:
        self._config, self._leadership = config, leadership
        self._signals, self._service_manager, self._clock = signals, service_manager, clock
        self._stats, self._serve = stats, serve
        self._watch = ConfigWatch(config.files, monotonic=clock.monotonic)
        self._state: State | None = None
        self._page: Served | None = None
        self._leader: Leader | None = None
        self._said = ""
        self._patience = 0

    def wait(self) -> bool:
        """Wait until this daemon is the leader; false: a signal ended it before. Raises `StartOver`."""
        try:
            while True:
                if self._look():
                    log.info("this daemon is active now")
                    return True
                if not self._waits():
                    return False
        finally:
            self._close()

    def _look(self) -> bool:
        """Try to take over; else show who is active."""
        try:
            if self._patience == 0 and self._leadership.take(now=self._clock.now()):
                return True
            self._patience = max(0, self._patience - 1)
            self._leader = self._leadership.leader()
            self._show()
            said = standby_text(self._leader, self._config.zone, now=self._clock.now())
        except StateError as error:
            said, self._patience = f"standby; {error}", LOOKS_AFTER_OUTAGE
        if said != self._said:
            log.info("standby", extra={"text": said})
        self._said = said
        self._service_manager.ready(said)
        return False

    def _show(self) -> None:
        if self._page is None:
            at = self._config.state_at
            self._state = State(at, reads_only=True)
            self._page = self._serve(self._state, lambda: self._leader)

    def _waits(self) -> bool:
        """Wait until it is time to try again, or the leader stops; false: a signal ends it.

        Raises `StartOver`.
        """
        from tallyd.adapters.state.leadership import TRY_EVERY_S  # noqa: PLC0415 # an extra

        until_s = self._clock.monotonic() + TRY_EVERY_S
        while (left_s := until_s - self._clock.monotonic()) > 0:
            if self._is_told_to_stop():
                return False
            self._stats.tick(self._clock.monotonic())
            self._service_manager.watchdog()
            pause_s = min(LOOK_EVERY_S, left_s)
            try:
                if self._leadership.wait(pause_s):
                    break
            except StateError:
                time.sleep(pause_s)
        return True

    def _is_told_to_stop(self) -> bool:
        received = signal.sigtimedwait(self._signals, 0)
        is_asked = received is not None and received.si_signo == signal.SIGHUP
        if is_asked or self._watch.has_changed():
            self._start_over_if_newer(is_asked=is_asked)
        elif received is not None:
            log.info("tallyd stops", extra={"signal": signal.Signals(received.si_signo).name})
            self._service_manager.stopping()
            return True
        return False

    def _start_over_if_newer(self, *, is_asked: bool) -> None:
        try:
            newer = load_config(self._config.path, closely=look_closely)
        except ConfigError as error:
            problems = error.lines(ending="; this standby goes on with the previous config")
            log.error("config rejected", extra={"problems": list(problems)})  # noqa: TRY400 # a person's slip, no traceback
            return
        if is_asked or not newer.says_the_same(self._config):
            raise StartOver

    def _close(self) -> None:
        if self._page is not None:
            self._page.close()
        if self._state is not None:
            self._state.close()


class Keeper:
    """Says from its own thread that this leader lives, however long a run or a commit takes.

    `on_deposed` is called once another daemon has taken over.
    """

    def __init__(self, leadership: Leadership, on_deposed: Callable[[], None]) -> None:
        self._leadership, self._on_deposed = leadership, on_deposed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        from tallyd.adapters.state.leadership import TRY_EVERY_S  # noqa: PLC0415 # an extra

        while not self._stop.wait(TRY_EVERY_S):
            try:
                is_leader = self._leadership.keep()
            except StateError:
                continue  # nobody knows; each commit asks anyway, and the store logs what is wrong
            if not is_leader:
                log.error("another daemon has taken over; this one starts over as a standby")
                self._on_deposed()
                return


def config_problems(leadership: Leadership, *, now: datetime) -> tuple[Problem, ...]:
    """Return the problem that another daemon on the state has another config, if it is more than a moment."""
    problem = configs_problem(
        other for other in leadership.other_configs if now - other.since >= DIFFER_AFTER
    )
    return (problem,) if problem else ()


def start_over(environ: Mapping[str, str]) -> NoReturn:
    """Begin this program anew in the same process: nothing in memory survives, and systemd sees no end.

    An exit would do only where something restarts what has ended, and only as often as that likes.
    """
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], dict(environ))  # noqa: S606 # our own program
