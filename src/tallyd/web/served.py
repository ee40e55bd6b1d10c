"""The web side of a running daemon, whole: what it reads, the application, and the server of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime

from tallyd.adapters.state import State
from tallyd.books import Books
from tallyd.config import Config
from tallyd.core.failures import page_unserved
from tallyd.core.reading import Problem
from tallyd.run_stats import RunStats
from tallyd.settings import WebSettings
from tallyd.web.app import application
from tallyd.web.context import Context
from tallyd.web.records import Records
from tallyd.web.server import WebServer


class Served:
    """Made with the config that the daemon starts with: another `web` needs a restart.

    `kept` is what jobs keep from run to run, by poller and job. Raises `StateError`.
    """

    def __init__(
        self,
        config: Config,
        web: WebSettings,
        books: Books,
        *,
        kept: Mapping[tuple[str, str], Mapping[str, object]],
        runs: RunStats,
        now: Callable[[], datetime],
    ) -> None:
        self._config = config
        self._kept = kept
        self._now = now
        self._state = State(books.state.path, reads_only=True)
        self._records = Records(config.database_url)
        self._trouble_since: datetime | None = None
        self.context = Context(
            state=self._state,
            records=self._records,
            config=lambda: self._config,
            alerts=books.alerts.alerts,
            mutes=books.alerts.mutes,
            kept=lambda poller, job: dict(kept.get((poller, job), {})),
            runs=runs,
            now=now,
            monotonic=time.monotonic,
        )
        self._server = WebServer(lambda: application(self.context, web), web.address, web.port)

    def start(self) -> None:
        """Begin to serve; returns at once."""
        self._server.start()

    def put_in_force(self, config: Config) -> None:
        """Show the pollers of this config from now on."""
        self._config = config

    def problems(self) -> tuple[Problem, ...]:
        """Return the problem of a page that can't be served; none while it is."""
        trouble = self._server.trouble
        if trouble is None:
            self._trouble_since = None
            return ()
        now = self._now()
        self._trouble_since = self._trouble_since or now
        zone = self._config.zone
        return (page_unserved(trouble, since=self._trouble_since, now=now, zone=zone),)

    def stop(self) -> None:
        """Have the server end; returns at once."""
        self._server.stop()

    def close(self, *, within_s: float) -> None:
        """Wait for its end, and close what it reads. What hangs is left to the end of the process."""
        self._server.stop()
        if self._server.wait(within_s):
            self._state.close()
            self._records.close()
