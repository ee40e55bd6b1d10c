"""The web side of a running daemon: what it reads, the application, and its server.

Without `web` in the config, none of its libraries is imported: a small machine saves the memory for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.core.alerts.daemon_alerts import WEB
from tallyd.core.alerts.rules import OWN
from tallyd.core.errors import ConfigProblem
from tallyd.core.hosts import Host
from tallyd.core.leader import Leader
from tallyd.core.reading import Problem
from tallyd.runs.stats import RunStats
from tallyd.settings.web import WebSettings
from tallyd.storage.store import Store

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tallyd.web.http.server import WebServer

ENDS_WITHIN_S: Final = 1.5
"""How long an active response may continue after the stop."""


def page_problems(config: Config) -> tuple[ConfigProblem, ...]:
    """Return the problem of a `web` whose libraries are not installed."""
    if config.settings.web is None:
        return ()
    try:
        import tallyd.web.app  # noqa: PLC0415 # a real import, to find broken libraries here
        import tallyd.web.http.server  # noqa: F401, PLC0415 # see above
    except ModuleNotFoundError as error:
        text = (
            f"needs a library that is not installed ({error.name}). Install tallyd with the libraries for "
            'the page (pip install "tallyd[web]"), or remove `web`'
        )
        return (ConfigProblem("web", text),)
    return ()


class Served:
    """The page with the settings of the active config.

    `kept` is what jobs keep from run to run, by poller and job. `hosts` returns the other daemons on the
    database. `leader`: this daemon is a standby, and who works instead. `restart`: how to start tallyd again
    here.
    """

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
        self._config = config
        self._store = store
        self._kept = kept
        self._runs = runs
        self._hosts = hosts
        self._leader = leader
        self._now = now
        self._restart = restart
        self._records = RecordsReader(config.database_url)
        self._state: State | None = None
        self._trouble_since: datetime | None = None
        self._server: WebServer | None = None
        self.apply_config(config)

    def apply_config(self, config: Config) -> None:
        """Show the pollers of this config from now on, with its `web` settings. Returns at once.

        The config has no `page_problems`.
        """
        self._config = config
        if self._server is None and config.settings.web is not None:
            from tallyd.web.http.server import WebServer  # noqa: PLC0415 # see above

            self._server = WebServer(self._application)
        if self._server is not None:
            self._server.want(config.settings.web)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problem of a page that cannot be served; none while it is served, or not wanted."""
        # The thread of the server may still be ending a page that the config no longer wants.
        trouble = self._server.trouble if self._server and self._config.settings.web else None
        if trouble is None:
            self._trouble_since = None
            return ()
        self._trouble_since = self._trouble_since or self._now()
        return (WEB.problem(OWN, since=self._trouble_since, reason=trouble),)

    def stop(self) -> None:
        """Tell the server to end. Returns at once."""
        if self._server is not None:
            self._server.stop()

    def close(self) -> None:
        """Wait for its end, and close what it reads. What hangs ends with the process."""
        self.stop()
        if self._server is not None and self._server.wait(ENDS_WITHIN_S):
            self._records.close()
            if self._state is not None:
                self._state.close()

    def _application(self, web: WebSettings) -> ASGIApp:
        """Return the application. Raises `StateError`."""
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
        return application(context, web)
