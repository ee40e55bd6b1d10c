"""What the page weighs, how soon it answers, and what those who look cost the pollers.

    python bench/web.py [--seconds 30] [--rounds 2]

The daemon runs in the small world of the demo, with a reading of people every second, reports of visitors and
checks of servers. Quiet times and times under load take turns: 200 connections that are opened and never ask
(a hundred of them are let in), a scraper that asks every second, and five browsers that keep their views
current. Beside its metrics the same ones are served by prometheus-client's own `start_http_server` in a bare
process, which computes nothing: it has them at hand.

A slot is begun up to a second late by the schedule itself, which looks at whole seconds. Times are noisy, the
ratios hold.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from figures import reached
from support.processes import cpu_s, free_port, memory_mib, wait_for_port
from support.webworld import world
from tallyd.demo.world import cameras, chat, divera, servers, upstream

VIEWS = ("/", "/poller/people", "/poller/visitors", "/poller/servers")
LIVE = ("/?live=1", "/?live=1", "/poller/people?live=1", "/poller/visitors?live=1", "/poller/servers?live=1")
ASKED = ("/", "/?live=1", "/poller/visitors", "/poller/people", "/metrics", "/healthz")
OPEN, LIVE_EVERY_S, SCRAPE_EVERY_S = 200, 4.0, 1.0
ZONE = ZoneInfo("Europe/Berlin")
REFUSED_S = 10.0
"""What a connection counts that was cut off."""
LIMITS = {"view kB": 60.0, "memory MiB": 40.0, "first byte s": 0.25, "lateness ratio": 1.5}
RUNS = re.compile(r"tallyd_job_run_seconds_(count|sum)\{(.*?)\} (\S+)")
LINK = re.compile(r'(?:src|href)="([^"]*static/[^"]+)"')

# What prometheus-client's documentation shows, with the families of a text.
BARE = """
import sys, time
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(open(sys.argv[2]).read()))
class Collector:
    def describe(self): return []
    def collect(self): return families
