"""Lock files: one holder at a time, freed when the process dies; they contain the holder's pid."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tallyd.adapters.locks import FileLock, LockedError, holder

HOLD = """
import sys, time
from pathlib import Path
from tallyd.adapters.locks import FileLock
with FileLock(Path(sys.argv[1])).take():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path).take(), pytest.raises(LockedError) as caught:
        FileLock(path).take()
    assert caught.value.pid == os.getpid()
    assert holder(path) is None
    FileLock(path).take().release()


def test_a_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process, process.stdout:
        process.stdout.readline()
        assert holder(path) == process.pid
        process.kill()
        process.wait()
    with FileLock(path).take():
        assert holder(path) == os.getpid()


def test_waiting_ends_with_the_shutdown(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with FileLock(path).take(), pytest.raises(LockedError):
        FileLock(path).take(wait_s=60, stop=lambda: True)


def test_nobody_holds_a_lock_that_is_not_there(tmp_path: Path) -> None:
    assert holder(tmp_path / "lock") is None
