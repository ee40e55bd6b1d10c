"""The real daemon as a process: started, waited for, signalled, ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support import warm

LONGEST_S = 120.0
"""How long a test waits for what must come: long enough for a machine that does much else."""


def every_seconds(step: int, *, count: int, first_in_s: float = 6.0) -> list[str]:
    """Return UTC times of day from now on, as `at` wants them."""
    first = datetime.now(UTC) + timedelta(seconds=first_in_s)
    return [f"{first + timedelta(seconds=step * number):%H:%M:%S}" for number in range(count)]


def write_config(folder: Path, content: dict[str, Any]) -> Path:
    """Write a config whole, as an editor does: beside it, then renamed."""
    path = folder / "config.json"
    beside = folder / ".config.json.new"
    beside.write_text(json.dumps(content, indent=1))
    beside.replace(path)
    return path


def wait_until(is_so: Callable[[], object], *, within_s: float = LONGEST_S, what: str = "") -> None:
    """Return once `is_so`; fail after `within_s`."""
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until, f"not within {within_s} s: {what or is_so}"
        time.sleep(0.02)


class Daemon:
    """A running `tallyd run`. Its stdout and stderr go to files, so that it can never block on them.

    With `python` it is started by that one; without, its imports are already done (see warm.py).
    """

    def __init__(
        self,
        config: Path,
        environ: dict[str, str] | None = None,
        *,
        command: tuple[str, ...] = ("-m", "tallyd"),
        python: str | Path | None = None,
    ) -> None:
        self.folder = config.parent
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._address = f"\0tallyd-test-{os.getpid()}-{id(self)}"
        self._notify.bind(self._address)
        self._notify.setblocking(False)
        self.notices: list[str] = []
        self.stdout, self.stderr = self.folder / "stdout.txt", self.folder / "stderr.txt"
        self.began_s = time.monotonic()
        words = (*command, "--config", str(config), "run")
        env = {**os.environ, "NOTIFY_SOCKET": "@" + self._address[1:], **(environ or {})}
        self.process: subprocess.Popen[bytes] | warm.Process
        if python is None:
            self.process = warm.Process(*words, env=env, stdout=self.stdout, stderr=self.stderr)
            return
        with self.stdout.open("ab") as out, self.stderr.open("ab") as err:
            self.process = subprocess.Popen(
                [python, *words], stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=env
            )

    def heard(self, text: str) -> bool:
        """Whether systemd has heard `text` by now."""
        while True:
            try:
                self.notices.append(self._notify.recv(65536).decode())
            except BlockingIOError:
                return any(text in notice for notice in self.notices)

    def wait_ready(self) -> float:
        """Wait for READY=1; return how long it took from the start, in seconds."""
        wait_until(lambda: self.heard("READY=1") or self.process.poll() is not None, what="READY=1")
        assert self.process.poll() is None, self.stderr.read_text()
        return time.monotonic() - self.began_s

    def out_files(self, poller: str) -> list[Path]:
        """Return the poller's out files by now, oldest first."""
        return sorted((self.folder / "out" / poller).glob("*/*.json"))

    def log(self) -> list[dict[str, Any]]:
        """Return the log's lines."""
        path = self.folder / "log" / "tallyd.log"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def end(self, with_signal: int = signal.SIGTERM) -> int:
        """End the process; return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            return self.process.wait(LONGEST_S)
        finally:
            self.kill()

    def close(self) -> None:
        """Stop listening to what systemd would hear."""
        self._notify.close()

    def kill(self) -> None:
        """Kill the process if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextmanager
def running(
    config: Path,
    *,
    python: str | Path | None = None,
    command: tuple[str, ...] = ("-m", "tallyd"),
    **environ: str,
) -> Iterator[Daemon]:
    """A daemon that is ready; killed at the end if the test did not end it."""
    daemon = Daemon(config, environ, python=python, command=command)
    try:
        daemon.wait_ready()
        yield daemon
    finally:
        daemon.kill()
        daemon.close()
