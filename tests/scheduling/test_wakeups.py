"""Wakeups: jobs that should run at once, in a daemon with fake clocks."""

from __future__ import annotations

from pathlib import Path

from support.executors import Threads
from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, one_person
from tallyd.contract.toolbox import Toolbox
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.timetable import Every

NOON = "2026-11-20 12:00"


def test_a_job_that_is_woken_runs_at_the_next_tick(tmp_path: Path) -> None:
    poller = FakePoller(Every(60))
    with FakeClock(at(NOON)) as clock, World(tmp_path, clock, poller) as world:
        world.run(seconds=5)
        begun = len(poller.runs)
        world.wakeups.wake("one", "count")
        world.run(seconds=1)
        assert len(poller.runs) == begun + 1


def test_many_wakes_at_once_are_one_run(tmp_path: Path) -> None:
    poller = FakePoller(Every(60))
    with FakeClock(at(NOON)) as clock, World(tmp_path, clock, poller) as world:
        world.run(seconds=5)
        begun = len(poller.runs)
        for _ in range(100):
            world.wakeups.wake("one", "count")
        world.run(seconds=5)
        assert len(poller.runs) == begun + 1


def test_wakes_without_end_begin_no_more_than_33_runs_a_second(tmp_path: Path) -> None:
    poller = FakePoller(Every(60))
    with FakeClock(at(NOON)) as clock, World(tmp_path, clock, poller) as world:
        world.run(seconds=5)
        begun = len(poller.runs)
        for _ in range(200):
            world.wakeups.wake("one", "count")
            world.run(seconds=0.01, least_s=0.01)
        assert 45 <= len(poller.runs) - begun <= 67


def test_a_job_that_is_woken_while_it_runs_runs_once_more(tmp_path: Path) -> None:
    threads = Threads()
    gate = threads.gate()

    def hang(slot: Slot, tools: Toolbox) -> Reading:
        threads.wait_at(gate)
        return one_person(slot, tools)

    poller = FakePoller(Every(60), act=hang)
    with FakeClock(at(NOON)) as clock, World(tmp_path, clock, poller, executor=threads) as world:
        world.run(seconds=2)
        world.wakeups.wake("one", "count")
        world.wakeups.wake("one", "count")
        world.run(seconds=2)
        assert len(poller.runs) == 1, "it still goes on"
        gate.set()
        world.daemon.wait(20)
        world.run(seconds=2)
        assert len(poller.runs) == 2


def test_waking_a_job_that_does_not_exist_does_nothing(tmp_path: Path) -> None:
    poller = FakePoller(Every(60))
    with FakeClock(at(NOON)) as clock, World(tmp_path, clock, poller) as world:
        world.wakeups.wake("gone", "count")
        world.run(seconds=5)
        assert len(poller.runs) == 1
