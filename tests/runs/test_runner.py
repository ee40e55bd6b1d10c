"""What a run gets, and its results: wakeups, missed slots without alerts, readings of past days."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, daily
from support.upstream import SendingPoller, Upstream, top
from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.reads.reads import TimedReads
from tallyd.adapters.state import State
from tallyd.config.jobs import Task
from tallyd.contract.inbox import Inbox
from tallyd.contract.job import Job
from tallyd.contract.reads import Reads
from tallyd.contract.records import Records
from tallyd.contract.reporter import Reporter
from tallyd.contract.toolbox import Toolbox
from tallyd.contract.workers import Workers
from tallyd.core.errors import RecordsError, SourceError
from tallyd.core.reading import Reading, Slot
from tallyd.storage.recovery import restore


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-11-20 07:59"))


@dataclass
class Quiet(FakePoller):
    """A poller that raises no alert for missed slots."""

    def jobs(self) -> tuple[Job, ...]:
        return tuple(replace(job, alerts_on_missed=False) for job in super().jobs())


@dataclass
class Waking:
    """Runs that ask for `more` further runs."""

    more: int
    progress: list[tuple[int, int]] = field(default_factory=list)
    by_hand: list[bool] = field(default_factory=list)

    def __call__(self, slot: Slot, tools: Toolbox) -> Reading:
        tools.show_progress(self.more, 3)
        self.by_hand.append(tools.is_by_hand)
        if self.more:
            self.more -= 1
            tools.wake()
        return Reading(taken_at=tools.now(), facts={"total": self.more})


def test_once_runs_as_often_as_it_is_asked_to_and_returns_every_reading(
    tmp_path: Path, clock: FakeClock
) -> None:
    source, seen = Waking(3), []
    with clock, World(tmp_path, clock, FakePoller(daily("12:00"), source)) as world:
        found = world.runner.once(world.task, show_progress=lambda done, total: seen.append((done, total)))
        assert [each.reading.facts for each in found] == [{"total": n} for n in (2, 1, 0, 0)]
        assert all(each.is_stored and each.out for each in found)
        assert len(world.out_files()) == 4
        assert world.wakeups.taken() == frozenset()  # the daemon's runs are not woken by it
    assert seen == [(3, 3), (2, 3), (1, 3), (0, 3)]
    assert source.by_hand == [True] * 4


def test_a_run_of_the_daemon_wakes_its_job_by_name(tmp_path: Path, clock: FakeClock) -> None:
    source = Waking(1)
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"), source)) as world:
        woken: list[tuple[str, str]] = []
        runner = replace(world.runner, wake=lambda *name: woken.append(name))
        world.start_with(runner=lambda _config: runner)
        world.run(minutes=2)
        assert woken == [("one", "count")]
        assert source.by_hand == [False]


def test_what_a_job_keeps_is_there_at_its_next_run(tmp_path: Path, clock: FakeClock) -> None:
    found = []

    def keep(slot: Slot, tools: Toolbox) -> Reading:
        found.append(tools.kept.get("runs"))
        tools.kept["runs"] = len(found)
        return Reading(taken_at=tools.now(), facts=None)

    with clock, World(tmp_path, clock, FakePoller(daily("08:00", "08:01"), keep)) as world:
        world.run(minutes=3)
    assert found == [None, 1]


@dataclass
class FakeResources:
    """A `Resources` that remembers who asked."""

    keep_days: int = 7
    reporter: Reporter | None = None
    reads: Reads = field(default_factory=lambda: TimedReads(now=lambda: datetime.now(UTC)))
    asked: list[str] = field(default_factory=list)

    def records(self, task: Task) -> Records | None:
        self.asked.append(f"records of {task.poller}")
        return None

    def inbox(self, task: Task) -> Inbox | None:
        self.asked.append(f"inbox of {task.poller}")
        return None

    def workers(self, task: Task) -> Workers | None:
        self.asked.append(f"workers of {task.poller}")
        return None


def test_a_run_gets_the_resources_of_its_poller_and_a_delivery_gets_none(
    tmp_path: Path, clock: FakeClock
) -> None:
    days = []

    def look(slot: Slot, tools: Toolbox) -> Reading:
        days.append(tools.keep_days)
        return Reading(taken_at=tools.now(), facts=None)

    with clock, World(tmp_path, clock, FakePoller(daily("08:00"), look)) as world:
        resources = FakeResources()
        runner = replace(world.runner, resources=resources)
        world.start_with(runner=lambda _config: runner)
        world.run(minutes=2)
        assert (resources.asked, days) == (
            ["records of one", "inbox of one", "workers of one"],
            [7],
        )
        runner.http_tools(world.task)
        assert len(resources.asked) == 3


# -- gaps ----------------------------------------------------------------------------------------------------


def fail(_slot: Slot, _tools: Toolbox) -> Reading:
    raise SourceError("the database is away", transient=False)


def crash(_slot: Slot, _tools: Toolbox) -> Reading:
    raise KeyError("x")


def test_without_alerts_on_missed_a_failed_slot_is_recorded_but_is_no_problem(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with clock, World(tmp_path, clock, Quiet(daily("08:00"), fail), top=top()) as world:
        world.run(minutes=5)
        assert world.outcomes() == ["2026-11-20 08:00 missed"]
        assert world.problems() == {}
        assert world.chats.texts() == []
    assert "slot given up, recorded as missed" in [record.msg for record in caplog.records]


def database_away(_slot: Slot, _tools: Toolbox) -> Reading:
    raise RecordsError("the database is away")


def test_a_database_that_is_away_during_a_run_is_a_failed_run_and_no_bug(
    tmp_path: Path, clock: FakeClock
) -> None:
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"), database_away)) as world:
        world.run(minutes=5)
        assert list(world.problems()) == ["one/count/failed"]


def test_without_alerts_on_missed_slots_without_a_run_are_recorded_but_are_no_problem(
    tmp_path: Path, clock: FakeClock
) -> None:
    with clock, World(tmp_path, clock, Quiet(daily("08:00", "09:00"))) as world:
        world.restart(off_s=7200)
        world.run(minutes=1)
        assert world.outcomes() == ["2026-11-20 08:00 missed", "2026-11-20 09:00 missed"]
        assert world.problems() == {}


def test_a_bug_is_always_notified(tmp_path: Path, clock: FakeClock) -> None:
    with clock, World(tmp_path, clock, Quiet(daily("08:00"), crash, catch_up_s=None)) as world:
        world.run(minutes=5)
        assert list(world.problems()) == ["one/count/crashed"]


# -- a state.db that is lost ---------------------------------------------------------------------------------


def test_readings_of_a_grid_and_of_past_days_come_back_from_their_files_as_what_they_were(
    tmp_path: Path,
) -> None:
    clock = FakeClock(at("2026-11-20 23:51"))
    with clock, World(tmp_path, clock, SendingPoller(upstream=Upstream(clock))) as world:
        world.run(minutes=15)
        world.runner.once(world.task)
        with closing(State(tmp_path / "new.db")) as new:
            assert restore(new, OutFiles(tmp_path / "out"), world.config) == 5
            was = {(row.slot, row.part, row.due_at, row.out_name, row.job) for row in world.history()}
            is_now = {
                (row.slot, row.part, row.due_at, row.out_name, row.job) for row in new.readings.history()
            }
            assert is_now == was
            newest = new.readings.last("one", now=clock.now(), in_timetable=True)
            assert newest is not None
            assert newest.out_name == "2026-11/2026-11-21T000500+0100.json"
            by_hand = new.readings.last("one", now=clock.now())
            assert by_hand is not None
            assert (by_hand.taken.is_by_hand, by_hand.part) == (True, None)
            # Nothing is restored a second time, and nothing is overwritten.
            assert restore(new, OutFiles(tmp_path / "out"), world.config) == 0
