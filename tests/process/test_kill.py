"""The real daemon is killed with SIGKILL in the middle of one run and started again.

The short form of campaigns/kill_run.py, which does it at every system call (see docs/reliability.md). The
same kills find what is wrong with two naive orders, so that they would find it in ours.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from support.daemon import wait_until
from support.divera_server import DiveraServer, divera_server
from support.killing import (
    Report,
    cut_and_start_again,
    kill_and_start_again,
    kill_as_planned,
    naive,
    rest,
    start_again,
    started,
    traced,
)
from support.needs import may_trace
from support.plan import sample, shuffled, steps
from support.site import Site, prepare
from support.verdict import Kind, Step, stored
from tallyd.core.reading import LATE_AFTER_S
from tallyd.core.schedule.timetable import INTERRUPTED, MOST_STARTS

pytestmark = pytest.mark.slow

Make = Callable[..., Site]


@pytest.fixture(scope="module")
def tracing() -> None:
    """Skip where one process may not trace another."""
    may_trace()


@pytest.fixture(scope="module")
def server() -> Iterator[DiveraServer]:
    with divera_server() as serving:
        yield serving


@pytest.fixture(scope="module")
def make(server: DiveraServer, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Returns a new site at each call, or with a site as argument a copy of that."""
    root, numbers = tmp_path_factory.mktemp("sites"), count()

    def new(left: Site | None = None) -> Site:
        name = f"k{next(numbers)}"
        client = server.client(name)
        return prepare(root / name, client) if left is None else left.copied(root / name, client)

    return new


@pytest.fixture(scope="module")
def undisturbed(tracing: None, make: Make) -> Report:
    """One run that nobody kills: its system calls."""
    return traced(make())


@pytest.mark.parametrize(
    "step", [step for step in Step if step not in (Step.NOTHING, Step.FILE_ALONE)], ids=str
)
def test_a_run_that_is_killed_is_made_up_for(step: Step, undisturbed: Report, make: Make) -> None:
    calls = undisturbed.calls
    for number in sample(calls, steps(calls)[step], most=3):
        kill = kill_as_planned(make, number, calls)
        assert kill.step is step, f"it landed elsewhere: {kill}"
        assert not kill.violations, str(kill)


@pytest.mark.parametrize(
    ("variant", "kind"),
    [
        pytest.param("file-first", "twice", id="the file first, then the database"),
        pytest.param("done-first", "lost", id="marked as done first, then fetched"),
    ],
)
def test_the_same_kills_find_what_a_naive_order_breaks(
    variant: str, kind: Kind, tracing: None, make: Make
) -> None:
    command = naive(variant)
    calls = traced(make(), command).calls
    numbers = shuffled(calls, range(1, len(calls) + 2))
    kills = (kill_and_start_again(make(), number, command) for number in numbers[:30])
    assert any(violation.kind == kind for kill in kills for violation in kill.violations)


@pytest.mark.parametrize("step", [Step.CLAIMED, Step.COMMITTED, Step.FILE], ids=str)
def test_a_second_kill_while_the_first_is_made_up_for_is_made_up_for(
    step: Step, undisturbed: Report, make: Make
) -> None:
    first = steps(undisturbed.calls)[step]
    killed = make()
    traced(killed, at=first[len(first) // 2])
    calls = traced(make(killed), whole_life=True).calls
    for number in shuffled(calls, range(1, len(calls) + 1))[:2]:
        kill = kill_and_start_again(make(killed), number, whole_life=True)
        assert not kill.violations, str(kill)


def test_a_power_cut_leaves_no_half_file_and_loses_nothing(tracing: None, make: Make) -> None:
    calls = traced(make(), whole_life=True).calls
    run = [n for n, (name, about) in enumerate(calls, start=1) if name == "rename" and "/out/" in about]
    for number in (run[0], run[-1] + 1, len(calls) + 1):
        for kill in cut_and_start_again(make(), number):
            assert not kill.violations, str(kill)


def test_a_power_cut_finds_files_that_were_never_synced(tracing: None, make: Make) -> None:
    command = naive("unsynced")
    calls = traced(make(), command, whole_life=True).calls
    kills = cut_and_start_again(make(), len(calls) + 1, command)
    assert {violation.kind for kill in kills for violation in kill.violations} >= {"half", "lost"}


def test_kills_at_any_moment_of_the_start_one_after_the_other_are_made_up_for(make: Make) -> None:
    site, chance = make(), random.Random(1)
    for _ in range(5):
        with started(site) as daemon:
            time.sleep(chance.uniform(0.3, 0.9))
            daemon.kill()
    assert start_again(site) == []


def test_a_slot_that_was_killed_in_a_retry_wait_is_taken_at_the_next_start(make: Make) -> None:
    site = make()
    site.client.status = 503
    with started(site) as daemon:
        wait_until(lambda: any(line["event"] == "try failed" for line in daemon.log()), what="a retry wait")
        daemon.kill()
    assert stored(site.database).begun == {site.due: ("claimed", 1)}
    site.client.status = 200
    assert start_again(site) == []


def test_a_slot_under_which_the_process_died_three_times_is_missed_and_not_asked_for_again(
    make: Make,
) -> None:
    site = make()
    site.client.gate.clear()
    for number in range(1, MOST_STARTS + 1):
        with started(site) as daemon:
            assert site.client.wait_asked(number)
            daemon.kill()
        assert stored(site.database).begun == {site.due: ("claimed", number)}
    site.client.gate.set()
    site = replace(site, expected={**site.expected, site.due: "missed"})
    assert start_again(site) == []
    assert site.client.requests == MOST_STARTS
    (row,) = stored(site.database).of(site.due)
    assert row.reason == INTERRUPTED


def test_a_killed_slot_whose_catch_up_is_over_is_recorded_as_missed(
    server: DiveraServer, tmp_path: Path
) -> None:
    site = prepare(tmp_path / "site", server.client("over"), due_ago_s=45, catch_up="1s")
    site.client.gate.clear()
    with started(site) as daemon:
        assert site.client.wait_asked(1)
        daemon.kill()
    site.client.gate.set()
    # A start within a minute is never too late.
    over = site.due + timedelta(seconds=LATE_AFTER_S + 1)
    time.sleep(max(0.0, (over - datetime.now(UTC)).total_seconds()))
    site = replace(site, expected={**site.expected, site.due: "missed"})
    assert start_again(site) == []
    assert site.client.requests == 1


def test_a_daemon_that_is_stopped_and_started_without_pause_takes_a_slot_once(make: Make) -> None:
    site = make()
    for _ in range(3):
        assert start_again(site) == []
    assert len(site.client.answers) == 1


def test_what_is_waited_for_is_the_end_of_the_run(make: Make) -> None:
    site = make()
    site.client.gate.clear()
    is_at_rest = rest(site)
    with started(site) as daemon:
        assert site.client.wait_asked(1)
        daemon.wait_ready()
        assert not is_at_rest()
        site.client.gate.set()
        wait_until(is_at_rest)
        assert daemon.end() == 0
