"""The page of a running daemon, where its config wants one; without, nothing of it is imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from tallyd.books import Books
from tallyd.config import Config
from tallyd.core.errors import ConfigError, ConfigProblem
from tallyd.core.reading import Problem
from tallyd.run_stats import RunStats

if TYPE_CHECKING:
    from tallyd.web.served import Served

ENDS_WITHIN_S = 1.5
"""So long an answer under way gets to end; it was told together with the runs."""


class WebSide:
    """The page, or nothing that does nothing.

    `kept` is what jobs keep from run to run. Raises `ConfigError` where a library is missing, `StateError`.
    """

    def __init__(
        self,
        config: Config,
        books: Books,
        *,
        kept: Mapping[tuple[str, str], Mapping[str, object]],
        runs: RunStats,
        now: Callable[[], datetime],
    ) -> None:
        self._served: Served | None = None
        web = config.settings.web
        if web is None:
            return
        try:
            # Here: without a page, a small machine need not hold its libraries.
            from tallyd.web.served import Served  # noqa: PLC0415 # see above
        except ModuleNotFoundError as error:
            text = (
                f"needs a library that is not installed ({error.name}). Install tallyd with what the page "
                'needs (pip install "tallyd[web]"), or leave `web` out'
            )
            raise ConfigError(config.path.name, (ConfigProblem("web", text),)) from None
        self._served = Served(config, web, books, kept=kept, runs=runs, now=now)

    def start(self) -> None:
        """Begin to serve; returns at once."""
        if self._served is not None:
            self._served.start()

    def put_in_force(self, config: Config) -> None:
        """Show the pollers of this config from now on."""
        if self._served is not None:
            self._served.put_in_force(config)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problem of a page that can't be served; none while it is, or is not wanted."""
        return () if self._served is None else self._served.problems()

    def stop(self) -> None:
        """Have it end; returns at once."""
        if self._served is not None:
            self._served.stop()

    def close(self) -> None:
        """Wait for its end, not for ever."""
        if self._served is not None:
            self._served.close(within_s=ENDS_WITHIN_S)
