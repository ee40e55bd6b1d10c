"""Checks many targets at the same time, spread over the round, so that none waits for one that hangs."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from threading import Event
from typing import Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

TICK_S: Final = 0.5
"""A shutdown is noticed within this time."""
_SHORTEST_S: Final = 0.02
"""Checks that are due within this time start together."""


class WorkerPool(Generic[T, R]):
    """One round: `workers` threads check every target once, with starts spread over `spread_s` seconds.

    Targets that may hang (`is_suspect`: they did not answer the last time) have their own workers: a quarter
    of all (at least one, but not the only one). The other workers check them only at the end. No check starts
    after `limit_s`; the remaining targets are left out. So targets that hang use at most that quarter, and
    the round ends in time. `pause(seconds)` is called at least every half second and sleeps that long or
    less. It may raise, which ends the round.
    """

    def __init__(
        self,
        check: Callable[[T], R],
        *,
        workers: int,
        spread_s: float,
        is_suspect: Callable[[T], bool],
        pause: Callable[[float], None],
        limit_s: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._check = check
        self._workers = workers
        self._spread_s = spread_s
        self._is_suspect = is_suspect
        self._pause = pause
        self._limit_s = limit_s
        self._monotonic = monotonic
        self._due: SimpleQueue[T | None] = SimpleQueue()
        self._suspects: deque[T] = deque()
        self._results: deque[tuple[T, R]] = deque()
        self._is_ending = Event()
        self._began_s = 0.0

    def run(self, targets: Sequence[T]) -> tuple[tuple[T, R], ...]:
        """Return each target with its result, in the order in which the checks ended.

        The first targets start first. Raises what `check` or `pause` raises, after all active checks have
        ended.
        """
        self._began_s = self._monotonic()
        self._suspects.extend(target for target in targets if self._is_suspect(target))
        others = [target for target in targets if not self._is_suspect(target)]
        count = min(self._workers, len(targets))
        for_suspects = max(count // 4, min(1, count - 1))
        with ThreadPoolExecutor(count, thread_name_prefix="check") as pool:
            futures = [pool.submit(self._work, for_suspects=number < for_suspects) for number in range(count)]
            try:
                self._begin(others, futures)
                for _ in futures:
                    self._due.put(None)
                while wait(futures, TICK_S, FIRST_EXCEPTION).not_done:
                    self._look_after(futures, 0.0)
            except BaseException:
                self._is_ending.set()
                for _ in futures:
                    self._due.put(None)
                raise
        for future in futures:
            future.result()
        return tuple(self._results)

    def _begin(self, others: Sequence[T], futures: Sequence[Future[None]]) -> None:
        """Hand out each target at its time."""
        begun = 0
        step_s = self._spread_s / len(others) if others else 0.0
        while begun < len(others):
            passed_s = self._monotonic() - self._began_s
            due = min(len(others), int(passed_s / step_s) + 1) if step_s else len(others)
            for target in others[begun:due]:
                self._due.put(target)
            begun = max(due, begun)
            if begun < len(others):
                next_s = self._began_s + begun * step_s - self._monotonic()
                self._look_after(futures, min(max(next_s, _SHORTEST_S), TICK_S))

    def _look_after(self, futures: Sequence[Future[None]], seconds: float) -> None:
        """Wait a little. Raises what ended a worker."""
        for future in futures:
            if future.done():
                future.result()
        self._pause(seconds)

    def _work(self, *, for_suspects: bool) -> None:
        if for_suspects:
            self._see_to_suspects()
        while (target := self._due.get()) is not None:
            if not self._is_over():
                self._one(target)
        self._see_to_suspects()

    def _see_to_suspects(self) -> None:
        while self._suspects and not self._is_over():
            try:
                target = self._suspects.popleft()
            except IndexError:
                return  # another worker was faster
            self._one(target)

    def _one(self, target: T) -> None:
        self._results.append((target, self._check(target)))

    def _is_over(self) -> bool:
        return self._is_ending.is_set() or self._monotonic() - self._began_s >= self._limit_s
