"""The web side of a running daemon: what it reads, the application, and its server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime

from starlette.types import ASGIApp

from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import WEB
from tallyd.core.alerts.rules import OWN
from tallyd.core.reading import Problem
from tallyd.runs.stats import RunStats
from tallyd.settings.web import WebSettings
from tallyd.storage.store import Store
from tallyd.web.app import application
from tallyd.web.context import Context
from tallyd.web.http.server import WebServer


class Served:
    """The page with the settings of the active config.

    `kept` is what jobs keep from run to run, by poller and job. `restart`: how to start tallyd again here.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        *,
        kept: Mapping[tuple[str, str], Mapping[str, object]],
        runs: RunStats,
        now: Callable[[], datetime],
        restart: str,
    ) -> None:
        self._config = config
        self._store = store
        self._kept = kept
        self._runs = runs
        self._now = now
        self._restart = restart
        self._records = RecordsReader(config.database_url)
        self._state: State | None = None
        self._trouble_since: datetime | None = None
        self._server = WebServer(self._application)

    def apply_config(self, config: Config) -> None:
        """Show the pollers of this config from now on, with its `web` settings. Returns at once."""
        self._config = config
        self._server.want(config.settings.web)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problem of a page that cannot be served; none while it is served, or not wanted."""
        # The thread of the server may still be ending a page that the config no longer wants.
        trouble = self._server.trouble if self._config.settings.web is not None else None
        if trouble is None:
            self._trouble_since = None
            return ()
        self._trouble_since = self._trouble_since or self._now()
        return (WEB.problem(OWN, since=self._trouble_since, reason=trouble),)

    def stop(self) -> None:
        """Tell the server to end. Returns at once."""
        self._server.stop()

    def close(self, *, within_s: float) -> None:
        """Wait for its end, and close what it reads. What hangs ends with the process."""
        self._server.stop()
        if self._server.wait(within_s):
            self._records.close()
            if self._state is not None:
                self._state.close()

    def _application(self, web: WebSettings) -> ASGIApp:
        """Return the application. Raises `StateError`."""
        if self._state is None:
            self._state = State(self._store.state.path, reads_only=True)
        context = Context(
            state=self._state,
            records=self._records,
            config=lambda: self._config,
            alerts=self._store.alerts.alerts,
            mutes=self._store.alerts.mutes,
            kept=lambda poller, job: dict(self._kept.get((poller, job), {})),
            runs=self._runs,
            now=self._now,
            monotonic=time.monotonic,
            restart=self._restart,
        )
        return application(context, web)
