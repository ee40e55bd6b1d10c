"""Kills the real daemon at a system call of one run, starts it again, and says what was found."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from support.daemon import Daemon, wait_until
from support.durable import put_back
from support.site import Site
from support.verdict import Violation, step_of, violations

TESTS = Path(__file__).parents[1]
DATABASE = "state/state.db"
LONGEST_S = 120.0
AFTERWARDS_S = 0.05
"""What a run still does after the line in the log that tells its end: it gives back its lock."""
TRIES = 3

Command = tuple[str, ...]
TALLYD: Command = ("-m", "tallyd")


def naive(variant: str) -> Command:
    """Return the command of a daemon that keeps another order (see naive_daemon.py)."""
    return (str(TESTS / "support" / "naive_daemon.py"), variant)


@dataclass(frozen=True)
class Report:
    """What the tracer saw: the calls by name and what each was about; which one was not carried out."""

    killed_before: int | None
    calls: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Kill:
    """One kill and its outcome. `call` was not carried out; None: the run had ended, or nobody looked."""

    number: int
    call: tuple[str, str] | None
    step: StrEnum
    violations: tuple[Violation, ...]

    def __str__(self) -> str:
        name, about = self.call or ("nothing", "")
        lines = [f"kill {self.number}, before {name} {about}, {self.step}", *map(str, self.violations)]
        return "\n  ".join(lines)


def traced(
    site: Site,
    command: Command = TALLYD,
    *,
    at: int | None = None,
    whole_life: bool = False,
    disk: bool = False,
    words: tuple[str, ...] = ("run",),
    at_rest: Callable[[Site], Callable[[], bool]] | None = None,
) -> Report:
    """Run the daemon under the tracer until it is killed at call `at`, or has come to rest.

    Counted are the run's own calls; with `whole_life` those of every thread, from the opening of state.db
    to the end of a clean stop. With `disk`, the disks of a power cut are laid out (see durable.py). `words`
    are another command than `run`, which ends by itself. `at_rest` makes what says that all is done, where
    that is more than the runs.
    """
    report = site.folder.with_suffix(".report")
    options = [
        *(("--at", str(at)) if at is not None else ()),
        *(("--opened", DATABASE) if whole_life else ()),
        *(("--disk", str(site.folder)) if disk else ()),
    ]
    tallyd = [sys.executable, *command, "--config", str(site.config), *words]
    is_at_rest = (at_rest or rest)(site)
    with (site.folder / "stderr.txt").open("ab") as stderr:
        tracer = subprocess.Popen(
            [sys.executable, "-S", "-m", "support.kill_at", *options, str(report), *tallyd],
            cwd=TESTS,
            stdin=subprocess.DEVNULL,
            stdout=stderr,
            stderr=stderr,
        )
    try:
        wait_until(
            lambda: is_at_rest() or tracer.poll() is not None, within_s=LONGEST_S, what="rest or a kill"
        )
        time.sleep(AFTERWARDS_S)
        if tracer.poll() is None and whole_life:
            with suppress(ProcessLookupError):  # killed at this very moment
                os.kill(int((site.folder / "state" / "lock").read_text()), signal.SIGTERM)
        elif tracer.poll() is None:
            tracer.terminate()
        tracer.wait(LONGEST_S)
    finally:
        tracer.kill()
        tracer.wait()
    assert tracer.returncode == 0, (site.folder / "stderr.txt").read_text()[-2000:]
    content = json.loads(report.read_text())
    return Report(content["killed_before"], tuple((name, about) for name, about in content["calls"]))


def rest(site: Site) -> Callable[[], bool]:
    """Return what says whether a daemon started from now on has made up for everything and is idle.

    It says "run begins" before it says "tallyd started", so that a run can't be overlooked.
    """
    past = site.log.stat().st_size if site.log.exists() else 0

    def is_at_rest() -> bool:
        if not site.log.exists():
            return False
        with site.log.open("rb") as log:
            log.seek(past)
            lines = [json.loads(line) for line in log if line.endswith(b"\n")]
        events = [line["event"] for line in lines]
        ended = sum(events.count(event) for event in ("reading taken", "run failed", "job crashed"))
        return "tallyd started" in events and events.count("run begins") <= ended

    return is_at_rest


@contextmanager
def started(site: Site, command: Command = TALLYD) -> Iterator[Daemon]:
    """A daemon of the site, neither traced nor waited for; killed at the end."""
    daemon = Daemon(site.config, command=command)
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.close()


def start_again(site: Site, command: Command = TALLYD) -> list[Violation]:
    """Start the daemon, let it make up for what was left, stop it; return what is wrong then."""
    is_at_rest = rest(site)
    with started(site, command) as daemon:
        until = time.monotonic() + LONGEST_S
        while not is_at_rest():
            if daemon.process.poll() is not None or time.monotonic() > until:
                return [Violation("wrong", f"it did not come to rest: {daemon.stderr.read_text()[-2000:]}")]
            time.sleep(0.02)
        status = daemon.end()
    if status != 0:
        return [Violation("wrong", f"it ended with {status}"), *violations(site)]
    return violations(site)


def kill_and_start_again(
    site: Site,
    number: int,
    command: Command = TALLYD,
    *,
    whole_life: bool = False,
    words: tuple[str, ...] = ("run",),
) -> Kill:
    """Kill a run before its `number`-th system call and start the daemon."""
    report = traced(site, command, at=number, whole_life=whole_life, words=words)
    call = report.calls[-1] if report.killed_before else None
    step = step_of(site, answers=len(site.client.answers))
    return Kill(number=number, call=call, step=step, violations=tuple(start_again(site, command)))


def kill_as_planned(
    make: Callable[[], Site], number: int, calls: Sequence[tuple[str, str]], command: Command = TALLYD
) -> Kill:
    """Kill a run in a new site before its `number`-th call, which is the one that `calls` has there.

    Where it is another, the machine was busy and a wait took one look more: it is done again.
    """
    for _ in range(TRIES):
        kill = kill_and_start_again(make(), number, command)
        planned = calls[number - 1][0] if number <= len(calls) else None
        if (kill.call and kill.call[0]) == planned or kill.violations:
            return kill
    raise AssertionError(f"call {number} is not {planned}, but in {TRIES} runs it was another: {kill}")


def cut_and_start_again(site: Site, number: int, command: Command = TALLYD) -> Iterator[Kill]:
    """Cut the power before the `number`-th call, and start the daemon again on each kind of disk."""
    report = traced(site, command, at=number, whole_life=True, disk=True)
    name, about = report.calls[-1] if report.killed_before else ("end", "")
    answers = len(site.client.answers)
    for kind in ("strict", "names"):
        put_back(site.folder.with_suffix(".disk") / kind, site.folder)
        step = step_of(site, answers=answers)
        call = (f"{name} ({kind} disk)", about)
        yield Kill(number=number, call=call, step=step, violations=tuple(start_again(site, command)))
