"""Who runs the runs: at once, or on threads that a test holds up at gates."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Inline(Executor):
    """Runs a run at once, on the schedule's thread. What it raises comes out: it should raise nothing."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Threads(Executor):
    """Runs on threads, one thing at a time: `submit` returns when the run has ended or waits at a gate."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(8)
        self._own = threading.local()
        self._gates: list[threading.Event] = []
        self._moved: list[threading.Event] = []

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        rests = threading.Event()

        def run() -> T:
            self._own.rests = rests
            return fn(*args, **kwargs)

        future = self._pool.submit(run)
        future.add_done_callback(lambda _: rests.set())
        assert rests.wait(20), "a run neither ended nor came to a gate"
        return future

    def gate(self) -> threading.Event:
        """Return a gate for `wait_at`; set, it lets the runs there go on."""
        self._gates.append(threading.Event())
        return self._gates[-1]

    def wait_at(self, gate: threading.Event) -> None:
        """Hang, within a run, until the gate is set."""
        self._own.rests.set()
        while self._moved:
            self._moved.pop().set()
        assert gate.wait(20), "nobody opened the gate"

    def moved(self) -> threading.Event:
        """Return what is set when a run next comes to a gate."""
        self._moved.append(threading.Event())
        return self._moved[-1]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for gate in self._gates:
            gate.set()
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)
