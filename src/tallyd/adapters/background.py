"""Work beside the scheduler thread: one run at a time on an executor."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future

log = logging.getLogger("tallyd")


class BackgroundTask:
    """Runs something on an executor, never twice at the same time. Only the scheduler thread calls it."""

    def __init__(self, executor: Executor, name: str) -> None:
        self._executor = executor
        self._name = name
        self._future: Future[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether the last run has not ended."""
        return self._future is not None and not self._future.done()

    def begin(self, act: Callable[[], object], **fields: object) -> None:
        """Run `act`, unless the last run has not ended. A bug in it is logged with `fields`."""
        if not self.is_running:
            self._future = self._executor.submit(self._run, act, fields)

    def under_way(self) -> list[Future[None]]:
        """Return the run that has not ended, if any."""
        return [self._future] if self._future is not None and not self._future.done() else []

    def _run(self, act: Callable[[], object], fields: dict[str, object]) -> None:
        try:
            act()
        except Exception:
            # Nobody reads the future, so a bug ends here.
            log.exception("%s crashed", self._name, extra=fields)
