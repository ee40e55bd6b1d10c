"""Tells the other daemons on the database that this one runs, and watches who they are."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime

from tallyd.adapters.background import BackgroundTask
from tallyd.adapters.state import State, StateError
from tallyd.core.alerts.daemon_alerts import DOUBLED, doubled_problem
from tallyd.core.alerts.rules import OWN
from tallyd.core.errors import RecordsError
from tallyd.core.hosts import KNOWN_AFTER, Host, Neighbours
from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem

log = logging.getLogger("tallyd")


class HostBeats(BackgroundTask):
    """Beats on the executor, so that a database that is away delays nothing.

    `beat` raises `RecordsError`; it returns None while this daemon does not use the database. Then, and while
    the database is away, the neighbours are those of the last beat. Once another daemon has taken over the
    `state`, this one beats no more: it would look like a second one.
    """

    def __init__(
        self,
        executor: Executor,
        beat: Callable[[], Neighbours | None],
        *,
        state: State,
        now: Callable[[], datetime],
    ) -> None:
        super().__init__(executor, "host beat")
        self._ask, self._state, self._now = beat, state, now
        self._neighbours: Neighbours | None = None
        self._since: dict[str, datetime] = {}
        self._has_asked = False
        self._failure: str | None = None

    def beat(self) -> None:
        """Begin a beat, unless the last one has not ended."""
        self.begin(self._beat)

    def others(self) -> tuple[Host, ...]:
        """Return the other daemons, also those that are gone since less than a day."""
        found = self._neighbours
        return found.others if found else ()

    def problems(self) -> tuple[Problem, ...]:
        """Return a problem for each poller that another daemon runs too."""
        found, now = self._neighbours, self._now()
        doubled = found.doubled(found.me.beat_at) if found else {}
        self._since = {poller: self._since.get(poller, now) for poller in doubled}
        return tuple(
            doubled_problem(poller, hosts, since=self._since[poller]) for poller, hosts in doubled.items()
        )

    def may_still_be(self, key: str) -> bool:
        """Whether the key is about a poller of which nobody knows yet whether another daemon runs it too."""
        segments, found = key_segments(key), self._neighbours
        if segments[0] != OWN or segments[-1] != DOUBLED.what:
            return False
        if found is None:
            return not self._has_asked
        is_early = found.me.beat_at - found.me.started_at < KNOWN_AFTER
        return is_early and segments[1] in found.me.duties

    def _beat(self) -> None:
        try:
            self._state.confirm()
            found = self._ask()
        except StateError as error:
            log.debug("no host beat", extra={"reason": str(error)})
        except RecordsError as error:
            # The jobs that need the database raise an alert.
            if error.text != self._failure:
                log.info("host beat not stored", extra={"reason": error.text})
            self._failure = error.text
        else:
            self._failure, self._has_asked = None, True
            self._neighbours = found or self._neighbours
