"""Further processes on this machine, each with a pool of its own: if one dies, the others go on."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from itertools import count
from multiprocessing.synchronize import Event

from tallyd.adapters.pools import child
from tallyd.adapters.pools.pool import Call
from tallyd.contract.workers import WorkersError
from tallyd.core.language.messages import mark_english

_DIED = mark_english("a process of this machine died while it checked")


class Processes:
    """So many processes (0: one for each core), started with the first work; implements `Pool`.

    They are started anew, not forked: this process has threads.
    """

    is_elsewhere = False

    def __init__(self, processes: int) -> None:
        self._processes = processes or os.cpu_count() or 1
        self._lock = threading.Lock()
        self._turns = count()
        self._running: dict[int, _One] = {}

    def places(self) -> int:
        """Return the number of processes: each does one thing at a time."""
        return self._processes

    def submit(self, call: Call, given: bytes) -> Future[bytes]:
        """Begin a call in the process whose turn it is."""
        with self._lock:
            number = next(self._turns) % self._processes
            if number in self._running:
                # If it has died, perhaps long ago, another one takes its place.
                with suppress(BrokenProcessPool):
                    return self._running[number].submit(call, given)
            self._running[number] = _One()
            return self._running[number].submit(call, given)

    def give_up(self) -> None:
        """Do what `close` does: the next work starts new processes."""
        self.close()

    def close(self) -> None:
        """Tell the processes to end."""
        with self._lock:
            for one in self._running.values():
                one.end()
            self._running.clear()


class _One:
    """One process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop: Event = context.Event()
        self._pool = ProcessPoolExecutor(
            1, mp_context=context, initializer=child.begin, initargs=(self._stop,)
        )

    def submit(self, call: Call, given: bytes) -> Future[bytes]:
        """Begin a call. Raises `BrokenProcessPool` if the process has died."""
        outcome: Future[bytes] = Future()
        asked = self._pool.submit(call, given)
        asked.add_done_callback(lambda ended: _pass_on(ended, outcome))
        return outcome

    def end(self) -> None:
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _pass_on(asked: Future[bytes], outcome: Future[bytes]) -> None:
    if asked.cancelled() or asked.exception() is not None:
        outcome.set_exception(WorkersError(_DIED))
    else:
        outcome.set_result(asked.result())
