"""Other problems around a daemon: bugs, odd files, pollers that are removed and come back."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from support.fakeclock import FakeClock, at
from support.fakeworld import BEAT_BYTES, BELOW, FakePoller, World, daily, one_person
from support.wording import text_of
from tallyd.adapters.outfiles import OutFiles
from tallyd.contract.toolbox import Toolbox
from tallyd.core.reading import Problem, Reading, Slot
from tallyd.core.schedule.timetable import Every
from tallyd.outbox.worker import OutboxWorker
from tallyd.storage.recovery import damage_problems


def test_a_poller_that_was_taken_out_and_put_back_has_missed_nothing(tmp_path: Path) -> None:
    both = {"one": FakePoller(daily("08:00")), "two": FakePoller(daily("20:00"))}
    with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, both) as world:
        world.run(minutes=5)
        world.edit({"two": both["two"]})
        world.run(hours=72, least_s=900)
        world.edit(both)
        world.run(hours=25, least_s=900)
        assert world.outcomes("one") == ["2026-11-20 08:00 taken", "2026-11-24 08:00 taken"]
        assert world.problems() == {}


def test_a_bug_in_one_part_of_a_look_is_notified_and_the_jobs_continue(tmp_path: Path) -> None:
    with (
        FakeClock(at("2026-11-20 07:59")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"))) as world,
    ):
        broken = True

        def troubles() -> tuple[Problem, ...]:
            if broken:
                raise ZeroDivisionError
            return ()

        world.start_with(troubles=troubles)
        world.run(minutes=5)
        assert world.outcomes() == ["2026-11-20 08:00 taken"]
        broken = False
        world.run(minutes=1)
        assert world.problems() == {}


class CrashingOutbox(OutboxWorker):
    """An outbox worker with a bug."""

    crashes = True

    def look(self) -> None:
        if self.crashes:
            raise ValueError("a bug")
        super().look()


def test_a_part_that_crashes_is_a_problem_until_it_works_again(tmp_path: Path) -> None:
    with (
        FakeClock(at("2026-11-20 07:59")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"))) as world,
    ):
        outbox = CrashingOutbox(world.store, world.relay, executor=world.executor, now=clock.now)
        world.start_with(outbox_worker=outbox)
        world.daemon.look_at_everything()
        (problem,) = world.problems().values()
        assert problem.key == "tallyd/sending/crashed"
        assert "ValueError" in text_of(problem)
        outbox.crashes = False
        world.daemon.look_at_everything()
        assert world.problems() == {}


def test_a_queued_run_that_was_cancelled_is_not_waited_for(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hang(slot: Slot, tools: Toolbox) -> Reading:
        begun.set()
        go_on.wait(30)
        return one_person(slot, tools)

    pollers = {name: FakePoller(daily("08:00"), act=hang) for name in ("one", "two")}
    executor = ThreadPoolExecutor(1)
    clock = FakeClock(at("2026-11-20 07:59"))
    with clock, World(tmp_path, clock, pollers, executor=executor) as world:
        clock.pass_s(61)
        world.daemon.look_at_everything()
        assert begun.wait(10)
        executor.shutdown(wait=False, cancel_futures=True)
        go_on.set()
        assert world.daemon.wait(10)


def test_what_a_stop_finds_in_memory_is_stored_and_written_before_the_end(tmp_path: Path) -> None:
    with (
        FakeClock(at("2026-11-20 07:59")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"))) as world,
    ):
        slot = Slot("2026-11-20T08:00:00[Europe/Berlin]", at("2026-11-20 08:00"))
        reading = Reading(taken_at=slot.due_at, facts={"total": 1})
        with closing(sqlite3.connect(world.state.place)) as other:
            other.execute("ALTER TABLE reading RENAME TO away")  # so that nothing can be stored
            (result,) = world.store.commit(world.task, slot, [reading], by_daemon=True)
            other.execute("ALTER TABLE away RENAME TO reading")
        assert not result.is_stored
        world.daemon.finish()
        assert world.outcomes() == ["2026-11-20 08:00 taken"]
        assert world.out_files() == ["2026-11/2026-11-20T080000+0100.json"]


def test_odd_files_in_out_and_state_are_passed_over(tmp_path: Path) -> None:
    month = tmp_path / "out" / "one" / "2026-11"
    month.mkdir(parents=True)
    (month / "2026-11-01T080000+0100.json").write_text("[" * 100_000)
    (tmp_path / "out" / "stray").write_text("no folder")
    (tmp_path / "out" / "gone").symlink_to(tmp_path / "nowhere")
    assert list(OutFiles(tmp_path / "out").contents()) == []

    (tmp_path / "state.db.damaged-oldZ").touch()
    assert damage_problems(tmp_path) == ()
    (tmp_path / "state.db.damaged-20261120T070000Z").touch()
    (problem,) = damage_problems(tmp_path)
    assert problem.since == datetime(2026, 11, 20, 7, tzinfo=UTC)


def test_a_state_db_that_is_deleted_or_replaced_is_noticed(tmp_path: Path) -> None:
    with (
        FakeClock(at("2026-11-20 07:59")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"))) as world,
    ):
        assert world.state.is_in_place()
        path = Path(world.state.place)
        copy = path.with_name("copy")
        copy.write_bytes(path.read_bytes())
        copy.replace(path)
        assert not world.state.is_in_place()
        path.unlink()
        assert not world.state.is_in_place()


def test_a_run_that_finds_nothing_new_writes_nothing(tmp_path: Path) -> None:
    def looks(_slot: Slot, tools: Toolbox) -> Reading:
        return Reading(taken_at=tools.now(), facts=None)

    poller = FakePoller(Every(2.0), looks, catch_up_s=None)
    with FakeClock(at("2026-11-20 08:00")) as clock, World(tmp_path, clock, poller) as world:
        world.run(seconds=40, least_s=0.5)
        wal = tmp_path / "state" / "state.db-wal"
        before = wal.stat().st_size
        world.run(minutes=5, least_s=0.5)
        assert len(poller.runs) > 150
        assert wal.stat().st_size == before + 5 * BEAT_BYTES
        assert world.history() == ()


def test_a_reading_ends_only_what_it_can_say_something_of(tmp_path: Path) -> None:
    is_night = False

    def looks(_slot: Slot, tools: Toolbox) -> Reading:
        if is_night:
            return Reading(taken_at=tools.now(), facts=None, evaluates=frozenset())
        problem = BELOW.problem("one", "gate", since=tools.now(), poller="one", subject="gate")
        return Reading(taken_at=tools.now(), facts=None, problems=(problem,))

    poller = FakePoller(Every(2.0), looks, catch_up_s=None)
    with FakeClock(at("2026-11-20 08:00")) as clock, World(tmp_path, clock, poller) as world:
        world.run(seconds=10, least_s=0.5)
        assert list(world.problems()) == ["one/gate/below"]
        is_night = True
        world.run(minutes=5, least_s=0.5)
        assert list(world.problems()) == ["one/gate/below"], "suspended, and not over"
