"""What further processes bring to checks of servers, and what they cost: processes of this machine, and Dask.

    python bench/cluster.py [--rounds 3] [--targets 5000]

A server process answers on loopback, at once. Whole rounds of the servers poller ask it, as `tallyd once`
runs them: by tallyd's own process, by one and by two further processes, and by one and by two workers of a
Dask cluster on this machine.

A machine with two cores has not enough of them for two workers, the daemon, the scheduler and the servers. So
the CPU time of each process counts: on enough cores a round takes as long as the busiest process needs. The
time on this machine is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from figures import reached
from support.daemon import wait_until
from support.processes import cpu_s, free_port, memory_mib, wait_for_port
from tallyd.adapters.http.client import HttpClient
from tallyd.adapters.pools.dask import DaskCluster
from tallyd.adapters.pools.processes import Processes
from tallyd.contract.toolbox import Toolbox
from tallyd.contract.workers import HttpOptions, Workers, WorkersError
from tallyd.core.reading import Slot
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.runs.workers import PooledWorkers

SPEED_OF_TWO = 1.8
MOST_DASK_CPU = 2.5
"""To the CPU that tallyd needs alone."""
MANY, WITHIN_S = 100_000, 60.0
OTHER_MACHINE = "127.1"
"""Loopback by a name that tallyd does not know as this machine: its own targets it asks itself."""


@dataclass(frozen=True)
class Cost:
    """One round: its time, and the CPU time of each process, all in seconds."""

    took_s: float
    own_s: float
    workers_s: tuple[float, ...]
    scheduler_s: float = 0.0

    @property
    def busiest_s(self) -> float:
        return max(self.own_s, self.scheduler_s, *self.workers_s, 0.0)

    @property
    def all_s(self) -> float:
        return self.own_s + self.scheduler_s + sum(self.workers_s)


def main() -> int:
    """Measure and print; exit status 1 when a limit is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--targets", type=int, default=5000)
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with ExitStack() as stack:
        port = stack.enter_context(_serving())
        ways = {
            "threads": lambda: _round(port, asked.targets, None),
            **{f"processes {n}": stack.enter_context(_processes(n, port, asked.targets)) for n in (1, 2)},
            **{f"dask {n}": stack.enter_context(_dask(n, port, asked.targets)) for n in (1, 2)},
        }
        for ask in ways.values():
            ask()  # starts processes and opens connections
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        for number in range(asked.rounds):
            for name in list(ways) if number % 2 == 0 else list(reversed(ways)):
                costs[name].append(ways[name]())
        own_mib = memory_mib(os.getpid(), "VmHWM")
    return _report(costs, asked.targets, own_mib)


def _report(costs: dict[str, list[Cost]], targets: int, own_mib: float) -> int:
    ms = 1000 / targets
    print(f"\n{targets:,} targets, median of {len(costs['threads'])} rounds; CPU time in ms for each check")
    print(f"{'':12} {'round here':>11} {'daemon':>8} {'each worker':>16} {'scheduler':>10} {'all':>7}")
    for name, each in costs.items():
        by_worker = zip(*(cost.workers_s for cost in each), strict=True)
        workers = " ".join(f"{statistics.median(used_s) * ms:.3f}" for used_s in by_worker)
        own, scheduler = (_median(each, key) * ms for key in ("own_s", "scheduler_s"))
        print(
            f"{name:12} {_median(each, 'took_s'):>9.2f} s {own:>8.3f} {workers or '-':>16} "
            f"{scheduler:>10.3f} {_median(each, 'all_s') * ms:>7.3f}"
        )
    dask = costs["dask 2"]
    all_s, daemon_s = (_median(dask, key) / targets * MANY for key in ("all_s", "own_s"))
    alone = _median(costs["threads"], "all_s")
    more_ms, ratio = (_median(dask, "all_s") - alone) * ms, _median(dask, "all_s") / alone
    print(f"Dask: {more_ms:.2f} ms more CPU for each check than tallyd alone")
    print(f"{MANY:,} targets in {WITHIN_S:g} s need {all_s / WITHIN_S:.2f} cores in all, by these figures")
    least = SPEED_OF_TWO
    verdicts = (
        reached("two processes to one", _speed_of_two(costs, "processes"), "x", at_least=least),
        reached("two Dask workers to one", _speed_of_two(costs, "dask"), "x", at_least=least),
        reached("Dask: CPU for each check to tallyd alone", ratio, "x", at_most=MOST_DASK_CPU),
        reached(f"Dask: CPU of the daemon for {MANY:,} checks", daemon_s, "s", at_most=WITHIN_S / 2),
        reached(f"{targets:,} targets: peak memory of the daemon", own_mib, "MiB"),
    )
    return 0 if all(verdicts) else 1


