"""The page of a running daemon, if the config has one. Otherwise none of its libraries is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from tallyd.config.model import Config
from tallyd.core.errors import ConfigProblem
from tallyd.core.reading import Problem
from tallyd.runs.stats import RunStats
from tallyd.storage.store import Store

if TYPE_CHECKING:
    from tallyd.web.service import Served

ENDS_WITHIN_S = 1.5
"""How long an active response may continue after the stop."""


def page_problems(config: Config) -> tuple[ConfigProblem, ...]:
    """Return the problem of a `web` whose libraries are not installed."""
    if config.settings.web is None:
        return ()
    try:
        import tallyd.web.service  # noqa: F401, PLC0415 # a real import, to find broken libraries here
    except ModuleNotFoundError as error:
        text = (
            f"needs a library that is not installed ({error.name}). Install tallyd with the libraries for "
            'the page (pip install "tallyd[web]"), or remove `web`'
        )
        return (ConfigProblem("web", text),)
    return ()


class WebSide:
    """The page; without `web` in the config, it does nothing.

    `kept` is what jobs keep from run to run, by poller and job. `restart` says how to restart tallyd.
    """

    def __init__(
        self,
        *,
        kept: Mapping[tuple[str, str], Mapping[str, object]],
        runs: RunStats,
        now: Callable[[], datetime],
        restart: str,
    ) -> None:
        self._kept = kept
        self._runs = runs
        self._now = now
        self._restart = restart
        self._store: Store | None = None
        self._served: Served | None = None

    def begin(self, config: Config, store: Store) -> None:
        """Start to serve, as the config says. Earlier, /healthz would report that tallyd is not healthy."""
        self._store = store
        self.apply_config(config)

    def apply_config(self, config: Config) -> None:
        """Show the pollers of this config from now on, at its address. It has no `page_problems`."""
        if self._served is None:
            if self._store is None or config.settings.web is None:
                return
            # Imported here: without a page, a small machine saves the memory for its libraries.
            from tallyd.web.service import Served  # noqa: PLC0415 # see above

            self._served = Served(
                config, self._store, kept=self._kept, runs=self._runs, now=self._now, restart=self._restart
            )
        self._served.apply_config(config)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problem of a page that cannot be served; none while it is served or not configured."""
        return () if self._served is None else self._served.problems()

    def stop(self) -> None:
        """Ask the page to end; returns at once."""
        if self._served is not None:
            self._served.stop()

    def close(self) -> None:
        """Wait until the page has ended, at most `ENDS_WITHIN_S`."""
        if self._served is not None:
            self._served.close(within_s=ENDS_WITHIN_S)
