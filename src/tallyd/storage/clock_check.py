"""What each source says of this machine's clock."""

from __future__ import annotations

import threading
from collections.abc import Container

from tallyd.core.reading import Problem


class ClockCheck:
    """The sources that contradict the clock. Each takes back only what it has said itself: of two that
    disagree one is wrong for good. Used by several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._problems: dict[str, Problem] = {}

    def found(self, poller: str, problem: Problem | None) -> tuple[Problem, ...]:
        """Note what a source says now; return the problem that is told, of all that there are."""
        with self._lock:
            self._problems.pop(poller, None)
            if problem is not None:
                self._problems[poller] = problem
            return tuple(self._problems.values())[:1]

    def forget_others(self, pollers: Container[str]) -> None:
        """Forget what sources said that are no longer asked."""
        with self._lock:
            self._problems = {name: one for name, one in self._problems.items() if name in pollers}