def _speed_of_two(costs: dict[str, list[Cost]], way: str) -> float:
    pairs = zip(costs[f"{way} 1"], costs[f"{way} 2"], strict=True)
    return statistics.median(one.busiest_s / two.busiest_s for one, two in pairs)


def _median(costs: Sequence[Cost], key: str) -> float:
    values: list[float] = [getattr(cost, key) for cost in costs]
    return statistics.median(values)


# -- one round -----------------------------------------------------------------------------------------------


def _now() -> datetime:
    return datetime.now(UTC)


HTTP = HttpClient(user_agent="tallyd-bench", timeout_s=10.0)


def _round(
    port: int, count: int, workers: Workers | None, pids: Sequence[int] = (), scheduler: int = 0
) -> Cost:
    targets = {
        f"server {number}": {"url": f"http://{OTHER_MACHINE}:{port}/{number}"} for number in range(count)
    }
    poller = ServersPoller.model_validate_json(json.dumps({"kind": "servers", "targets": targets}))
    (job,) = poller.jobs()
    tools = Toolbox(
        poller="apps",
        zone=UTC,
        now=_now,
        stop=lambda: False,
        alive=lambda: None,
        http=HTTP,
        retry=lambda attempt: attempt(),
        memory=dict,
        workers=workers,
        is_by_hand=True,
    )
    watched = [*pids, *([scheduler] if scheduler else [])]
    before, own_s, began_s = [cpu_s(pid) for pid in watched], time.process_time(), time.perf_counter()
    (reading,) = job.run(Slot(None, _now()), tools)
    took_s, own_s = time.perf_counter() - began_s, time.process_time() - own_s
    used = [cpu_s(pid) - then for pid, then in zip(watched, before, strict=True)]
    facts: Any = reading.facts
    if facts["counts"]["fresh"] != count:
        raise RuntimeError(f"not all are fresh: {facts['counts']}")
    return Cost(took_s, own_s, tuple(used[: len(pids)]), used[-1] if scheduler else 0.0)


@contextmanager
def _processes(count: int, port: int, targets: int) -> Iterator[Callable[[], Cost]]:
    known = set(multiprocessing.active_children())
    pool = Processes(count)
    workers = PooledWorkers(pool, HttpOptions("tallyd-bench", 10.0, None), now=_now)
    try:
        _round(port, targets, workers)
        pids = [int(each.pid or 0) for each in multiprocessing.active_children() if each not in known]
        yield lambda: _round(port, targets, workers, pids)
    finally:
        workers.close()


@contextmanager
def _dask(count: int, port: int, targets: int) -> Iterator[Callable[[], Cost]]:
    own_port = free_port()
    pool = DaskCluster(f"tcp://127.0.0.1:{own_port}")
    workers = PooledWorkers(pool, HttpOptions("tallyd-bench", 10.0, None), now=_now)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tallyd-bench-")))
        start = ["--host", "127.0.0.1", "--port", str(own_port), "--no-dashboard", "--no-show"]
        scheduler = stack.enter_context(_running(folder, "scheduler", *start))
        wait_for_port(own_port)
        work = ["worker", f"tcp://127.0.0.1:{own_port}", "--no-nanny", "--no-dashboard", "--nthreads", "16"]
        pids = [
            stack.enter_context(_running(folder, *work, "--local-directory", str(folder / str(number)))).pid
            for number in range(count)
        ]
        stack.callback(workers.close)
        wait_until(lambda: _places(pool) == 16 * count, what="the workers", within_s=120)
        yield lambda: _round(port, targets, workers, pids, scheduler.pid)


def _places(pool: DaskCluster) -> int:
    try:
        return pool.places()
    except WorkersError:
        return 0


@contextmanager
def _running(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def _serving() -> Iterator[int]:
    command = [sys.executable, str(Path(__file__).with_name("servers.py")), "--child", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield int(process.stdout.readline())
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
