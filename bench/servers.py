"""How many servers are checked in a second, and at what cost, beside what one would use instead.

    python bench/servers.py [--rounds 5] [--targets 2000] [--large]

A server process answers on loopback, at once and after 50 ms. It is asked by

- tallyd: whole rounds of the servers poller as `tallyd once` runs them, 16 workers;
- bare: 16 threads with a `requests.Session` each, which do the same GETs and look at nothing;
- blackbox: Debian's prometheus-blackbox-exporter, asked for each URL over 16 connections of
  http.client. Its CPU time does not include the client's.

They take turns in one run: times are noisy, the ratios hold. With `--large`, a daemon with 10,000 targets at
as many addresses is watched for six rounds of 60 s as well. Half of them answer after 50 ms, half never.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from figures import reached
from support.processes import cpu_s, free_port, memory_mib, wait_for_port

WORKERS = 16
DELAYS_S = (0.0, 0.05)
LEAST_SPEED, MOST_CPU = 0.8, 1.5
"""To the bare pool."""
LEAST_EXPORTER_SPEED, MOST_EXPORTER_CPU = 1.0, 1.2
"""To the exporter, where servers answer at once."""
LARGE, LARGE_S, LARGE_ROUNDS = 10_000, 60.0, 6
LARGE_MIB, MOST_GROWTH_MIB, MOST_THREADS, MOST_OFF = 250.0, 10.0, 20, 0.1
SEEN, HANGING = "/seen", ".2"
EXPORTER = "/usr/bin/prometheus-blackbox-exporter"
MODULE = {"modules": {"get": {"prober": "http", "timeout": "10s", "http": {"preferred_ip_protocol": "ip4"}}}}


def main() -> int:
    """Measure and print; exit status 1 when a limit is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=5, help="so often each of them takes its turn")
    parser.add_argument("--targets", type=int, default=2000)
    parser.add_argument("--large", action="store_true", help="watch a daemon with 10,000 targets as well")
    parser.add_argument("--child", choices=["serve", "tallyd", "bare"], help=argparse.SUPPRESS)
    parser.add_argument("--delay", type=float, default=0.0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        return _child(asked.child, asked.delay)
    verdicts = [_compare(delay_s, asked.rounds, asked.targets) for delay_s in DELAYS_S]
    if asked.large:
        verdicts.append(_large())
    return 0 if all(verdicts) else 1


# -- the comparison ------------------------------------------------------------------------------------------


def _compare(delay_s: float, rounds: int, targets: int) -> bool:
    with ExitStack() as stack:
        port = stack.enter_context(_serving(delay_s))
        urls = [f"http://127.0.0.1:{port}/{number}" for number in range(targets)]
        asks: dict[str, Callable[[], dict[str, float]]] = {
            name: _asker(stack.enter_context(_running(name)), urls) for name in ("tallyd", "bare")
        }
        if Path(EXPORTER).exists():
            asks["blackbox"] = _exporter(*stack.enter_context(_exporting()), urls)
        else:
            print("blackbox: not installed (apt-get install prometheus-blackbox-exporter)")
        for ask in asks.values():
            ask()  # opens connections
        figures: dict[str, list[dict[str, float]]] = {name: [] for name in asks}
        for number in range(rounds):
            names = list(asks) if number % 2 == 0 else list(reversed(asks))
            for name in names:
                figures[name].append(asks[name]())
    print(f"\n{targets} targets, each answers after {delay_s * 1000:g} ms; median of {rounds} rounds")
    print(f"{'':10} {'checks/s':>9} {'CPU s per 1,000':>16} {'peak MiB':>9}")
    found = {name: _median(turns) for name, turns in figures.items()}
    for name, each in found.items():
        print(f"{name:10} {each['speed']:9.0f} {each['cpu']:16.2f} {each['rss']:9.0f}")
    speed = _ratio(figures["tallyd"], figures["bare"], "speed")
    cpu = _ratio(figures["tallyd"], figures["bare"], "cpu")
    answers = f"answers after {delay_s * 1000:g} ms"
    verdicts = [
        reached(f"{answers}: speed to a bare pool", speed, "x", at_least=LEAST_SPEED),
        reached(f"{answers}: CPU to a bare pool", cpu, "x", at_most=MOST_CPU),
    ]
    if "blackbox" in figures and not delay_s:
        speed = _ratio(figures["tallyd"], figures["blackbox"], "speed")
        cpu = _ratio(figures["tallyd"], figures["blackbox"], "cpu")
        verdicts += [
            reached(f"{answers}: speed to the exporter", speed, "x", at_least=LEAST_EXPORTER_SPEED),
            reached(f"{answers}: CPU to the exporter", cpu, "x", at_most=MOST_EXPORTER_CPU),
        ]
    return all(verdicts)


def _median(turns: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}


def _ratio(ours: list[dict[str, float]], theirs: list[dict[str, float]], key: str) -> float:
    return statistics.median(a[key] / b[key] for a, b in zip(ours, theirs, strict=True))


def _asker(process: subprocess.Popen[str], urls: list[str]) -> Callable[[], dict[str, float]]:
    def ask() -> dict[str, float]:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(urls) + "\n")
        process.stdin.flush()
        answer: dict[str, float] = json.loads(process.stdout.readline())
        return answer

    return ask


