"""Jobs that should run at once, because a file arrived or a run has more to do."""

from __future__ import annotations

import queue
from collections.abc import Callable

Name = tuple[str, str]
"""Poller and job."""


class Wakeups:
    """The jobs that were woken since the last tick. Any thread may call `wake`.

    `rouse` ends the wait for the next tick.
    """

    def __init__(self, rouse: Callable[[], None]) -> None:
        self.rouse = rouse
        self._woken: queue.SimpleQueue[Name] = queue.SimpleQueue()

    def wake(self, poller: str, job: str) -> None:
        """Ask for a run of a job. If it is running now, it runs once more afterwards."""
        self._woken.put((poller, job))
        self.rouse()

    def taken(self) -> frozenset[Name]:
        """Return the jobs that were woken since the last call."""
        return frozenset(self._woken.get_nowait() for _ in range(self._woken.qsize()))