registry = CollectorRegistry()
registry.register(Collector())
start_http_server(int(sys.argv[1]), "127.0.0.1", registry)
time.sleep(10**6)
"""


def main() -> int:
    """Measure and print; exit status 1 when a limit is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each time is")
    parser.add_argument("--rounds", type=int, default=2, help="how often to measure each")
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.load is not None:
        _load(asked.load)
        return 0
    print(f"load average at the beginning {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(prefix="tallyd-bench-") as folder:
        kept = _measure(Path(folder), asked.seconds, asked.rounds)
    print(f"load average at the end {os.getloadavg()[0]:.1f}")
    return 0 if all(kept) else 1


def _measure(folder: Path, seconds: float, rounds: int) -> list[bool]:
    (folder / "inbox").mkdir()  # the cameras drop files into the inbox of whoever runs
    with world(folder / "inbox") as address:
        bare_mib = _memory_without(folder / "without", address, settle_s=10.0)
        with _daemon(folder / "with", address, has_page=True) as (daemon, port):
            _settle(port)
            kept = [_memory(daemon.pid, bare_mib), _weights(port)]
            kept.append(_turns(daemon.pid, folder / "with", port, seconds, rounds))
            kept.append(_memory(daemon.pid, bare_mib, after="after the load"))
            _beside_prometheus(folder, port)
    return kept


def _kept(name: str, value: float) -> bool:
    return reached(f"page: {name}", value, at_most=LIMITS[name])


# -- what runs -----------------------------------------------------------------------------------------------


@contextmanager
def _daemon(folder: Path, address: str, *, has_page: bool) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    folder.mkdir()
    port = free_port()
    (folder / "config.json").write_text(json.dumps(_config(folder, address, port if has_page else None)))
    command = [sys.executable, "-m", "tallyd", "--config", str(folder / "config.json"), "run"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _config(folder: Path, address: str, port: int | None) -> dict[str, object]:
    begin = datetime.now(ZONE)
    times = [f"{begin + timedelta(seconds=number):%H:%M:%S}" for number in range(5, 1800)]
    return {
        "timezone": str(ZONE),
        "calendars": servers.calendars(),
        "channels": {chat.CHANNEL: chat.webhook(address)},
        "alerts": {"channels": [chat.CHANNEL]},
        **({"web": {"listen": f"127.0.0.1:{port}"}} if port else {}),
        "pollers": {
            "people": {**divera.poller(address), "accesskey": divera.KEY, "at": times},
            "visitors": {
                **cameras.poller(str(folder.parent / "inbox")),
                "report": upstream.report(address, every="10s"),
            },
            "servers": {**servers.poller(address), "every": "2s"},
        },
    }


def _settle(port: int) -> None:
    """Wait until it answers and every view was made once, and a while for what is counted first."""
    deadline = time.monotonic() + 30
    while True:
        try:
            _ask(port, "/healthz")
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    time.sleep(10)
    for path in (*VIEWS, *LIVE, *ASKED):
        _ask(port, path)


def _ask(port: int, path: str, *, takes: str = "gzip") -> tuple[float, bytes, bool]:
    """Return seconds to the first byte over a new connection, the body as it came, whether it is packed."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        began_s = time.perf_counter()
        connection.request("GET", path, headers={"Accept-Encoding": takes})
        answer = connection.getresponse()
        first_s = time.perf_counter() - began_s
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{path}: HTTP {answer.status}")
    return first_s, body, answer.getheader("content-encoding") == "gzip"


def _text(port: int, path: str) -> str:
    return _ask(port, path, takes="identity")[1].decode()


# -- memory and weight ---------------------------------------------------------------------------------------


def _memory_without(folder: Path, address: str, *, settle_s: float) -> float:
    with _daemon(folder, address, has_page=False) as (daemon, _port):
        time.sleep(10 + settle_s)
        return memory_mib(daemon.pid)


def _memory(pid: int, without_mib: float, *, after: str = "each view once looked at") -> bool:
    found = memory_mib(pid)
    print(f"\nmemory: without web {without_mib:.0f} MiB, with it ({after}) {found:.0f} MiB")
    return _kept("memory MiB", found - without_mib)


def _weights(port: int) -> bool:
    """Print what each view weighs; return whether all of them are light."""
    print(f"\n{'view':24} {'plain':>9} {'sent':>9} {'with its assets':>16} {'kept current':>13}   bytes")
    heaviest = 0
    for view in VIEWS:
        sent, plain = _weight(port, view)
        page = _text(port, view)
        links = sorted({urljoin(view, link.replace("&amp;", "&")) for link in LINK.findall(page)})
        assets = sum(_weight(port, link)[0] for link in links)
        live = _weight(port, view + "?live=1")[0]
        print(f"{view:24} {plain:9,} {sent:9,} {sent + assets:16,} {live:13,}")
        heaviest = max(heaviest, sent + assets)
    for path in ("/metrics", "/api/v1/status"):
        sent, plain = _weight(port, path)
        print(f"{path:24} {plain:9,} {sent:9,}")
    return _kept("view kB", heaviest / 1000)


def _weight(port: int, path: str) -> tuple[int, int]:
    """Return the bytes of a body as they are sent, and unpacked."""
    _, body, is_packed = _ask(port, path)
    return len(body), len(gzip.decompress(body)) if is_packed else len(body)


# -- with and without load -----------------------------------------------------------------------------------


def _turns(pid: int, folder: Path, port: int, seconds: float, rounds: int) -> bool:
    """Print first bytes, lateness and CPU in turns; return whether the pollers and who asks bear the load."""
    first: dict[bool, dict[str, list[float]]] = {is_loaded: {} for is_loaded in (False, True)}
    late_s: dict[bool, list[float]] = {False: [], True: []}
    cpu: dict[bool, list[float]] = {False: [], True: []}
    took: dict[bool, dict[str, list[tuple[float, float]]]] = {False: {}, True: {}}
    for number in range(2 * rounds):
        is_loaded = number % 2 == 1
        begin, used_s, began_s = datetime.now(ZONE), cpu_s(pid), time.monotonic()
        runs = _runs(port)
        with _loaded(port) if is_loaded else _quiet():
            _sample(port, seconds, first[is_loaded])
        for job, (count, sum_s) in _runs(port).items():
            took[is_loaded].setdefault(job, []).append((count - runs[job][0], sum_s - runs[job][1]))
        cpu[is_loaded].append((cpu_s(pid) - used_s) / (time.monotonic() - began_s) * 100)
        late_s[is_loaded] += _lateness(folder, begin)
    print(
        f"\n{'first byte, ms':24} {'quiet p50':>10} {'p99':>6} {'load p50':>10} {'p99':>6} {'ratio p50':>10}"
    )
    for path in ASKED:
        quiet, loaded = first[False][path], first[True][path]
        ratio = statistics.median(loaded) / statistics.median(quiet)
        print(
            f"{path:24} {_ms(quiet, 50)} {_ms(quiet, 99)} {_ms(loaded, 50)} {_ms(loaded, 99)} {ratio:10.2f}"
        )
    print(f"{'slots begun late, ms':24} {_ms(late_s[False], 50)} {_ms(late_s[False], 99)}", end=" ")
    slots = f"({len(late_s[False])} and {len(late_s[True])} slots)"
    print(f"{_ms(late_s[True], 50)} {_ms(late_s[True], 99)}   {slots}")
    for job, quiet_runs in took[False].items():
        quiet_ms, loaded_ms = _mean_ms(quiet_runs), _mean_ms(took[True][job])
        print(f"{'a run of ' + job:24} {quiet_ms:10.1f} {'mean':>6} {loaded_ms:10.1f} {'mean':>6}")
    quiet_cpu, loaded_cpu = statistics.mean(cpu[False]), statistics.mean(cpu[True])
    print(f"CPU of the daemon: {quiet_cpu:.1f} % of a core, under load {loaded_cpu:.1f} %")
    worst_s = max(statistics.median(first[True][path]) for path in ASKED)
    later = _percentile(late_s[True], 99) / _percentile(late_s[False], 99)
    return all([_kept("first byte s", worst_s), _kept("lateness ratio", later)])


def _sample(port: int, seconds: float, found: dict[str, list[float]]) -> None:
    """Ask for one thing after the other, ten a second; what was made within a second is given again."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        for path in ASKED:
            times = found.setdefault(path, [])
            try:
                times.append(_ask(port, path)[0])
            except OSError:
                times.append(REFUSED_S)
            time.sleep(0.1)


def _runs(port: int) -> dict[str, tuple[float, float]]:
    """Return how many runs of each job there were, and how long they took together, in seconds."""
    found: dict[str, dict[str, float]] = {}
    for kind, poller, value in RUNS.findall(_text(port, "/metrics")):
        found.setdefault(poller, {})[kind] = float(value)
    return {name: (each["count"], each["sum"]) for name, each in found.items()}


def _mean_ms(turns: Sequence[tuple[float, float]]) -> float:
    return sum(sum_s for _, sum_s in turns) / max(1.0, sum(count for count, _ in turns)) * 1000


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _ms(values: Sequence[float], percent: int) -> str:
    return f"{_percentile(values, percent) * 1000:{10 if percent == 50 else 6}.1f}"


def _lateness(folder: Path, since: datetime) -> list[float]:
    """Return how late each slot since then was begun, in seconds, of people and of reports."""
    found = []
    for name in ("people", "visitors"):
        for file in (folder / "out" / name).glob("20*/*.json"):
            content = json.loads(file.read_text())
            if datetime.fromisoformat(content["due_at"]) >= since:
                found.append(float(content["late_s"]))
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    yield


@contextmanager
def _loaded(port: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, __file__, "--load", str(port)], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def _load(port: int) -> None:
    """Be the load until killed: idle connections that are opened anew, a scraper, browsers."""
    for path in LIVE:
        threading.Thread(target=_again, args=(port, path, LIVE_EVERY_S), daemon=True).start()
    threading.Thread(target=_again, args=(port, "/metrics", SCRAPE_EVERY_S), daemon=True).start()
    print("loading", flush=True)
    while True:
        held = []
        for _ in range(OPEN):
            with suppress(OSError):
                held.append(socket.create_connection(("127.0.0.1", port), timeout=5))
        time.sleep(8)
        for each in held:
            each.close()


def _again(port: int, path: str, every_s: float) -> None:
    while True:
        began_s = time.monotonic()
        with suppress(OSError, http.client.HTTPException):
            _ask(port, path)
        time.sleep(max(0.0, began_s + every_s - time.monotonic()))


# -- beside prometheus-client --------------------------------------------------------------------------------


def _beside_prometheus(folder: Path, port: int) -> None:
    """Print how soon the same metrics come from tallyd and from prometheus-client alone, in turns."""
    text = folder / "metrics.txt"
    text.write_text(_text(port, "/metrics"))
    bare_port = free_port()
    process = subprocess.Popen([sys.executable, "-c", BARE, str(bare_port), str(text)])
    try:
        anew: dict[int, list[float]] = {port: [], bare_port: []}
        again: dict[int, list[float]] = {port: [], bare_port: []}
        wait_for_port(bare_port)
        for _ in range(40):
            time.sleep(1.05)  # so that tallyd makes it anew
            for each in (port, bare_port):
                anew[each].append(_ask(each, "/metrics")[0])
            for each in (port, bare_port):
                again[each].append(_ask(each, "/metrics")[0])
        theirs_mib = memory_mib(process.pid)
    finally:
        process.kill()
        process.wait()
    print(
        f"\n{'/metrics, ms':24} {'tallyd p50':>11} {'p99':>6} {'bare p50':>10} {'p99':>6} {'ratio p50':>10}"
    )
    for name, times in {"made anew": anew, "within a second": again}.items():
        ours, theirs = times[port], times[bare_port]
        ratio = statistics.median(ours) / statistics.median(theirs)
        print(f"{name:25} {_ms(ours, 50)} {_ms(ours, 99)} {_ms(theirs, 50)} {_ms(theirs, 99)} {ratio:10.2f}")
    print(f"memory of the bare process: {theirs_mib:.0f} MiB")


if __name__ == "__main__":
    sys.exit(main())
