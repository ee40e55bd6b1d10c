"""A process that the demo starts. It reads its output line by line, and always ends it."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_TAIL = 40
_SERVICE_ONLY = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM")
"""Variables of a service that runs the demo. The daemon in the demo must not use them."""


class Child:
    """One process. Its stdout and stderr are one stream; the last lines are kept."""

    def __init__(self, *program: str) -> None:
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self.status: int | None = None
        """Exit status; None while it runs. Negative: the signal that ended it."""
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._process = subprocess.Popen(  # noqa: S603 # our own interpreter and modules
            [sys.executable, "-P", "-m", "tallyd.demo.die_with_parent", str(os.getpid()), *program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env={name: value for name, value in os.environ.items() if name not in _SERVICE_ONLY},
            process_group=0,  # Ctrl-C reaches only the demo, which ends the daemon before its world
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def new_lines(self) -> Iterator[str]:
        """Yield the lines that came since the last look."""
        while not self._lines.empty():
            yield self._lines.get()

    def has_ended(self) -> bool:
        """Whether the process has ended."""
        self.status = self._process.poll()
        return self.status is not None

    def end(self, *, within_s: float) -> float:
        """Ask the process to end (SIGTERM), then kill it; return how many seconds that took."""
        began_s = time.monotonic()
        self._process.terminate()
        try:
            self.status = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.status = self._process.wait()
        # Wait for its last line, but not for ever: a child of the process may still hold the pipe.
        self._reader.join(timeout=1.0)
        return time.monotonic() - began_s

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 # stdout=PIPE
        with self._process.stdout as stream:
            for line in stream:
                self.tail.append(line.rstrip("\n"))
                self._lines.put(line.rstrip("\n"))


@contextmanager
def started(*program: str, end_within_s: float) -> Iterator[Child]:
    """Start a process that ends with the block, on time or killed."""
    child = Child(*program)
    try:
        yield child
    finally:
        if child.status is None:
            child.end(within_s=end_within_s)
