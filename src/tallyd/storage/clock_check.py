"""Compares this machine's clock with what each source says."""

from __future__ import annotations

import threading
from collections.abc import Container

from tallyd.core.reading import Problem


class ClockCheck:
    """The sources that contradict the clock. Thread-safe.

    A source only clears its own problem. If two sources disagree, one of them is wrong for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._problems: dict[str, Problem] = {}

    def found(self, poller: str, problem: Problem | None) -> tuple[Problem, ...]:
        """Note what a source says now. Return the one problem to raise, if any source has one."""
        with self._lock:
            self._problems.pop(poller, None)
            if problem is not None:
                self._problems[poller] = problem
            return tuple(self._problems.values())[:1]

    def forget_others(self, pollers: Container[str]) -> None:
        """Forget the sources that are not in `pollers`."""
        with self._lock:
            self._problems = {name: one for name, one in self._problems.items() if name in pollers}
