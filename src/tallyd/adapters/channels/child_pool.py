"""A child process for each delivery: it reads a job from stdin and answers with one JSON object on stdout.

Why a process: it can be killed at a deadline, whatever it waits for. And Apprise stays out of the daemon: it
reads proxies and passwords from the environment and needs 50 MiB.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from tallyd.adapters.child_process import environment, in_memory
from tallyd.core.errors import DeliveryError, Stopped
from tallyd.core.language.messages import english
from tallyd.core.system_words import reason_of

CHILD = (sys.executable, "-P", "-m", "tallyd.adapters.channels.child_main")
MOST_BYTES = 256 * 1024

_PATIENCE_S = 1.0


class Children:
    """Runs `command` once for each job. Thread-safe."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def ask(self, job: Mapping[str, object], *, timeout_s: float) -> dict[str, object]:
        """Return the child's answer, at most `timeout_s` after the call.

        Raises `DeliveryError` if there is none, and `Stopped` after `abort`. An answer that came before the
        abort is still returned, so that a delivered message is not sent again.
        """
        deadline = time.monotonic() + timeout_s
        outcome = self._outcome({**job, "timeout_s": timeout_s, "parent": os.getpid()}, deadline)
        if isinstance(outcome, dict):
            return outcome
        if self._stopped:
            raise Stopped
        raise DeliveryError(outcome or english("timed out after {limit}", limit=timedelta(seconds=timeout_s)))

    def abort(self) -> None:
        """Kill all children. All current and later calls raise `Stopped`."""
        with self._lock:
            self._stopped = True
            for child in self._running:
                _kill(child)

    def _outcome(self, job: Mapping[str, object], deadline: float) -> dict[str, object] | str:
        """Return the answer, or the reason why there is none. Empty: the time is up."""
        if self._stopped:
            return ""
        try:
            with self._running_child(json.dumps(job).encode()) as child:
                output = _read(child, deadline)
        except OSError as error:
            return english("the sending process can't be started ({why})", why=reason_of(error))
        if output is None:
            return ""
        with contextlib.suppress(ValueError, RecursionError):
            answer = json.loads(output)
            if isinstance(answer, dict):
                return answer
        return _how_it_ended(child.returncode)

    @contextlib.contextmanager
    def _running_child(self, job: bytes) -> Iterator[subprocess.Popen[bytes]]:
        """Start a child. At the end kill it and all its processes."""
        with in_memory(job) as stdin:
            child = subprocess.Popen(  # noqa: S603 # our own module
                self._command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=environment() | {"HOME": "/nonexistent", "NETRC": os.devnull},
                start_new_session=True,
            )
        with self._lock:
            self._running.add(child)
            if self._stopped:  # since the check above
                _kill(child)
        try:
            yield child
        finally:
            with self._lock:
                self._running.discard(child)
                _kill(child)  # before the wait: until then no other process can get its pid
            _reap(child)


def _read(child: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """Return the child's output; None if the time is up first. Stops after `MOST_BYTES`."""
    assert child.stdout is not None  # noqa: S101 # for mypy: it is a pipe
    ready = select.poll()
    ready.register(child.stdout, select.POLLIN)
    output = b""
    while len(output) <= MOST_BYTES:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return None
        if ready.poll(left_s * 1000):
            piece = os.read(child.stdout.fileno(), 65536)
            if not piece:
                break
            output += piece
    return output


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def _reap(child: subprocess.Popen[bytes]) -> None:
    if child.stdout is not None:
        child.stdout.close()
    # A process in an uninterruptible call survives SIGKILL for a while. subprocess reaps it later.
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_PATIENCE_S)


def _how_it_ended(status: int | None) -> str:
    if status is not None and status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
        return english("the sending process was killed by {signal}", signal=name)
    if status:
        return english("the sending process failed (status {status})", status=status)
    return english("the sending process gave no readable answer")
