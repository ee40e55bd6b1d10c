"""How fast visitors' files are taken, beside what one would write by hand, and what that costs in memory.

    python bench/ingest.py [--rounds 3] [--scale 1.0] [--only small large huge postgresql mariadb]

Two sets of files: many small ones (10,000 of 8 records), and a few large ones (20 of 50,000). Each is taken
by three programs, one after the other, and so in each round:

limit        orjson, executemany, one transaction a file, WAL, synchronous=FULL: what the disk allows. It
             checks nothing, knows nothing of repeats, counts no minutes, moves no file.
sqlite-utils its `insert_all`, a file at a time.
tallyd       `tallyd once`, from the start of the process to its end: checks, ledger, minute counts, moves.

Each program has its byte code, as an installation leaves it: it runs once before the first round.

Prints records and files a second, the largest resident memory, and ratios of the medians. `huge` is one file
ten times as large as a large one. `postgresql` and `mariadb` take the large set into a server that is started
for it, beside a program by hand that inserts in batches, a transaction a file.
orjson and sqlite-utils go into an environment of their own, in a temporary folder or in `--tools`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from figures import reached
from served import is_installed, server

PARTS = ("small", "large", "huge", "postgresql", "mariadb")
TOOLS = ("orjson", "sqlite-utils")
TARGETS = {
    ("large", "limit"): 1.0,
    ("large", "sqlite-utils"): 3.5,
    ("small", "limit"): 1.5,
    ("small", "sqlite-utils"): 2.5,
}
MOST_MIB = 90.0
SERVED_TARGETS = {"postgresql": 4.0, "mariadb": 1.5}
POSTGRESQL_K = 300

LIMIT = """
import orjson, sqlite3, sys
from pathlib import Path
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE passage (source TEXT, person INTEGER, way INTEGER, seen_at TEXT, frame INTEGER)")
for file in sorted(Path(sys.argv[2]).glob("*/*.json")):
    rows = [("12", r["ID"], r["inOut"], r["time"], r["frameNumber"]) for r in orjson.loads(file.read_bytes())]
    db.execute("BEGIN IMMEDIATE")
    db.executemany("INSERT INTO passage VALUES (?, ?, ?, ?, ?)", rows)
    db.execute("COMMIT")
"""
SQLITE_UTILS = """
import json, sys
from pathlib import Path
import sqlite_utils
db = sqlite_utils.Database(sys.argv[1])
db.enable_wal()
for file in sorted(Path(sys.argv[2]).glob("*/*.json")):
    db["passage"].insert_all(json.loads(file.read_bytes()))
"""
BATCHES = {
    "postgresql": """
import msgspec, psycopg, sys
from pathlib import Path
url = sys.argv[1].replace("+psycopg", "")
with psycopg.connect(url) as db:
    db.execute("CREATE TABLE passage (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text,"
               " person bigint, way int, seen_at timestamp, frame bigint)")
    for file in sorted(Path(sys.argv[2]).glob("*/*.json")):
        rows = [("12", r["ID"], r["inOut"], r["outputTime"], r["frameNumber"])
                for r in msgspec.json.decode(file.read_bytes())]
        db.cursor().executemany(
            "INSERT INTO passage (source, person, way, seen_at, frame)"
            " VALUES (%s, %s, %s, to_timestamp(%s, 'YYYYMMDDHH24MISS'), %s)", rows)
        db.commit()
""",
    "mariadb": """
import msgspec, pymysql, sys
from pathlib import Path
db = pymysql.connect(unix_socket=sys.argv[1].rpartition("=")[2], user="root", database="bench")
cursor = db.cursor()
cursor.execute("CREATE TABLE passage (id BIGINT AUTO_INCREMENT PRIMARY KEY, source VARCHAR(200),"
               " person BIGINT, way INT, seen_at DATETIME, frame BIGINT)")
for file in sorted(Path(sys.argv[2]).glob("*/*.json")):
    rows = [("12", r["ID"], r["inOut"], r["outputTime"], r["frameNumber"])
            for r in msgspec.json.decode(file.read_bytes())]
    cursor.executemany("INSERT INTO passage (source, person, way, seen_at, frame)"
                       " VALUES (%s, %s, %s, %s, %s)", rows)
    db.commit()
