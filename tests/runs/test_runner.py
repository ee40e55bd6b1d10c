"""What a run gets, and its results: wakeups, missed slots without alerts, readings of past days."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

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
from tallyd.core.errors import RecordsError, SourceError, Stopped
from tallyd.core.outbox import Outcomes
from tallyd.core.reading import Facts, OutboxMessage, Reading, Slot
from tallyd.core.schedule.timetable import BUSY, NOT_STARTED, Every, Missed
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


# -- state.db ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "stored"),
    [
        pytest.param({}, (0, {}, 0), id="nothing"),
        pytest.param({"facts": {"total": 1}}, (1, {}, 0), id="a count"),
        pytest.param({"memory": {"seen": 1}}, (0, {"seen": 1}, 0), id="something to remember"),
        pytest.param(
            {"outbox": (OutboxMessage(ssid="SS-1", day=date(2026, 11, 20), body=[]),)},
            (0, {}, 1),
            id="a report",
        ),
    ],
)
def test_what_a_run_without_a_slot_finds_is_stored(
    tmp_path: Path, clock: FakeClock, found: dict[str, Any], stored: tuple[int, Facts, int]
) -> None:
    def find(slot: Slot, tools: Toolbox) -> Reading:
        return Reading(**{"taken_at": tools.now(), "facts": None, **found})

    with clock, World(tmp_path, clock, FakePoller(Every(300.0), find)) as world:
        runner = replace(world.runner, deliver=lambda *_: {})
        assert runner.run(world.task, Slot(None, clock.now()), None, runner.progress()) == "taken"
        state = world.state
        assert (
            len(state.readings.history()),
            state.readings.memory("one", "count"),
            len(state.outbox.waiting("one")),
        ) == stored


def test_if_state_db_fails_between_the_commit_and_the_file_the_next_start_writes_the_file(
    tmp_path: Path, clock: FakeClock
) -> None:
    with clock, World(tmp_path, clock, FakePoller(daily("12:00"))) as world:

        def fail(task: Task, messages: object, tools: object) -> Outcomes:
            world.kill()
            return {}

        (found,) = replace(world.runner, deliver=fail).once(world.task)
        assert found.is_stored
        assert found.not_written is not None
        assert (world.out_files(), world.store.state_trouble) == ([], found.not_written)
        world.start()
        world.run(seconds=5)
        assert len(world.out_files()) == len(world.history()) == 1


def test_without_state_db_a_job_remembers_nothing_and_runs_all_the_same(
    tmp_path: Path, clock: FakeClock
) -> None:
    memories = []

    def remember(slot: Slot, tools: Toolbox) -> Reading:
        memories.append(tools.memory())
        return Reading(taken_at=tools.now(), facts=None, memory={"runs": len(memories)})

    with clock, World(tmp_path, clock, FakePoller(daily("08:00"), remember)) as world:
        for _ in range(2):
            runner = world.runner
            assert runner.run(world.task, Slot(None, clock.now()), None, runner.progress()) == "taken"
        world.kill()
        for _ in range(2):
            runner.run(world.task, Slot(None, clock.now()), None, runner.progress())
    assert memories == [{}, {"runs": 1}, {}, {"runs": 3}]


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


def test_a_failed_run_and_the_slots_that_waited_for_it_are_one_problem(
    tmp_path: Path, clock: FakeClock
) -> None:
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"), fail)) as world:
        world.run(minutes=5)
        slots = [
            Missed(key, clock.now(), reason, None)
            for key, reason in (("09:00", BUSY), ("10:00", NOT_STARTED))
        ]
        for slot, problems in zip(slots, (["failed"], ["failed", "missed"]), strict=True):
            world.store.report_unwritten(["the disk is full"])
            world.runner.missed_slots.record_missed(world.task, (slot,), older_since=None)
            assert sorted(world.problems()) == [*(f"one/count/{each}" for each in problems), "tallyd/out"]


def test_a_run_without_a_slot_that_fails_misses_none(tmp_path: Path, clock: FakeClock) -> None:
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"), fail)) as world:
        runner = world.runner
        assert runner.run(world.task, Slot(None, clock.now()), None, runner.progress()) == "failed"
        assert (world.outcomes(), list(world.problems())) == ([], ["one/count/failed"])


@pytest.mark.parametrize(
    "key", ["2026-11-20T08:00:00[Europe/Berlin]", None], ids=["with a slot", "without one"]
)
def test_a_run_that_ends_with_the_process_is_repeated_if_it_had_a_slot(
    tmp_path: Path, clock: FakeClock, key: str | None
) -> None:
    def stop(slot: Slot, tools: Toolbox) -> Reading:
        raise Stopped

    with clock, World(tmp_path, clock, FakePoller(daily("08:00"), stop)) as world:
        runner = world.runner
        assert runner.run(world.task, Slot(key, clock.now()), "mark", runner.progress()) == "stopped"
        pending = world.state.slots.pending("one", "count")
        assert [(each.key, each.not_before) for each in pending] == [(key, clock.now())] * (key is not None)
        assert world.problems() == {}


def test_a_bug_that_breaks_its_own_record_ends_no_other_job(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def no_time() -> datetime:
        raise OverflowError

    with clock, World(tmp_path, clock, FakePoller(daily("08:00"), crash)) as world:
        progress = world.runner.progress()
        runner = replace(world.runner, now=no_time)
        assert runner.run(world.task, Slot(None, clock.now()), None, progress) == "crashed"
    assert [each.message for each in caplog.records] == ["job crashed", "the crash could not be recorded"]


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


def test_files_that_tallyd_did_not_write_are_no_readings(tmp_path: Path, clock: FakeClock) -> None:
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"))) as world:
        world.run(minutes=5)
        (name,) = world.out_files()
        path = tmp_path / "out" / "one" / name
        content = json.loads(path.read_text())
        others: list[dict[str, object]] = [
            {"schema": "other/1"},
            {"poller": "two"},
            {"due_at": "at noon"},
            {"taken_at": None},
            {"kind": content["kind"], "taken_at": "9999-12-31T23:59:59-12:00"},
        ]
        for day, other in enumerate(others, start=21):
            path.with_name(f"2026-11-{day}T080000+0100.json").write_text(json.dumps(content | other))
        path.with_name("2026-11-26T080000+0100.json").write_text(json.dumps({"schema": content["schema"]}))
        with closing(State(tmp_path / "new.db")) as new:
            assert restore(new, OutFiles(tmp_path / "out"), world.config) == 1
            assert [row.out_name for row in new.readings.history()] == [name]
