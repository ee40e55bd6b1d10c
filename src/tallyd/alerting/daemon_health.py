"""The alerts about the daemon itself, and those that nothing in the config can find any more."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from tallyd.adapters.clock import Clock
from tallyd.adapters.state import StateError
from tallyd.alerting.notifier import Notifier
from tallyd.config.jobs import Task
from tallyd.config.reload import ActiveConfig
from tallyd.core.alerts.daemon_alerts import (
    CLOCK,
    CONFIG,
    CONFIGS,
    DAMAGED,
    DOUBLED,
    EXECUTOR,
    INTAKE,
    LOG,
    NETWORK,
    PART_CRASHED,
    UNDELIVERED,
    WEB,
)
from tallyd.core.alerts.dependencies import network_down
from tallyd.core.alerts.rules import OWN, unwatched
from tallyd.core.alerts.run_alerts import OVERDUE
from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem
from tallyd.storage.store import Store

log = logging.getLogger("tallyd")

_KEYS = frozenset(kind.key for kind in (CONFIG, CONFIGS, LOG, DAMAGED, NETWORK, WEB, INTAKE))
_WHATS = frozenset(kind.what for kind in (PART_CRASHED, UNDELIVERED, DOUBLED))


class DaemonHealth:
    """Raises and resolves the alerts about the daemon itself. Only the scheduler thread uses it.

    `found` returns the problems of other parts of the process. `may_still_be` says whether those parts do not
    know yet if a key's problem has ended. `is_about_report` says whether a key is about
    a report that the outbox still holds.
    """

    def __init__(
        self,
        store: Store,
        active_config: ActiveConfig,
        clock: Clock,
        notifier: Notifier,
        *,
        found: Callable[[], Iterable[Problem]],
        may_still_be: Callable[[str], bool],
        is_about_report: Callable[[str], bool],
    ) -> None:
        self._store, self._active_config, self._clock = store, active_config, clock
        self._notifier, self._found, self._is_about_report = notifier, found, is_about_report
        self._may_still_be = may_still_be
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
        named = [*self._found(), *self._notifier.problems(), *self._network(), *self._crashes.values()]
        rejected = self._active_config.problem()
        if rejected is not None:
            named.append(rejected)
        self._store.evaluate(tuple(named), may_resolve=self._may_resolve)

    def _network(self) -> tuple[Problem, ...]:
        """Return the problem that no other machine answers, if so."""
        config, now = self._active_config.config, self._clock.now()
        if not config.hosts:
            return ()

        def is_active(key: str) -> bool:
            return config.alert_policy_of(key).is_active(now)

        return network_down(config.hosts, self._store.alerts.alerts(), is_active=is_active)

    def resolve_unwatched(self, tasks: Sequence[Task]) -> None:
        """Resolve the alerts that none of these jobs, of the active config, can find any more.

        Raises `StateError`.
        """
        jobs = [(task.poller, task.job.name, task.job.evaluates) for task in tasks]
        is_unwatched = unwatched(jobs, {task.poller: task.source.watched() for task in tasks})

        def is_gone(key: str) -> bool:
            return is_unwatched(key) and not self._is_about_report(key)

        def may_resolve(key: str) -> bool:
            no_source = key == CLOCK.key and not jobs  # no source to compare the clock with
            workers = any(task.source.workers_needed() for task in tasks)
            no_workers = key == EXECUTOR.key and not workers
            settings = self._active_config.config.settings
            no_page = key == WEB.key and settings.web is None
            no_intake = key == INTAKE.key and settings.intake is None
            is_not_wanted = no_source or no_workers or no_page or no_intake
            return is_gone(key) or is_not_wanted or self._notifier.is_gone(key)

        self._store.watch_only(is_gone, may_resolve)

    def _may_resolve(self, key: str) -> bool:
        """Whether an alert ends if none of the daemon's own problems has its key now."""
        is_open = self._notifier.may_still_be(key) or self._may_still_be(key)
        is_own = _is_about_daemon(key) and not is_open
        return is_own or self._is_about_report(key)


def _is_about_daemon(key: str) -> bool:
    """Whether the daemon finds this problem when it checks itself."""
    segments = key_segments(key)
    is_own_part = segments[0] == OWN and segments[-1] in _WHATS
    return segments[-1] == OVERDUE.what or key in _KEYS or is_own_part
