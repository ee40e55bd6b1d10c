"""Runs that are wanted at once: because a file came, or because a run has more to do."""

from __future__ import annotations

import queue
from collections.abc import Callable

Name = tuple[str, str]
"""Poller and job."""


class Wakeups:
    """The jobs that were woken and not looked at yet; any thread wakes, the schedule's thread takes.

    `rouse` ends the schedule's wait for its next tick.
    """

    def __init__(self, rouse: Callable[[], None]) -> None:
        self.rouse = rouse
        self._woken: queue.SimpleQueue[Name] = queue.SimpleQueue()

    def wake(self, poller: str, job: str) -> None:
        """Have a job run once, or once more after the run under way."""
        self._woken.put((poller, job))
        self.rouse()

    def taken(self) -> frozenset[Name]:
        """Return the jobs that were woken since the last time this was asked."""
        return frozenset(self._woken.get_nowait() for _ in range(self._woken.qsize()))
