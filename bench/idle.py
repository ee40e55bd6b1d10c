"""What tallyd costs while it waits, beside the loop that one would write by hand.

    python bench/idle.py [--seconds 60]

Prints how long `--version` and `--help` take, how long `run` needs until it is ready (READY=1), and, for the
idle daemon, CPU in per cent of a core and resident memory. Beside it runs a bare `schedule` loop with
`requests` imported and one job a day; times are noisy, the ratios hold.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from figures import reached
from support.processes import cpu_s, memory_mib

BARE = """
import time, requests, schedule
schedule.every().day.at("03:00").do(print)
while True:
    schedule.run_pending()
    time.sleep(1)
"""
LIMITS = {"--version": 0.08, "--help": 0.5, "ready": 1.5, "cpu": 0.05, "rss": 52.0}


@dataclass(frozen=True)
class Cost:
    """CPU in per cent of a core, resident memory in MiB."""

    cpu_percent: float
    rss_mib: float


def main() -> int:
    """Measure and print; exit status 1 when a limit is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to watch the idle processes")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        figures = {
            "--version": _command_s("--version"),
            "--help": _command_s("--help"),
        }
        config = _config(Path(folder))
        daemon, figures["ready"] = _ready(config)
        bare = subprocess.Popen([sys.executable, "-c", BARE])
        try:
            time.sleep(3.0)  # let both settle
            ours, theirs = _watch([daemon.pid, bare.pid], seconds)
        finally:
            daemon.terminate()
            bare.kill()
            daemon.wait()
            bare.wait()
    figures |= {"cpu": ours.cpu_percent, "rss": ours.rss_mib}
    units = {"cpu": "% of a core", "rss": "MiB"}
    print(f"bare loop  cpu {theirs.cpu_percent:.3f} %, rss {theirs.rss_mib:.1f} MiB")
    print(f"ratio      rss {ours.rss_mib / theirs.rss_mib:.2f}x")
    verdicts = [
        reached(name, value, units.get(name, "s"), at_most=LIMITS[name]) for name, value in figures.items()
    ]
    return 0 if all(verdicts) else 1


def _command_s(argument: str) -> float:
    """Return the median time of five calls, in seconds."""
    taken = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([_tallyd(), argument], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


def _tallyd() -> str:
    return str(Path(sys.executable).with_name("tallyd"))


def _config(folder: Path) -> Path:
    path = folder / "config.json"
    poller = {
        "kind": "divera",
        "url": "http://127.0.0.1:9/api/users",
        "accesskey": "bench-key-1",
        "at": ["03:00"],
        "days": ["sun"] if time.gmtime().tm_wday != 6 else ["wed"],
    }
    path.write_text(json.dumps({"timezone": "UTC", "pollers": {"divera": poller}}))
    return path


def _ready(config: Path) -> tuple[subprocess.Popen[bytes], float]:
    """Start the daemon; return it and the seconds until READY=1."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        address = f"tallyd-bench-{os.getpid()}"
        listener.bind("\0" + address)
        listener.settimeout(30)
        began = time.monotonic()
        daemon = subprocess.Popen(
            [_tallyd(), "--config", str(config), "run"],
            env={**os.environ, "NOTIFY_SOCKET": "@" + address},
            stderr=subprocess.DEVNULL,
        )
        while b"READY=1" not in listener.recv(65536):
            pass
        return daemon, time.monotonic() - began


def _watch(pids: list[int], seconds: float) -> list[Cost]:
    before = [cpu_s(pid) for pid in pids]
    began = time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    return [
        Cost((cpu_s(pid) - used_s) / elapsed * 100, memory_mib(pid))
        for pid, used_s in zip(pids, before, strict=True)
    ]


if __name__ == "__main__":
    sys.exit(main())
