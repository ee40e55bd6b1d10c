"""Processes of this machine that do work: side by side, and one that dies takes no other with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.daemon import wait_until
from support.pools import die, hang, pid
from tallyd.adapters.pools.processes import Processes
from tallyd.contract.workers import WorkersError

TESTS = Path(__file__).parents[2]


@pytest.fixture
def pool() -> Iterator[Processes]:
    found = Processes(2)
    yield found
    found.close()


def test_a_process_that_dies_fails_its_work_alone_and_is_replaced(pool: Processes) -> None:
    assert (pool.places(), pool.is_elsewhere) == (2, False)
    first, second = (int(pool.submit(pid, b"").result(60)) for _ in range(2))
    assert first != second
    dead, other = pool.submit(die, b""), pool.submit(pid, b"")
    with pytest.raises(WorkersError, match="died while it checked"):
        dead.result(60)
    assert int(other.result(60)) == second
    third = int(pool.submit(pid, b"").result(60))
    assert third not in (first, second)
    os.kill(third, signal.SIGKILL)  # while it has nothing to do
    wait_until(lambda: not is_alive(third), what="its end")
    assert int(pool.submit(pid, b"").result(60)) == second
    with suppress(WorkersError):  # if its end was not noticed yet
        pool.submit(pid, b"").result(60)
    assert int(pool.submit(pid, b"").result(60)) == second
    assert int(pool.submit(pid, b"").result(60)) not in (first, second, third)


def test_work_is_told_to_end_and_the_process_ends(pool: Processes) -> None:
    number = int(pool.submit(pid, b"").result(60))
    pool.submit(pid, b"").result(60)
    hanging = pool.submit(hang, b"")
    pool.give_up()
    assert hanging.result(60) == b"told to end"
    wait_until(lambda: not is_alive(number), what="its end")
    assert int(pool.submit(pid, b"").result(60)) != number, "the next work gets new processes"


def test_the_processes_end_with_their_parent_however_it_ends() -> None:
    """SIGKILL tells nobody anything."""
    program = [sys.executable, "-m", "support.pools"]
    with subprocess.Popen(program, cwd=TESTS, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        number = int(parent.stdout.readline())
        assert is_alive(number)
        parent.kill()
    wait_until(lambda: not is_alive(number), what="its end")


def is_alive(number: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