""",
}


@dataclass(frozen=True)
class FileSet:
    """A number of files with a number of records each."""

    name: str
    files: int
    records: int

    @property
    def all_records(self) -> int:
        return self.files * self.records


@dataclass(frozen=True)
class Cost:
    """What one program took for one set."""

    seconds: float
    rss_mib: float


def main() -> int:
    """Measure and print; exit status 1 when a target is not reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="so much of the numbers of files")
    parser.add_argument("--only", nargs="+", choices=PARTS)
    parser.add_argument("--tools", type=Path, help="environment of the tools beside it; kept")
    asked = parser.parse_args()
    wanted = asked.only or PARTS
    small, large = (
        FileSet("small", int(10_000 * asked.scale), 8),
        FileSet("large", int(20 * asked.scale) or 1, 50_000),
    )
    with tempfile.TemporaryDirectory(prefix="tallyd-bench-") as folder:
        work = Path(folder)
        tools = _tools(asked.tools or work / "tools") if {"small", "large"} & {*wanted} else None
        is_reached = True
        for files in (small, large):
            if files.name in wanted and tools is not None:
                is_reached &= _compare(work, files, tools, asked.rounds)
        if "huge" in wanted:
            is_reached &= _huge(work, FileSet("huge", 1, 500_000))
        for kind in BATCHES:
            if kind in wanted:
                is_reached &= _served(work, kind, large, asked.rounds)
    return 0 if is_reached else 1


# -- what is measured ----------------------------------------------------------------------------------------


def _compare(work: Path, files: FileSet, tools: Path, rounds: int) -> bool:
    made = make(work / files.name, files)
    programs: dict[str, Callable[[Path], Cost]] = {
        "limit": lambda round_: _by_hand(round_, made, tools, LIMIT),
        "sqlite-utils": lambda round_: _by_hand(round_, made, tools, SQLITE_UTILS),
        "tallyd": lambda round_: take(round_, made),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in programs}
    _warm_up(work)
    print(f"\n{files.name}: {files.files} files x {files.records} records")
    for _ in range(rounds):
        for name, run in programs.items():
            with tempfile.TemporaryDirectory(dir=work) as folder:
                costs[name].append(run(Path(folder)))
    for name, found in costs.items():
        print(f"  {name:12} {_told(files, found)}")
    ours = _median_s(costs["tallyd"])
    rss_mib = max(cost.rss_mib for cost in costs["tallyd"])
    is_reached = True
    for name in ("limit", "sqlite-utils"):
        ratio, target = _median_s(costs[name]) / ours, TARGETS[files.name, name]
        is_reached &= reached(f"{files.name} files: tallyd to {name}", ratio, "x", at_least=target)
    is_reached &= reached(f"{files.name} files: peak memory", rss_mib, "MiB", at_most=MOST_MIB)
    shutil.rmtree(made)
    return is_reached


def _warm_up(work: Path) -> None:
    """Have tallyd's byte code written; that of the tools was when they were installed."""
    with tempfile.TemporaryDirectory(dir=work) as folder:
        take(Path(folder), make(Path(folder) / "made", FileSet("few", 2, 2)))


def _huge(work: Path, files: FileSet) -> bool:
    made = make(work / files.name, files)
    with tempfile.TemporaryDirectory(dir=work) as folder:
        cost = take(Path(folder), made)
    print(f"\n{files.name}: 1 file x {files.records} records\n  tallyd       {_told(files, [cost])}")
    return reached("a file ten times as large: peak memory", cost.rss_mib, "MiB", at_most=MOST_MIB)


