"""One alert that several pollers may find: that the clock is wrong, that workers do not work."""

from __future__ import annotations

import threading
from collections.abc import Container

from tallyd.core.reading import Problem


class SharedProblem:
    """The pollers that find a problem. Thread-safe.

    A poller only clears its own finding: two sources may disagree about the clock, and one of them is wrong.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._problems: dict[str, Problem] = {}

    def found(self, poller: str, problem: Problem | None) -> tuple[Problem, ...]:
        """Note what a poller finds now. Return the one problem to raise, if any poller finds it."""
        with self._lock:
            self._problems.pop(poller, None)
            if problem is not None:
                self._problems[poller] = problem
            return tuple(self._problems.values())[:1]

    def forget_others(self, pollers: Container[str]) -> None:
        """Forget the pollers that are not in `pollers`."""
        with self._lock:
            self._problems = {name: one for name, one in self._problems.items() if name in pollers}
