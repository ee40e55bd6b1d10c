"""What many targets cost that are all down: commands, the page, the API, a reload, memory.

    python bench/scale.py [--targets 10000]

The real daemon with so many targets at a port on which nobody listens. Once all of them have an open alert,
each command and each address is asked for five times, from outside, as a person does; the median counts. The
daemon goes on checking meanwhile. A reload is the time from SIGHUP until the changed `targets_file` is
active.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from figures import reached
from support.processes import free_port, memory_mib, wait_for_port

TIMES = 5
WITHIN_S = 600.0
COMMANDS = {"alerts": 1.0, "status": 1.0}
ADDRESSES = {
    "healthz": 0.05,
    "api/v1/alerts": 0.05,
    "": 0.3,
    "poller/apps": 0.3,
    "poller/apps?target=server%200": 0.3,
    "incidents": 0.3,
    "metrics": 0.3,
}
RELOAD_S = 2.0
MEMORY_MIB = {10_000: 250.0, 50_000: 450.0}
"""The most that the process may have, by the number of targets."""


def main() -> int:
    """Measure and print; exit status 1 when a limit is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--targets", type=int, default=10_000)
    targets = parser.parse_args().targets
    with tempfile.TemporaryDirectory(prefix="tallyd-bench-") as folder:
        port = free_port()
        config = _config(Path(folder), targets, port)
        log = Path(folder) / "stderr.txt"
        with log.open("wb") as to:
            daemon = subprocess.Popen([_tallyd(), "--config", config, "run"], stderr=to)
        try:
            wait_for_port(port)
            _wait(lambda: json.loads(_get(port, "api/v1/status"))["problems"] >= targets)
            verdicts = _measured(targets, config, port)
            verdicts.append(_reload(daemon, config, targets, log))
            verdicts.append(
                reached(
                    f"{targets:,} targets: peak memory",
                    memory_mib(daemon.pid, "VmHWM"),
                    "MiB",
                    at_most=next((most for count, most in MEMORY_MIB.items() if targets <= count), None),
                )
            )
        finally:
            daemon.terminate()
            daemon.wait()
    return 0 if all(verdicts) else 1


def _measured(targets: int, config: Path, port: int) -> list[bool]:
    verdicts = []
    for command, most_s in COMMANDS.items():
        took_s = _median_s(lambda command=command: _call(config, command))  # type: ignore[misc] # mypy loses the default's type
        verdicts.append(reached(f"{targets:,} targets: tallyd {command}", took_s, "s", at_most=most_s))
    for address, most_s in ADDRESSES.items():
        took_s = _median_s(lambda address=address: _get(port, address), pause_s=1.1)  # type: ignore[misc] # as above
        verdicts.append(reached(f"{targets:,} targets: /{address}", took_s, "s", at_most=most_s))
    return verdicts


def _median_s(ask: Callable[[], object], *, pause_s: float = 0.0) -> float:
    """Return how long it takes, in seconds. After a pause of over a second the page is made anew."""
    took_s = []
    for _ in range(TIMES):
        time.sleep(pause_s)
        began_s = time.monotonic()
        ask()
        took_s.append(time.monotonic() - began_s)
    return statistics.median(took_s)


def _reload(daemon: subprocess.Popen[bytes], config: Path, targets: int, log: Path) -> bool:
    path = config.with_name("targets.json")
    content = json.loads(path.read_text())
    loaded = log.read_text().count("config loaded")
    path.write_text(json.dumps({**content, "one more": content["server 0"]}))
    began_s = time.monotonic()
    daemon.send_signal(signal.SIGHUP)
    _wait(lambda: log.read_text().count("config loaded") > loaded)
    took_s = time.monotonic() - began_s
    return reached(f"{targets:,} targets: reload of a targets_file", took_s, "s", at_most=RELOAD_S)


def _config(folder: Path, targets: int, port: int) -> Path:
    found = {f"server {number}": {"url": f"http://127.0.0.1:9/{number}"} for number in range(targets)}
    (folder / "targets.json").write_text(json.dumps(found))
    poller = {"kind": "servers", "every": "2m", "targets_file": "targets.json"}
    path = folder / "config.json"
    content = {"timezone": "UTC", "web": {"listen": f"127.0.0.1:{port}"}, "pollers": {"apps": poller}}
    path.write_text(json.dumps(content))
    return path


def _tallyd() -> str:
    return str(Path(sys.executable).with_name("tallyd"))


def _call(config: Path, command: str) -> None:
    subprocess.run([_tallyd(), "--config", config, command], check=True, stdout=subprocess.DEVNULL)


def _get(port: int, address: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{address}", timeout=WITHIN_S) as response:
        found: bytes = response.read()
    return found


def _wait(is_so: Callable[[], bool]) -> None:
    until_s = time.monotonic() + WITHIN_S
    while not is_so():
        assert time.monotonic() < until_s, f"not within {WITHIN_S:.0f} s"
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
