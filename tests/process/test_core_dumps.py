"""A process of tallyd's that is aborted leaves no core, in which keys and names would stand."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.daemon import Daemon, wait_until, write_config
from tallyd.adapters.channels.child_pool import CHILD
from tallyd.adapters.records.migration import COMMAND

UNLIMITED = "import os, resource\nresource.setrlimit(resource.RLIMIT_CORE, (-1, -1))\nos.chdir({folder!r})\n"
DAEMON = UNLIMITED + "import runpy\nrunpy.run_module('tallyd', run_name='__main__', alter_sys=True)"


def dumped(process: subprocess.Popen[bytes]) -> bool:
    """Whether the kernel dumped a core of a process that ends by SIGABRT."""
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -os.WTERMSIG(status)
    assert process.returncode == -signal.SIGABRT
    return os.WCOREDUMP(status)


@pytest.fixture
def may_dump(tmp_path: Path) -> None:
    """Go on only where a process that does nothing about it leaves a core."""
    if Path("/proc/sys/kernel/core_pattern").read_text().startswith("|"):
        pytest.skip("this machine hands cores to a program, which looks at the limit itself")
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY and os.geteuid() != 0:
        pytest.skip("this user may allow no core")
    folder = tmp_path / "other"
    folder.mkdir()
    code = UNLIMITED.format(folder=str(folder)) + "os.abort()"
    assert dumped(subprocess.Popen([sys.executable, "-S", "-c", code]))


@pytest.mark.usefixtures("may_dump")
def test_a_daemon_that_is_aborted_leaves_no_core_where_the_shell_allows_one(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"timezone": "UTC"})
    daemon = Daemon(config, command=("-c", DAEMON.format(folder=str(tmp_path))), python=sys.executable)
    try:
        daemon.wait_ready()
        daemon.process.send_signal(signal.SIGABRT)
        assert isinstance(daemon.process, subprocess.Popen)
        assert not dumped(daemon.process)
    finally:
        daemon.kill()
        daemon.close()
    assert not list(tmp_path.glob("*core*"))


@pytest.mark.parametrize("command", [CHILD, COMMAND], ids=["sends a message", "migrates"])
def test_a_child_may_dump_no_core_before_it_reads_its_job(command: Sequence[str], tmp_path: Path) -> None:
    code = UNLIMITED.format(folder=str(tmp_path)) + f"os.execv({command[0]!r}, {list(command)!r})"
    with subprocess.Popen([sys.executable, "-S", "-c", code], stdin=subprocess.PIPE) as process:
        limits = Path(f"/proc/{process.pid}/limits")
        wait_until(lambda: limit_of("core file size", limits) == ["0", "0"])
        process.kill()


def limit_of(name: str, limits: Path) -> list[str]:
    (line,) = [line for line in limits.read_text().splitlines() if line.startswith(f"Max {name}")]
    return line.removeprefix(f"Max {name}").split()[:2]
