"""Sends the reports that were not accepted at once. They wait in state.db until the upstream accepts them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from functools import partial

from tallyd.adapters.background import BackgroundTask
from tallyd.adapters.state import StateError
from tallyd.config.jobs import Task, tasks_of
from tallyd.config.model import Config
from tallyd.contract.delivery import Delivers
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.run_alerts import UNSENT, unsent
from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem
from tallyd.core.stored import OutboxRow
from tallyd.outbox.relay import Relay
from tallyd.storage.store import Store

log = logging.getLogger("tallyd")

NOTIFY_AFTER_S = 600.0
"""Reports that are not accepted for this long are a problem. A report that never will be is one at once."""
KEPT_DAYS = 40
"""How long sent reports are kept."""


class OutboxWorker:
    """Begins passes on the executor. All methods are for the scheduler thread."""

    def __init__(
        self, store: Store, relay: Relay, *, executor: Executor, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._relay = relay
        self._executor = executor
        self._now = now
        self._tools: Callable[[Task], Toolbox] | None = None
        self._tasks: dict[str, tuple[Task, Delivers]] = {}
        self._passes: dict[str, BackgroundTask] = {}
        self._problems: tuple[Problem, ...] = ()

    def apply_config(self, config: Config, tools: Callable[[Task], Toolbox]) -> None:
        """Use this config from now on. A current pass ends with the old one.

        Reports that were rejected for good, or that wait, are tried once more: somebody may have corrected an
        address or a key.
        """
        self._tools = tools
        self._tasks = {}
        for task in tasks_of(config):
            source = task.source
            if isinstance(source, Delivers) and source.is_sending():
                self._tasks[task.poller] = (task, source)
        for poller in self._tasks:
            self._relay.forget_waits(poller)
            try:
                self._store.state.outbox.take_up(poller)
            except StateError as error:
                self._store.note_trouble(error)

    def look(self) -> None:
        """Remove the reports that no source sends any more, and begin to post those that wait.

        Raises `StateError`.
        """
        outbox = self._store.state.outbox
        for poller in outbox.pollers():
            names = self._names(poller) if poller in self._tasks else frozenset()
            gone = 0 if names is None else outbox.forget(poller, but=names)
            if gone:
                log.info("unneeded reports removed", extra={"poller": poller, "count": gone})
        for poller, (task, source) in self._tasks.items():
            one = self._passes.setdefault(poller, BackgroundTask(self._executor, "sending"))
            if not one.is_running and self._relay.may_begin(poller) and outbox.waiting(poller):
                one.begin(partial(self._deliver, task, source), poller=poller)

    def prune(self, now: datetime) -> None:
        """Remove reports that were sent KEPT_DAYS before `now`. Raises `StateError`."""
        self._store.state.outbox.prune(before=(now - timedelta(days=KEPT_DAYS)).date())

    def problems(self) -> tuple[Problem, ...]:
        """Return the problems of names whose reports are not accepted.

        A name has one if its report that was tried last was rejected for good, or has failed for
        NOTIFY_AFTER_S. If state.db can't be read, the problems stay as they were.
        """
        try:
            self._problems = tuple(self._stuck())
        except StateError as error:
            self._store.note_trouble(error)
        return self._problems

    def _stuck(self) -> Iterator[Problem]:
        for poller, (task, _) in self._tasks.items():
            rows = self._store.state.outbox.all(poller)
            names = {row.message.ssid for row in rows}
            for name in sorted(names):
                last = max((row for row in rows if row.message.ssid == name), key=lambda row: row.turn)
                if self._is_stuck(last):
                    yield self._problem(task, last, is_only=len(names) == 1)

    def watches(self, key: str) -> bool:
        """Whether `problems` would find a problem with this key: tallyd sends reports for its subject."""
        poller, *_, what = key_segments(key)
        if what != UNSENT.what or poller not in self._tasks:
            return False
        names = self._names(poller)
        return names is None or key_segments(key)[1] in names

    def under_way(self) -> list[Future[None]]:
        """Return the passes that have not ended."""
        return [future for one in self._passes.values() for future in one.under_way()]

    def _deliver(self, task: Task, source: Delivers) -> None:
        """Make one pass; runs on the executor."""
        if self._tools is not None:
            self._relay.deliver_waiting(task, source, self._tools(task))

    def _names(self, poller: str) -> frozenset[str] | None:
        """Return the names that the poller sends reports for; None if it does not say."""
        task, _ = self._tasks[poller]
        return task.source.watched().get(UNSENT.what)

    def _is_stuck(self, row: OutboxRow) -> bool:
        if row.failing_since is None:
            return False
        # The state does not tell: after a rejection for good, a newer report may be waiting.
        return row.said == "never" or (self._now() - row.failing_since).total_seconds() >= NOTIFY_AFTER_S

    def _problem(self, task: Task, row: OutboxRow, *, is_only: bool) -> Problem:
        return unsent(
            task.poller,
            row.message.ssid,
            slot_at=row.slot_at,
            reason=(row.answer or "").rstrip("."),
            was_refused=row.said != "nothing",
            since=row.failing_since or row.slot_at,
            is_only=is_only,
            no_retry_before=self._relay.asked_at(task.poller),
        )