def _served(work: Path, kind: str, files: FileSet, rounds: int) -> bool:
    print(f"\n{kind}: {files.files} files x {files.records} records")
    if not is_installed(kind):
        print(f"  not measured: {kind} is not installed")
        return True
    made = make(work / "served", files)
    costs: dict[str, list[Cost]] = {"batches": [], "tallyd": []}
    _warm_up(work)
    for _ in range(rounds):
        for name, found in costs.items():
            # A new server each time: no vacuum of an earlier round runs meanwhile.
            with server(kind) as url, tempfile.TemporaryDirectory(dir=work) as folder:
                if name == "tallyd":
                    # Its tables are there, as on every day but the first. To make them takes a second.
                    take(Path(folder) / "before", make(Path(folder) / "few", FileSet("few", 2, 2)), url=url)
                    found.append(take(Path(folder) / "all", made, url=url))
                else:
                    found.append(_run([sys.executable, "-c", BATCHES[kind], url, str(made)]))
    shutil.rmtree(made)
    for name, found in costs.items():
        print(f"  {name:12} {_told(files, found)}")
    ours, rss_mib = _median_s(costs["tallyd"]), max(cost.rss_mib for cost in costs["tallyd"])
    ratio = _median_s(costs["batches"]) / ours
    is_fast = reached(f"{kind}: tallyd to INSERT in batches", ratio, "x", at_least=SERVED_TARGETS[kind])
    if kind == "postgresql":  # one of the two is enough
        rate = files.all_records / ours / 1000
        is_fast |= reached(f"{kind}, large files", rate, "k records/s", at_least=POSTGRESQL_K)
    return is_fast & reached(f"{kind}: peak memory", rss_mib, "MiB", at_most=MOST_MIB)


def _told(files: FileSet, costs: Sequence[Cost]) -> str:
    seconds = _median_s(costs)
    rss_mib = max(cost.rss_mib for cost in costs)
    spread = "/".join(f"{cost.seconds:.2f}" for cost in costs)
    rate = files.all_records / seconds / 1000
    return f"{rate:7.1f} k records/s {files.files / seconds:7.0f} files/s {rss_mib:5.0f} MiB  ({spread} s)"


def _median_s(costs: Sequence[Cost]) -> float:
    return statistics.median(cost.seconds for cost in costs)


# -- the programs --------------------------------------------------------------------------------------------


def _by_hand(folder: Path, made: Path, tools: Path, program: str) -> Cost:
    database = folder / "passages.db"
    return _run([str(tools / "bin" / "python"), "-c", program, str(database), str(made)])


def take(folder: Path, made: Path, *, url: str = "sqlite:///state/records.db") -> Cost:
    """Take a set of files with tallyd into an empty database. Raises RuntimeError where any is left."""
    inbox = folder / "inbox" / "visitors"
    inbox.parent.mkdir(parents=True)
    shutil.copytree(made, inbox)
    config = folder / "config.json"
    poller = {"kind": "visitors", "inbox": "inbox/visitors"}
    content = {"timezone": "UTC", "database": {"url": url}, "pollers": {"visitors": poller}}
    config.write_text(json.dumps(content))
    cost = _run([_tallyd(), "--config", str(config), "once", "visitors", "--job", "sweep"])
    left = list(inbox.glob("[!.]*/*.json"))
    if left:
        raise RuntimeError(f"{len(left)} files were not taken")
    return cost


def _run(words: Sequence[str]) -> Cost:
    """Run a program to its end, with the disk at rest before. Raises RuntimeError where it fails."""
    os.sync()
    began_s = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environment()
        )
        _, status, usage = os.wait4(process.pid, 0)
        took_s = time.monotonic() - began_s
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            raise RuntimeError(output.read().decode(errors="replace")[-2000:])
    return Cost(took_s, usage.ru_maxrss / 1024)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _tallyd() -> str:
    return str(Path(sys.executable).with_name("tallyd"))


def _tools(folder: Path) -> Path:
    """Return an environment with the programs beside it, made where it is missing."""
    if not (folder / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        subprocess.run([*pip, *TOOLS], check=True)
    return folder


def make(folder: Path, files: FileSet) -> Path:
    """Write the files of a set: invented passages, ten a second, until an hour ago."""
    (folder / "12").mkdir(parents=True)
    chance = random.Random(13)
    at = datetime.now() - timedelta(hours=1, seconds=files.all_records / 10)  # noqa: DTZ005 # only text
    step, before = timedelta(seconds=0.1), time.time() - 3600
    for number in range(files.files):
        path = folder / "12" / f"{at:%Y%m%d%H%M%S}-{number:05}.json"
        with path.open("w") as file:
            file.write("[")
            for record in range(files.records):
                at += step
                text = at.strftime("%Y%m%d%H%M%S")
                way = chance.randrange(3)
                file.write(
                    f'{"," if record else ""}{{"ID": {record + 1}, "inOut": {way}, "time": "{text}",'
                    f' "frameNumber": {chance.randrange(100_000)}, "outputTime": "{text}"}}'
                )
            file.write("]")
        os.utime(path, (before, before))
    return folder


if __name__ == "__main__":
    sys.exit(main())
