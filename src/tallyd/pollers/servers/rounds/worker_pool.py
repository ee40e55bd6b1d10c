"""Checks many targets at the same time, spread over the round, so that none waits for one that hangs."""

from __future__ import annotations

import math
import resource
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")
R = TypeVar("R")
Ended: TypeAlias = "SimpleQueue[tuple[int, Future[R]]]"

TICK_S: Final = 0.5
"""A shutdown is noticed within this time."""
PATIENCE_S: Final = 0.05
"""For this long a check holds a place of `workers`. A server that takes longer only costs a socket."""
_SHORTEST_S: Final = 0.02
"""Checks that are due within this time start together."""


@dataclass(frozen=True)
class Pace:
    """How fast checks may begin: `workers` at a time, spread over `spread_s`, and none after `limit_s`."""

    workers: int
    spread_s: float = 0.0
    limit_s: float = math.inf


def checked(
    targets: Sequence[T],
    begin: Callable[[T], Future[R]],
    pace: Pace,
    *,
    look: Callable[[], None],
    monotonic: Callable[[], float],
    next_ended: Callable[[Ended[R], float], tuple[int, Future[R]]] = lambda ended, seconds: ended.get(
        timeout=seconds
    ),
) -> Iterator[tuple[T, Future[R]]]:
    """Begin a check of every target, the first ones first; yield each target with its check once that ended.

    A check that does not end within PATIENCE_S no longer counts as one of `workers`: those that hang hold up
    no other, except that at most half of the open files that are allowed are used. `look` is called at least
    every TICK_S; what it raises ends the round. `next_ended` waits for at most so many seconds, and raises
    `Empty`.
    """
    ended: Ended[R] = SimpleQueue()
    running: set[int] = set()
    placed: dict[int, float] = {}  # those that count, since when; the oldest is the first
    begun, last = 0, len(targets)
    step_s = pace.spread_s / max(len(targets), 1)
    most = _most_open()
    began_s = monotonic()
    while begun < last or running:
        look()
        now_s = monotonic() - began_s
        if now_s >= pace.limit_s:
            last = begun
        while placed and now_s - next(iter(placed.values())) >= PATIENCE_S:
            del placed[next(iter(placed))]
        due = min(last, int(now_s / step_s) + 1) if step_s else last
        while begun < due and len(placed) < pace.workers and len(running) < most:
            running.add(begun)
            placed[begun] = now_s
            check = begin(targets[begun])
            check.add_done_callback(partial(_put, ended, begun))
            begun += 1
        wait_s = TICK_S
        if begun < last:
            wait_s = min(max(begun * step_s - now_s, _SHORTEST_S), TICK_S)
        try:
            number, check = next_ended(ended, wait_s)
        except Empty:
            continue
        running.discard(number)
        placed.pop(number, None)
        yield targets[number], check


def _put(ended: Ended[R], number: int, check: Future[R]) -> None:
    ended.put((number, check))


def _most_open() -> int:
    """Return half of the open files that are allowed: idle connections have a quarter."""
    open_files, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(open_files // 2, 1) if open_files != resource.RLIM_INFINITY else 1_000_000
