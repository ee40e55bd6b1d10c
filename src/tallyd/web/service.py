"""The page of a running daemon: what it reads, and the application."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import WEB
from tallyd.core.errors import ConfigProblem
from tallyd.core.hosts import Host
from tallyd.core.leader import Leader
from tallyd.runs.stats import RunStats
from tallyd.settings.web import WebSettings
from tallyd.storage.store import Store
from tallyd.web.http.service import Service, missing_library

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def page_problems(config: Config) -> tuple[ConfigProblem, ...]:
    """Return the problem of a `web` whose libraries are not installed."""
    return () if config.settings.web is None else missing_library("web", "tallyd.web.app")


class Served(Service[WebSettings]):
    """The page.

    `kept` is what jobs keep from run to run, by poller and job. `hosts` returns the other daemons on the
    database. `leader`: this daemon is a standby, and who works instead. `restart`: how to start tallyd again
    here.
    """

    what = "page"
    kind = WEB

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        kept: Mapping[tuple[str, str], Mapping[str, object]],
        runs: RunStats,
        hosts: Callable[[], tuple[Host, ...]],
        leader: Callable[[], Leader | None] | None = None,
        now: Callable[[], datetime],
        restart: str,
    ) -> None:
        self._store = store
        self._kept = kept
        self._runs = runs
        self._hosts = hosts
        self._leader = leader
        self._restart = restart
        self._records = RecordsReader(config.database_url)
        self._state: State | None = None
        super().__init__(config, now=now)

    def _wanted(self, config: Config) -> WebSettings | None:
        return config.settings.web

    def _close(self) -> None:
        self._records.close()
        if self._state is not None:
            self._state.close()

    def _application(self, wanted: WebSettings) -> ASGIApp:
        from tallyd.web.app import application  # noqa: PLC0415 # see above
        from tallyd.web.context import Context  # noqa: PLC0415 # see above

        if self._state is None:
            self._state = self._store.state.reader()
        context = Context(
            state=self._state,
            records=self._records,
            config=lambda: self._config,
            alerts=self._store.alerts.alerts,
            mutes=self._store.alerts.mutes,
            kept=lambda poller, job: dict(self._kept.get((poller, job), {})),
            runs=self._runs,
            hosts=self._hosts,
            leader=self._leader,
            now=self._now,
            monotonic=time.monotonic,
            restart=self._restart,
        )
        return application(context, wanted)
