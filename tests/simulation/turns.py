"""The executor of a simulated machine: runs that take turns, in an order that the seed decides.

Each run is a greenlet: it keeps its turn until it rests (it waits for an answer, or sleeps) or ends. So runs
overlap as they do on threads, but the same seed always gives the same order, and a change of turns costs a
microsecond. A run never rests while it holds a lock of the store: on threads, that would hold up all others.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from random import Random
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from simulation.clocks import SimClock
from simulation.perils import Killed
from tallyd.core.errors import Stopped

T = TypeVar("T")


class _Turn:
    """One piece of work. It may run on at `wake_s` (monotonic)."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.run = greenlet(work)
        self.wake_s = 0.0


class Turns(Executor):
    """Runs what is submitted when `take` is called. `is_stopping` ends every rest."""

    def __init__(self, clock: SimClock, chance: Random) -> None:
        self._clock, self._chance = clock, chance
        self._turns: list[_Turn] = []
        self._current: _Turn | None = None
        self.is_stopping = False
        self.is_killed = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        if self.is_stopping:
            future.cancel()
        else:
            self._turns.append(_Turn(partial(self._work, future, partial(fn, *args, **kwargs))))
        return future

    def __len__(self) -> int:
        """Return how much has not ended."""
        return len(self._turns)

    def next_s(self) -> float | None:
        """Return when the first may run on (monotonic); None: nothing waits."""
        return min((turn.wake_s for turn in self._turns), default=None)

    def take(self) -> bool:
        """Let one run that may, until it rests or ends. Return false if there is none."""
        now_s = self._clock.monotonic()
        ready = [turn for turn in self._turns if turn.wake_s <= now_s or self.is_stopping]
        if not ready:
            return False
        self._switch(self._chance.choice(ready))
        return True

    def end(self) -> None:
        """End all of it, as a kill does: `Killed` is raised in what rests, and it can do nothing more."""
        self.is_killed = True
        self._turns = [turn for turn in self._turns if turn.run]
        while self._turns:
            self._switch(self._turns[0])

    def rest(self, seconds: float) -> None:
        """Wait, in a turn: others run meanwhile. Raises `Killed`, `Stopped`."""
        turn = self._current
        if turn is None or getcurrent() is not turn.run:
            raise AssertionError("only what was submitted may wait")
        turn.wake_s = self._clock.monotonic() + seconds
        turn.run.parent.switch()
        if self.is_killed:
            raise Killed
        if self.is_stopping:
            raise Stopped

    def _switch(self, turn: _Turn) -> None:
        self._current = turn
        turn.run.switch()
        self._current = None
        if turn.run.dead:
            self._turns.remove(turn)

    def _work(self, future: Future[T], act: Callable[[], T]) -> None:
        try:
            future.set_result(act())
        except BaseException as error:
            future.set_exception(error)
            self.is_killed |= isinstance(error, Killed)