@contextmanager
def _running(name: str, *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, __file__, "--child", name, *more]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _serving(delay_s: float) -> Iterator[int]:
    with _running("serve", "--delay", str(delay_s)) as process:
        assert process.stdout
        yield int(process.stdout.readline())


@contextmanager
def _exporting() -> Iterator[tuple[int, int]]:
    """Yield the exporter's process id and port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "blackbox.yml"
        config.write_text(json.dumps(MODULE))  # JSON is YAML
        process = subprocess.Popen(
            [
                EXPORTER,
                f"--config.file={config}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=error",
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for_port(port)
            yield process.pid, port
        finally:
            process.kill()
            process.wait()


def _exporter(pid: int, port: int, urls: list[str]) -> Callable[[], dict[str, float]]:
    local = threading.local()

    def probe(url: str) -> None:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection("127.0.0.1", port)
        local.connection.request("GET", f"/probe?module=get&target={quote(url, safe='')}")
        if b"\nprobe_success 1" not in local.connection.getresponse().read():
            raise RuntimeError("the exporter could not probe")

    def ask() -> dict[str, float]:
        used_s, began = cpu_s(pid), time.perf_counter()
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(probe, urls))
        seconds = time.perf_counter() - began
        cpu = (cpu_s(pid) - used_s) / len(urls) * 1000
        return {"speed": len(urls) / seconds, "cpu": cpu, "rss": memory_mib(pid, "VmHWM")}

    return ask


# -- the child processes -------------------------------------------------------------------------------------


def _child(name: str, delay_s: float) -> int:
    if name == "serve":
        asyncio.run(_serve(delay_s))
        return 0
    ask = {"tallyd": _tallyd, "bare": _bare}[name]()
    for line in sys.stdin:
        urls = json.loads(line)
        cpu_began_s, began = time.process_time(), time.perf_counter()
        ask(urls)
        seconds, used_s = time.perf_counter() - began, time.process_time() - cpu_began_s
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found = {"speed": len(urls) / seconds, "cpu": used_s / len(urls) * 1000, "rss": peak}
        print(json.dumps(found), flush=True)
    return 0


class _Server(asyncio.Protocol):
    """Answers every request with the same JSON, after a while."""

    delay_s = 0.0
    seen: ClassVar[dict[str, list[float]]] = {}
    """When each address was asked; SEEN tells it."""
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.heads = transport, b""
        self.address: str = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        self.heads += data
        while b"\r\n\r\n" in self.heads:
            head, self.heads = self.heads.split(b"\r\n\r\n", 1)
            if head.startswith(f"GET {SEEN} ".encode()):
                self.send(json.dumps(list(self.seen.values())))
                continue
            if self.address.endswith(HANGING):
                continue
            self.seen.setdefault(self.address, []).append(time.monotonic())
            if self.delay_s:
                asyncio.get_running_loop().call_later(self.delay_s, self.answer)
            else:
                self.answer()

    def answer(self) -> None:
        now = time.time()
        computed = datetime.fromtimestamp(now // 60 * 60, UTC).isoformat()
        self.send(json.dumps({"computed_time": computed, "version": "1.2.3"}))

    def send(self, body: str) -> None:
        date = formatdate(time.time(), usegmt=True)
        self.transport.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {date}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )


async def _serve(delay_s: float) -> None:
    _Server.delay_s = delay_s
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    listener = socket.socket()
    # All addresses 127.x.y.z, and nothing from outside.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
    listener.bind(("0.0.0.0", 0))
    server = await asyncio.get_running_loop().create_server(_Server, sock=listener, backlog=4096)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


def _tallyd() -> Callable[[list[str]], None]:
    from tallyd.adapters.http.client import HttpClient  # noqa: PLC0415 # in this child alone
    from tallyd.contract.toolbox import Toolbox  # noqa: PLC0415 # in this child alone
    from tallyd.core.reading import Slot  # noqa: PLC0415 # in this child alone
    from tallyd.pollers.servers.poller import ServersPoller  # noqa: PLC0415 # in this child alone

    client = HttpClient(user_agent="tallyd-bench", timeout_s=10.0)

    def now() -> datetime:
        return datetime.now(UTC)

    tools = Toolbox(
        poller="apps",
        zone=UTC,
        now=now,
        stop=lambda: False,
        alive=lambda: None,
        http=client,
        retry=lambda attempt: attempt(),
        memory=dict,
        is_by_hand=True,
    )

    def ask(urls: list[str]) -> None:
        targets = {f"server {number}": {"url": url} for number, url in enumerate(urls)}
        text = json.dumps({"kind": "servers", "workers": WORKERS, "targets": targets})
        (job,) = ServersPoller.model_validate_json(text).jobs()
        (reading,) = job.run(Slot(None, now()), tools)
        facts: Any = reading.facts
        if facts["counts"]["fresh"] != len(urls):
            raise RuntimeError(f"not all are fresh: {facts['counts']}")

    return ask


def _bare() -> Callable[[list[str]], None]:
    import requests  # noqa: PLC0415 # in this child alone

    pool = ThreadPoolExecutor(WORKERS)
    local = threading.local()

    def get(url: str) -> bytes:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        body: bytes = local.session.get(url, timeout=10).content
        return body

    return lambda urls: [None for _ in pool.map(get, urls)].clear()


# -- ten thousand --------------------------------------------------------------------------------------------


def _large() -> bool:
    """Watch a daemon; return whether the healthy targets keep their interval, and the daemon stays small."""
    with tempfile.TemporaryDirectory() as folder, _serving(0.05) as port:
        home = Path(folder)
        targets = {
            f"server {number}": {
                "url": f"http://127.{number // 250 + 1}.{number % 250 + 1}.{1 + number % 2}:{port}/"
            }
            for number in range(LARGE)
        }
        (home / "targets.json").write_text(json.dumps(targets))
        poller = {"kind": "servers", "targets_file": "targets.json", "defaults": {"log_changes": False}}
        (home / "config.json").write_text(json.dumps({"pollers": {"apps": poller}}))
        daemon = subprocess.Popen(
            [sys.executable, "-m", "tallyd", "--config", str(home / "config.json"), "run"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(LARGE_ROUNDS / 2 * LARGE_S)
            half_way = memory_mib(daemon.pid, "VmHWM")
            most_threads = 0
            for _ in range(int(LARGE_ROUNDS / 2 * LARGE_S)):
                time.sleep(1.0)
                most_threads = max(most_threads, len(list(Path(f"/proc/{daemon.pid}/task").iterdir())))
            used_s, rss = cpu_s(daemon.pid), memory_mib(daemon.pid, "VmHWM")
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{SEEN}") as answer:
                seen = json.load(answer)
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(60)
    off = sorted(
        abs(after - before - LARGE_S) / LARGE_S for each in seen for before, after in pairwise(each)
    ) or [1.0]
    print(f"\n{LARGE:,} targets at as many addresses, half of them hang; {LARGE_ROUNDS} rounds of a daemon:")
    print(f"{len(seen):,} healthy ones were asked, {sum(map(len, seen)):,} times; CPU in all {used_s:.0f} s")
    what = f"{LARGE:,} targets, half of them hang"
    verdicts = (
        reached(f"{what}: healthy ones asked", len(seen), at_least=LARGE / 2),
        reached(f"{what}: interval off by (median)", statistics.median(off), at_most=MOST_OFF),
        reached(f"{what}: interval off by (p99)", off[len(off) * 99 // 100], at_most=MOST_OFF),
        reached(f"{what}: threads", most_threads, at_most=MOST_THREADS),
        reached(f"{what}: peak memory", rss, "MiB", at_most=LARGE_MIB),
        reached(f"{what}: memory, growth in the second half", rss - half_way, "MiB", at_most=MOST_GROWTH_MIB),
    )
    return all(verdicts)


if __name__ == "__main__":
    sys.exit(main())
