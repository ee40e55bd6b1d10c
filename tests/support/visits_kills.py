"""Kills the taking of files, at a system call or at any moment, and says what was found afterwards."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from support import warm
from support.daemon import Daemon, wait_until
from support.killing import LONGEST_S, TALLYD, TESTS, Command, Kill, Report
from support.verdict import Violation
from support.visits_site import Step, VisitsSite, counted_wrong, step_of, violations


def naive(variant: str) -> Command:
    """Return the command of a loader that keeps another order (see naive_loader.py)."""
    return (str(TESTS / "support" / "naive_loader.py"), variant)


def words_of(site: VisitsSite) -> tuple[str, ...]:
    return ("once", site.poller, "--job", "sweep")


def traced(site: VisitsSite, command: Command = TALLYD, *, at: int | None = None) -> Report:
    """Take what waits, under the tracer; killed before call `at` of those from the opening of the inbox."""
    report = site.folder.with_suffix(".report")
    options = [*(("--at", str(at)) if at else ()), "--opened", "inbox/visitors"]
    words = [sys.executable, *command, "--config", str(site.config), *words_of(site)]
    tracer = subprocess.run(
        [sys.executable, "-S", "-m", "support.kill_at", *options, str(report), *words],
        cwd=TESTS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_S * 4,
        check=False,
    )
    assert tracer.returncode == 0, tracer.stderr[-2000:]
    content = json.loads(report.read_text())
    return Report(content["killed_before"], tuple((name, about) for name, about in content["calls"]))


def take_the_rest(site: VisitsSite, command: Command = TALLYD) -> list[Violation]:
    """Take what waits, undisturbed; return what is wrong then."""
    done = warm.run(*command, "--config", str(site.config), *words_of(site))
    broken = violations(site) if command is TALLYD else counted_wrong(site)
    if done.returncode != 0:
        broken.append(Violation("wrong", f"it ended with {done.returncode}: {done.stderr[-500:]}"))
    return broken


def kill_and_take_the_rest(site: VisitsSite, number: int, command: Command = TALLYD) -> Kill:
    """Kill the taking before its `number`-th call, and let another process take the rest."""
    report = traced(site, command, at=number)
    step = step_of(site)
    call = report.calls[-1] if report.killed_before else None
    return Kill(number=number, call=call, step=step, violations=tuple(take_the_rest(site, command)))


# -- at any moment, while files keep coming ------------------------------------------------------------------


@contextmanager
def dropping(site: VisitsSite, *, per_second: float) -> Iterator[Callable[[], bool]]:
    """Drop files of all kinds from a thread of its own, until the end; yield what says whether it goes on."""
    stop, chance = threading.Event(), random.Random(7)

    def drop() -> None:
        while not stop.wait(1 / per_second):
            kind = chance.random()
            if kind < 0.1:
                site.drop("12", 0)
            elif kind < 0.2:
                site.drop_bad("23")
            else:
                dropped = site.drop(chance.choice(("12", "23", "24")), chance.randrange(1, 9))
                if kind > 0.9:
                    site.drop_again(dropped)

    thread = threading.Thread(target=drop)
    thread.start()
    try:
        yield thread.is_alive
    finally:
        stop.set()
        thread.join()


@contextmanager
def taking(site: VisitsSite) -> Iterator[Daemon]:
    """A daemon that has begun to look into its inbox; killed at the end."""
    past = site.log.stat().st_size if site.log.exists() else 0
    daemon = Daemon(site.config)
    try:
        wait_until(lambda: _has_begun(site, past) or daemon.process.poll() is not None, within_s=LONGEST_S)
        assert daemon.process.poll() is None, daemon.stderr.read_text()[-2000:]
        yield daemon
    finally:
        daemon.kill()
        daemon.close()


def _has_begun(site: VisitsSite, past: int) -> bool:
    if not site.log.exists():
        return False
    with site.log.open("rb") as log:
        log.seek(past)
        return b'"run begins"' in log.read()


def _wait_for_commit(site: VisitsSite) -> None:
    query = "SELECT max(id) FROM ingested_file"
    with closing(sqlite3.connect(f"file:{site.folder}/state/records.db?mode=ro", uri=True)) as db:
        before = db.execute(query).fetchone()
        until = time.monotonic() + LONGEST_S
        while db.execute(query).fetchone() == before and time.monotonic() < until:
            time.sleep(0.001)


def kill_at_random(site: VisitsSite, times: int, *, seed: int, per_second: float = 80.0) -> Iterator[Kill]:
    """Kill the daemon again and again while files come; the last kill's violations are those of all.

    Every other one is killed within half a second after its first look into the inbox began, those between
    within 20 ms after a commit was seen: what follows on a commit is soon over.
    """
    chance = random.Random(seed)
    with dropping(site, per_second=per_second) as goes_on:
        for number in range(1, times + 1):
            with taking(site):
                if number % 2:
                    time.sleep(chance.uniform(0.0, 0.5))
                else:
                    _wait_for_commit(site)
                    time.sleep(chance.uniform(0.0, 0.02))
            assert goes_on(), "no file comes any more"
            yield Kill(number=number, call=None, step=step_of(site), violations=())
    with taking(site) as daemon:
        wait_until(lambda: not site.waiting(), within_s=LONGEST_S * 4, what="all files to be taken")
        status = daemon.end()
    broken = violations(site)
    if status != 0:
        broken.append(Violation("wrong", f"it ended with {status}"))
    yield Kill(number=times + 1, call=None, step=Step.IDLE, violations=tuple(broken))
