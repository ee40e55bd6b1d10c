"""Something that a running daemon serves while its config asks for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeVar

from tallyd.config.model import Config
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.rules import OWN
from tallyd.core.errors import ConfigProblem
from tallyd.core.reading import Problem
from tallyd.settings.listen import ListenSettings

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from tallyd.web.http.server import WebServer

S = TypeVar("S", bound=ListenSettings)

ENDS_WITHIN_S: Final = 1.5
"""How long an active response may continue after the stop."""


def missing_library(key: str, module: str) -> tuple[ConfigProblem, ...]:
    """Return the problem of this key of the config if a library of a module is not installed."""
    try:
        import_module(module)  # a real import, to find broken libraries here
        import_module("tallyd.web.http.server")
    except ModuleNotFoundError as error:
        text = (
            f"needs a library that is not installed ({error.name}). Install tallyd with the libraries for "
            f'the page (pip install "tallyd[web]"), or remove `{key}`'
        )
        return (ConfigProblem(key, text),)
    return ()


class Service(ABC, Generic[S]):
    """A server with the settings of the active config.

    Without such settings, none of its libraries is imported: a small machine saves the memory for them.
    """

    what: ClassVar[str]
    kind: ClassVar[AlertKind]

    def __init__(self, config: Config, *, now: Callable[[], datetime]) -> None:
        self._config = config
        self._now = now
        self._trouble_since: datetime | None = None
        self._server: WebServer[S] | None = None
        self.apply_config(config)

    @abstractmethod
    def _wanted(self, config: Config) -> S | None:
        """Return its settings; None: it is not wanted."""

    @abstractmethod
    def _application(self, wanted: S) -> ASGIApp:
        """Return the application. Raises `StateError`."""

    def _close(self) -> None:
        """Close what it reads."""

    def apply_config(self, config: Config) -> None:
        """Serve with this config from now on, which has no problem with it. Returns at once."""
        self._config = config
        wanted = self._wanted(config)
        if self._server is None and wanted is not None:
            from tallyd.web.http.server import WebServer  # noqa: PLC0415 # see above

            self._server = WebServer(self._application, what=self.what)
        if self._server is not None:
            self._server.want(wanted)

    def problems(self) -> tuple[Problem, ...]:
        """Return the problem of what cannot be served; none while it is served, or not wanted."""
        # The thread of the server may still be ending what the config no longer wants.
        trouble = self._server.trouble if self._server and self._wanted(self._config) else None
        if trouble is None:
            self._trouble_since = None
            return ()
        self._trouble_since = self._trouble_since or self._now()
        return (self.kind.problem(OWN, since=self._trouble_since, reason=trouble),)

    def stop(self) -> None:
        """Tell the server to end. Returns at once."""
        if self._server is not None:
            self._server.stop()

    def close(self) -> None:
        """Wait for its end, and close what it reads. What hangs ends with the process."""
        self.stop()
        if self._server is not None and self._server.wait(ENDS_WITHIN_S):
            self._close()
