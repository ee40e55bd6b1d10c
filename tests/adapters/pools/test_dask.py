"""A real Dask scheduler and a real worker on this machine: they do work, die, and come back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.daemon import wait_until
from support.pools import hang
from support.processes import free_port, wait_for_port
from tallyd.contract.workers import WorkersError

if TYPE_CHECKING:
    from tallyd.adapters.pools.dask import DaskCluster


@contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of Dask, with the functions of this file at hand."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        cwd=folder,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def scheduler_on(port: int) -> tuple[str, ...]:
    return ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")


def worker_of(port: int) -> tuple[str, ...]:
    return (
        *("worker", f"tcp://127.0.0.1:{port}", "--nthreads", "3", "--no-nanny", "--no-dashboard"),
        *("--local-directory", "worker"),
    )


def test_work_is_done_by_a_cluster_that_comes_and_goes(tmp_path: Path) -> None:
    from tallyd.adapters.pools.dask import DaskCluster  # its import takes a second, in each worker of pytest

    port = free_port()
    pool = DaskCluster(f"tcp://127.0.0.1:{port}")
    with ExitStack() as stack:
        stack.callback(pool.close)
        with pytest.raises(WorkersError, match=f"tcp://127.0.0.1:{port}: no connection"):
            pool.places()
        scheduler = stack.enter_context(running(tmp_path, *scheduler_on(port)))
        wait_for_port(port)
        with pytest.raises(WorkersError, match="has no workers"):
            pool.places()
        worker = stack.enter_context(running(tmp_path, *worker_of(port)))
        wait_until(lambda: has_places(pool), what="a worker", within_s=60)
        assert pool.places() == 3
        assert pool.submit(os.fsencode, b"done").result(60) == b"done"

        hanging = pool.submit(hang, b"")
        worker.kill()
        stack.enter_context(running(tmp_path, *worker_of(port)))
        wait_until(lambda: has_places(pool), what="another worker", within_s=60)
        assert pool.submit(os.fsencode, b"again").result(60) == b"again"
        assert not hanging.done(), "Dask repeats it"

        scheduler.send_signal(signal.SIGKILL)
        with pytest.raises(WorkersError, match="the connection to the scheduler was lost"):
            hanging.result(60)
        scheduler.wait()
        wait_until(lambda: pool._client is not None and pool._client.status == "closed", within_s=60)
        with pytest.raises(WorkersError, match="the connection to the scheduler was lost"):
            pool.submit(os.fsencode, b"lost").result(60)
        with pytest.raises(WorkersError):
            pool.places()
        stack.enter_context(running(tmp_path, *scheduler_on(port)))
        wait_for_port(port)
        stack.enter_context(running(tmp_path, *worker_of(port)))
        wait_until(lambda: has_places(pool), what="the new cluster", within_s=60)
        assert pool.submit(os.fsencode, b"anew").result(60) == b"anew"


def has_places(pool: DaskCluster) -> bool:
    try:
        return pool.places() > 0
    except WorkersError:
        return False
