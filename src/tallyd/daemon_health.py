"""What is wrong with the daemon itself, and which alerts nothing can find any more."""

from __future__ import annotations

import logging
from collections.abc import Callable

from tallyd.adapters.clock import Clock
from tallyd.adapters.state import StateError
from tallyd.alerting.daemon_keys import is_about_daemon
from tallyd.alerting.notifier import Notifier
from tallyd.config.reload import ActiveConfig
from tallyd.core.alerts.daemon_alerts import CLOCK, PART_CRASHED, WEB
from tallyd.core.alerts.rules import OWN, unwatched
from tallyd.core.reading import Problem
from tallyd.core.texts import clock as clock_text
from tallyd.outbox.worker import OutboxWorker
from tallyd.runs.job_state import JobStates
from tallyd.storage.store import Store

log = logging.getLogger("tallyd")


class DaemonHealth:
    """Raises and resolves the alerts about the daemon itself. Only the scheduler thread uses it.

    `troubles` returns the problems of other parts of the process.
    """

    def __init__(
        self,
        store: Store,
        jobs: JobStates,
        active_config: ActiveConfig,
        clock: Clock,
        *,
        notifier: Notifier,
        outbox_worker: OutboxWorker,
        troubles: Callable[[], tuple[Problem, ...]],
    ) -> None:
        self._store, self._jobs, self._active_config, self._clock = store, jobs, active_config, clock
        self._notifier, self._outbox_worker, self._troubles = notifier, outbox_worker, troubles
        self._crashes: dict[str, Problem] = {}

    def safely(self, part: str, act: Callable[[], object]) -> None:
        """Do one part of a tick. A failure of state.db, or a bug, ends only this part."""
        try:
            act()
        except StateError as error:
            self._store.note_trouble(error)
        except Exception as error:
            if part not in self._crashes:  # a part runs every half minute; one line in the log is enough
                log.exception("part of the daemon crashed", extra={"part": part})
                kind = type(error).__name__  # its text may hold anything
                problem = PART_CRASHED.problem(OWN, part, since=self._clock.now(), part=part, reason=kind)
                self._crashes[part] = problem
        else:
            self._crashes.pop(part, None)

    def forget_crashes(self) -> None:
        """Forget which parts crashed."""
        self._crashes.clear()

    def evaluate(self) -> None:
        """Raise and resolve the alerts about the daemon itself. Raises `StateError`."""
        named = [*self._troubles(), *self._notifier.problems(), *self._crashes.values()]
        named += self._outbox_worker.problems()
        named += self._jobs.overdue(monotonic_s=self._clock.monotonic())
        rejected = self._active_config.problem()
        if rejected is not None:
            named.append(rejected)
        self._store.evaluate(tuple(named), may_resolve=self._may_resolve)

    def resolve_unwatched(self) -> None:
        """Resolve the alerts that nothing in this config can find any more. Raises `StateError`."""
        tasks = self._jobs.tasks()
        jobs = [(task.poller, task.job.name, task.job.evaluates) for task in tasks]
        is_unwatched = unwatched(jobs, {task.poller: task.source.watched() for task in tasks})

        def is_gone(key: str) -> bool:
            return is_unwatched(key) and not self._outbox_worker.watches(key)

        def may_resolve(key: str) -> bool:
            no_source = key == CLOCK.key and not jobs  # no source to compare the clock with
            no_page = key == WEB.key and self._active_config.config.settings.web is None
            return is_gone(key) or no_source or no_page or self._notifier.is_gone(key)

        self._store.watch_only(is_gone, may_resolve)

    def status(self) -> str:
        """Return the state and the next run in one line."""
        now, parts = self._clock.now(), []
        if self._store.state_trouble:
            parts.append(f"cannot use state.db: {self._store.state_trouble}; readings are held in memory")
        coming = [(at, job_state.task) for job_state in self._jobs if (at := job_state.task.next_at(now))]
        if coming:
            at, task = min(coming, key=lambda pair: pair[0])
            parts.append(f"next: {task.poller} {task.job.name} {clock_text(at, task.zone, now=now)}")
        elif not self._jobs.tasks():
            parts.append("no poller is configured; add one to the config, tallyd reloads it automatically")
        if self._active_config.rejected:
            parts.append(f"the config on disk was rejected ({self._active_config.config.tallyd} check)")
        return "; ".join(parts)

    def _may_resolve(self, key: str) -> bool:
        """Whether an alert ends if none of the daemon's own problems has its key now."""
        is_own = is_about_daemon(key) and not self._notifier.may_still_be(key)
        return is_own or self._outbox_worker.watches(key)
