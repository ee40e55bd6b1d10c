"""A pool of workers without processes: a test decides when each of them ends, and how.

And what real processes do in tests. As a program, it is the parent of such a process, whose number it prints.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from tallyd.adapters.pools.child import is_stopping
from tallyd.adapters.pools.pool import Call
from tallyd.adapters.pools.processes import Processes
from tallyd.contract.workers import HttpOptions, WorkersError
from tallyd.runs.workers import PooledWorkers

OPTIONS = HttpOptions("tallyd", 10.0, None)


@dataclass
class FakePool:
    """Does each call at once, on a thread. Implements `Pool`.

    `away`: why nobody is there. The calls with a number (from 0) in `dying` fail, those in `hanging` never
    end. `answers` may change what a call returns.
    """

    places_there: int = 4
    is_elsewhere: bool = True
    away: str = ""
    dying: frozenset[int] = frozenset()
    hanging: frozenset[int] = frozenset()
    answers: Callable[[bytes], bytes] = bytes
    given: list[bytes] = field(default_factory=list)
    given_up: int = 0

    def __post_init__(self) -> None:
        self._threads = ThreadPoolExecutor(4)

    def places(self) -> int:
        if self.away:
            raise WorkersError(self.away)
        return self.places_there

    def submit(self, call: Call, given: bytes) -> Future[bytes]:
        number = len(self.given)
        self.given.append(given)
        outcome: Future[bytes] = Future()
        if number in self.dying:
            outcome.set_exception(WorkersError("it died"))
        elif number not in self.hanging:
            return self._threads.submit(lambda: self.answers(call(given)))
        return outcome

    def give_up(self) -> None:
        self.given_up += 1

    def close(self) -> None:
        self._threads.shutdown()


def workers_of(pool: FakePool, now: Callable[[], datetime]) -> PooledWorkers:
    return PooledWorkers(pool, OPTIONS, now=now)


# -- what processes do ---------------------------------------------------------------------------------------


def pid(_given: bytes) -> bytes:
    return str(os.getpid()).encode()


def hang(_given: bytes) -> bytes:
    while not is_stopping():
        time.sleep(0.01)
    return b"told to end"


def die(_given: bytes) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


if __name__ == "__main__":
    pool = Processes(1)
    sys.stdout.buffer.write(pool.submit(pid, b"").result(60) + b"\n")
    sys.stdout.flush()
    time.sleep(60)
