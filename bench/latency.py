"""How long a small file lies in the inbox before it is stored.

    python bench/latency.py [--per-second 50] [--seconds 20]

The real daemon, with files renamed into its inbox at a steady pace. Measured is the time from just before the
rename to the moment at which another connection to the database sees the file in the ledger; it looks every
two milliseconds. Prints percentiles.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from figures import reached

MOST_S = {50: 0.025, 99: 0.08}
LOOKS_EVERY_S = 0.002
WITHIN_S = 30.0


def main() -> int:
    """Measure and print; exit status 1 when a limit is not kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--per-second", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tallyd-bench-") as folder:
        config = _config(Path(folder))
        tallyd = Path(sys.executable).with_name("tallyd")
        daemon = subprocess.Popen([tallyd, "--config", config, "run"], stderr=subprocess.DEVNULL)
        try:
            waits_s = _measure(Path(folder), per_second=asked.per_second, seconds=asked.seconds)
        finally:
            daemon.terminate()
            daemon.wait()
    cuts = statistics.quantiles(waits_s, n=100)
    print(f"{len(waits_s)} files, {asked.per_second:g} a second, from rename to commit:")
    print(f"  max  {max(waits_s):.3f} s")
    verdicts = [
        reached(f"rename to commit, p{percent}", cuts[percent - 1] * 1000, "ms", at_most=most_s * 1000)
        for percent, most_s in MOST_S.items()
    ]
    return 0 if all(verdicts) else 1


def _config(folder: Path) -> Path:
    (folder / "inbox" / "visitors" / "12").mkdir(parents=True)
    path = folder / "config.json"
    poller = {"kind": "visitors", "inbox": "inbox/visitors"}
    path.write_text(json.dumps({"timezone": "UTC", "pollers": {"visitors": poller}}))
    return path


def _measure(folder: Path, *, per_second: float, seconds: float) -> list[float]:
    """Drop files at a steady pace; return how long each took, in seconds. Raises TimeoutError."""
    database = folder / "state" / "records.db"
    dropped: dict[bytes, float] = {}
    _drop(folder, 0, dropped)
    first = _watch(database, 1)  # the start, which is not measured
    pace = threading.Thread(target=_drop_all, args=(folder, dropped, per_second, seconds))
    pace.start()
    seen = _watch(database, 1 + int(per_second * seconds), within_s=seconds + WITHIN_S)
    pace.join()
    return [at - dropped[sha] for sha, at in seen.items() if sha not in first]


def _drop_all(folder: Path, dropped: dict[bytes, float], per_second: float, seconds: float) -> None:
    began_s = time.monotonic()
    for number in range(1, int(per_second * seconds) + 1):
        time.sleep(max(0.0, began_s + number / per_second - time.monotonic()))
        _drop(folder, number, dropped)


def _drop(folder: Path, number: int, dropped: dict[bytes, float]) -> None:
    text = f"{datetime.now(UTC):%Y%m%d%H%M%S}"
    records = [{"ID": number * 8 + n, "inOut": n % 3, "time": text, "frameNumber": n} for n in range(8)]
    content = json.dumps(records).encode()
    inbox = folder / "inbox" / "visitors" / "12"
    beside = inbox / f"{number}.tmp"
    beside.write_bytes(content)
    dropped[hashlib.sha256(content).digest()] = time.monotonic()
    beside.rename(inbox / f"{text}-{number}.json")


def _watch(database: Path, expected: int, *, within_s: float = WITHIN_S) -> dict[bytes, float]:
    """Look into the ledger until it has `expected` files; return when each was seen there first."""
    seen: dict[bytes, float] = {}
    newest = 0
    until_s = time.monotonic() + within_s
    while not database.exists():
        _wait(until_s, "no database")
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        while len(seen) < expected:
            _wait(until_s, f"{len(seen)} of {expected} files stored")
            found: list[tuple[int, bytes]] = []
            with suppress(sqlite3.OperationalError):  # its tables are being made
                found = db.execute("SELECT id, sha256 FROM ingested_file WHERE id > ?", (newest,)).fetchall()
            at_s = time.monotonic()
            seen |= {sha: at_s for _, sha in found}
            newest = max([newest, *(number for number, _ in found)])
    return seen


def _wait(until_s: float, what: str) -> None:
    if time.monotonic() > until_s:
        raise TimeoutError(what)
    time.sleep(LOOKS_EVERY_S)


if __name__ == "__main__":
    sys.exit(main())
