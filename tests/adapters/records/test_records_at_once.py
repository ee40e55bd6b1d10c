"""Several threads and several processes with the same files."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.records.conftest import KINDS
from adapters.records.samples import DAY, IN, NOW, many, visitor_file
from adapters.records.sites import Site, passages
from support.long import some
from tallyd.adapters.records.database import Database
from tallyd.contract.passages import ToIngest
from tallyd.core.errors import RecordsError

TESTS = Path(__file__).parents[2]
NAMES = [f"file {number}" for number in range(24)]


def per_kind(total: int) -> dict[str, int]:
    rows = many(200)
    each = {kind: sum(row[1] == kind for row in rows) for kind in ("in", "out", "other")}
    return {kind: count * total for kind, count in each.items()}


def expect_each_once(site: Site, poller: str, outcomes: list[str], times: int) -> None:
    records = site.database.records(poller)
    assert Counter(outcomes) == {"done": len(NAMES), "repeat": len(NAMES) * (times - 1)}
    (count,) = records.counts(*DAY).values()
    assert {"in": count.n_in, "out": count.n_out, "other": count.n_other} == per_kind(len(NAMES))
    assert len(passages(site, records)) == 200 * len(NAMES)
    assert len(records.ledger(rejected=False, most=999)) == len(NAMES)


@pytest.mark.parametrize("at_once", [1, 5, 24])
def test_threads_with_the_same_files_store_each_once(site: Site, at_once: int) -> None:
    poller = site.new_poller()
    files = [visitor_file(name, *many(200)) for name in NAMES]
    start = threading.Barrier(4)

    def run(turned: int) -> list[str]:
        records = site.database.records(poller)
        own = files[turned:] + files[:turned] if turned % 2 else files[::-1]
        start.wait()
        outcomes: list[str] = []
        for begin in range(0, len(own), at_once):
            outcomes += records.ingest(own[begin : begin + at_once], now=NOW, keep_rows=True)
        return outcomes

    with ThreadPoolExecutor(4) as pool:
        found = [outcome for outcomes in pool.map(run, (0, 7, 12, 17)) for outcome in outcomes]

    expect_each_once(site, poller, found, 4)


@pytest.mark.parametrize("site", some(KINDS, 2), indirect=True)
def test_processes_with_the_same_files_store_each_once(site: Site) -> None:
    poller = site.new_poller()
    command = [sys.executable, "-P", "-m", "adapters.records.ingester"]
    running = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": f"{TESTS}:{TESTS.parent / 'src'}"},
        )
        for _ in range(2)
    ]
    for process, names in zip(running, (NAMES, NAMES[::-1]), strict=True):
        assert process.stdin
        job = {"url": site.url, "poller": poller, "files": names, "at_once": 3}
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    for process in running:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    answers = []
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        answers += json.loads(process.communicate(timeout=60)[0])

    expect_each_once(site, poller, answers, 2)


def test_of_two_that_meet_the_second_waits_and_finds_a_repeat(site: Site) -> None:
    records = site.records()
    reading, go_on = threading.Event(), threading.Event()

    def slow() -> list[list[tuple[int, str, str, int | None]]]:
        reading.set()
        assert go_on.wait(20)
        return [[IN]]

    first = visitor_file("a", IN, read=slow)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(records.ingest, [first], now=NOW, keep_rows=True)
        assert reading.wait(20)
        other = pool.submit(records.ingest, [visitor_file("a", IN)], now=NOW, keep_rows=True)
        time.sleep(0.3)
        assert not other.done()
        go_on.set()
        assert (one.result(), other.result()) == (("done",), ("repeat",))


def test_if_two_processes_store_a_file_and_the_first_fails_the_second_stores_it(site: Site) -> None:
    records = site.records()
    reading, go_on = threading.Event(), threading.Event()

    def failing() -> list[list[tuple[int, str, str, int | None]]]:
        reading.set()
        assert go_on.wait(20)
        raise OSError("gone")

    first = visitor_file("a", IN, read=failing)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(records.ingest, [first], now=NOW, keep_rows=True)
        assert reading.wait(20)
        other = pool.submit(records.ingest, [visitor_file("a", IN)], now=NOW, keep_rows=True)
        time.sleep(0.2)
        go_on.set()
        with pytest.raises(OSError, match="gone"):
            one.result()
        assert other.result() == ("done",)


def test_readers_do_not_wait_for_a_writer(site: Site) -> None:
    records = site.records()
    records.ingest([visitor_file("a", IN)], now=NOW, keep_rows=True)
    seen: list[int] = []

    def read_meanwhile() -> list[list[tuple[int, str, str, int | None]]]:
        seen.append(records.counts(*DAY)["12"].n_in)
        return [[IN]]

    file = visitor_file("b", IN, read=read_meanwhile)
    records.ingest([file], now=NOW, keep_rows=True)

    assert seen == [1]
    assert records.counts(*DAY)["12"].n_in == 2


def test_a_lock_that_is_held_too_long_is_an_error_and_no_wait_for_ever(site: Site) -> None:
    poller = site.new_poller()
    impatient = Database(site.url, patience_s=3.0)

    def meanwhile() -> list[list[tuple[int, str, str, int | None]]]:
        began = time.monotonic()
        with pytest.raises(RecordsError, match="another process has locked it"):
            impatient.records(poller).ingest([visitor_file("a", IN)], now=NOW, keep_rows=True)
        assert time.monotonic() - began < 60
        return [[IN]]

    file: ToIngest = visitor_file("a", IN, read=meanwhile)
    assert site.database.records(poller).ingest([file], now=NOW, keep_rows=True) == ("done",)
    assert impatient.records(poller).ingest([visitor_file("a", IN)], now=NOW, keep_rows=True) == ("repeat",)
    impatient.close()


def test_pruning_lets_others_write_in_between(site: Site) -> None:
    records = site.records()
    records.ingest([visitor_file("a", *many(20_000))], now=NOW, keep_rows=True)
    written = 0
    with ThreadPoolExecutor(1) as pool:
        pruning = pool.submit(records.prune, DAY[1], most=30_000)
        while not pruning.done():
            records.ingest([visitor_file(f"meanwhile {written}", IN)], now=DAY[1], keep_rows=False)
            written += 1
    assert pruning.result() == 20_001
    assert written > 3
