"""Python with tallyd's imports already done: a process of its own for a tenth of what a new Python costs.

    done = run("-m", "tallyd", "--config", str(path), "check", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")

The words are those of a `python` command. The first call starts a server that imports everything; each call
forks it. Like any process, the fork has its own memory, signals, folder, environment, output and terminal.

Use `subprocess` with `sys.executable` where the start itself matters: what it imports, what only Python's
start reads (its options, PYTHONIOENCODING, LC_ALL), and streams that are closed or broken.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

import tallyd

LONGEST_S = 60.0
_ALSO = ("alembic.command", "concurrent.futures.thread", "rich.table", "uvicorn.protocols.http.h11_impl")
"""What the commands import late."""


@cache
def server() -> ForkServerContext:
    modules = [each.name for each in pkgutil.walk_packages(tallyd.__path__, "tallyd.")]
    context = multiprocessing.get_context("forkserver")
    # An import of the migrations runs them, and that of a __main__ the program.
    own = [name for name in modules if ".migrations." not in name and not name.endswith("__main__")]
    context.set_forkserver_preload([*own, *_ALSO])
    return context


class Process:
    """A running Python; its methods are those of `subprocess.Popen`. Its streams are files or a terminal."""

    def __init__(
        self,
        *words: str,
        cwd: Path | str | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Path | str = os.devnull,
        stdout: Path | str = os.devnull,
        stderr: Path | str = os.devnull,
        own_terminal: bool = False,
    ) -> None:
        self.args = words
        streams = (str(stdin), str(stdout), str(stderr))
        folder = str(cwd or Path.cwd())
        self._process = server().Process(
            target=_run, args=(words, folder, dict(env or os.environ), streams, own_terminal), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, minus the number of a signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; return the exit status."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, if it still runs."""
        self.send_signal(signal.SIGKILL)


def run(*words: str, cwd: Path | str | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python to its end; return its exit status and output. `environ` is added to the environment."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        process = Process(*words, cwd=cwd, env={**os.environ, **environ}, stdout=out, stderr=err)
        try:
            status = process.wait(LONGEST_S)
        finally:
            process.kill()
        return subprocess.CompletedProcess(words, status, out.read_text("utf-8"), err.read_text("utf-8"))


def _run(
    words: tuple[str, ...],
    folder: str,
    environ: dict[str, str],
    streams: tuple[str, str, str],
    own_terminal: bool,
) -> None:
    """Become the process, in the fork: what a new Python finds at its start, then its program."""
    gc.freeze()  # what the server imported stays; a look at it would copy it
    if own_terminal:
        os.setsid()  # so that the next terminal that is opened is ours
    for number, path in enumerate(streams):
        how = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        opened = os.open(path, how, 0o666)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    try:
        _program(*words)
    except Exception:  # multiprocessing has a text of its own for it
        sys.excepthook(*sys.exc_info())
        sys.exit(1)


def _program(kind: str, *rest: str) -> None:
    if kind == "-c":
        sys.argv = [kind, *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    elif kind == "-m":
        sys.argv = list(rest)
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [kind, *rest]
        runpy.run_path(kind, run_name="__main__")
