"""A full disk, a folder that can't be written, retention, and a daemon that has nothing to do."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest

from support.fakeclock import FakeClock, at
from support.fakeworld import BEAT_BYTES, FakePoller, World, daily, disk_refuses, one_person
from support.wording import text_of
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.reading import Facts, Reading, Slot
from tallyd.core.schedule.timetable import Every
from tallyd.settings.pollers import OutOverride, RetrySettings

EIGHT, NOON = daily("08:00"), daily("08:00", "12:00")


class Disk:
    """Fails from one moment on, and works again from another."""

    def __init__(self) -> None:
        self._refusing = ExitStack()

    def refuse(self) -> None:
        self._refusing.enter_context(disk_refuses())

    def work(self) -> None:
        self._refusing.close()


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk()
    yield disk
    disk.work()


@pytest.mark.parametrize(
    ("before_claim", "before_record"),
    [
        pytest.param("refuse", "refuse", id="all-the-time"),
        pytest.param("refuse", "work", id="at-the-claim-alone"),
        pytest.param("work", "refuse", id="at-the-record-alone"),
    ],
)
def test_a_reading_that_state_db_cannot_store_is_held_and_later_committed_and_written_once(
    tmp_path: Path, disk: Disk, before_claim: str, before_record: str
) -> None:
    def count(slot: Slot, tools: Toolbox) -> Reading:
        getattr(disk, before_record)()
        return one_person(slot, tools)

    poller = FakePoller(EIGHT, count)
    with FakeClock(at("2026-11-20 07:59:30")) as clock, World(tmp_path, clock, poller) as world:
        getattr(disk, before_claim)()
        world.run(minutes=30)
        held = before_record == "refuse"
        assert world.outcomes() == ([] if held else ["2026-11-20 08:00 taken"])
        assert ("cannot use state.db" in world.shown[-1]) == held
        disk.work()
        world.run(minutes=30)
        assert "cannot use state.db" not in world.shown[-1]
        assert world.outcomes() == ["2026-11-20 08:00 taken"]
        assert world.origins() == ["live"]
        assert len(poller.runs) == 1
        assert world.out_files() == ["2026-11/2026-11-20T080000+0100.json"]
        world.restart()
        world.run(minutes=5)
        assert len(poller.runs) == 1
        assert world.state.slots.pending("one", "count") == ()


def test_readings_held_over_several_slots_are_committed_in_their_order(tmp_path: Path, disk: Disk) -> None:
    poller = FakePoller(Every(300.0, grid=True))
    with FakeClock(at("2026-11-20 07:59:30")) as clock, World(tmp_path, clock, poller) as world:
        disk.refuse()
        world.run(minutes=61)
        assert len(poller.runs) == 13
        disk.work()
        world.run(minutes=3)
        assert world.outcomes() == [f"2026-11-20 {8 + n // 12:02}:{n % 12 * 5:02} taken" for n in range(13)]
        latest = json.loads((tmp_path / "out" / "one" / "latest.json").read_text())
        assert latest["due_at"] == "2026-11-20T09:00:00+01:00"


@pytest.mark.parametrize("works", [True, False], ids=["the-disk-works-again", "it-still-fails"])
def test_at_the_end_what_is_held_is_stored_and_written_or_said_to_be_lost(
    tmp_path: Path, disk: Disk, works: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with FakeClock(at("2026-11-20 07:59:30")) as clock, World(tmp_path, clock, FakePoller(EIGHT)) as world:
        disk.refuse()
        world.run(minutes=1)
        if works:
            disk.work()
        world.daemon.finish()
        disk.work()
        lost = [vars(each)["slots"] for each in caplog.records if "are lost" in each.message]
        assert lost == ([] if works else [[["2026-11-20T08:00:00[Europe/Berlin]"]]])
        assert world.outcomes() == ["2026-11-20 08:00 taken"] * works
        assert len(world.out_files()) == works


def test_a_failure_that_state_db_cannot_store_is_held_too(tmp_path: Path, disk: Disk) -> None:
    def fail(slot: Slot, tools: Toolbox) -> Reading:
        raise SourceError("access refused", transient=False)

    poller = FakePoller(EIGHT, fail, retry=RetrySettings(attempts=1))
    with FakeClock(at("2026-11-20 07:59:30")) as clock, World(tmp_path, clock, poller) as world:
        disk.refuse()
        world.run(minutes=30)
        assert len(poller.runs) == 1
        disk.work()
        world.run(minutes=1)
        assert world.outcomes() == ["2026-11-20 08:00 missed"]
        assert world.history()[0].reason == "access refused"


def test_what_was_missed_and_cannot_be_recorded_does_not_hold_up_what_is_due(
    tmp_path: Path, disk: Disk
) -> None:
    poller = FakePoller(NOON)
    with FakeClock(at("2026-11-20 07:30")) as clock, World(tmp_path, clock, poller) as world:
        disk.refuse()
        clock.set(at("2026-11-20 12:00:10"))  # asleep over 08:00
        world.run(minutes=30)
        assert len(poller.runs) == 1
        disk.work()
        world.run(minutes=1)
        assert world.outcomes() == ["2026-11-20 08:00 missed", "2026-11-20 12:00 taken"]


@pytest.mark.parametrize(
    ("set_back", "expected"),
    [
        pytest.param(0, ["08:00 taken", "08:30 taken", "08:45 taken"], id="edited"),
        pytest.param(20, ["08:00 taken", "08:30 taken", "08:45 taken"], id="edited-and-the-clock-set-back"),
    ],
)
def test_a_time_that_is_added_while_state_db_fails_counts_and_delays_no_other(
    tmp_path: Path, disk: Disk, set_back: int, expected: list[str]
) -> None:
    with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, FakePoller(EIGHT)) as world:
        world.run(minutes=11)
        world.edit(FakePoller(daily("08:00", "08:45")))
        world.run(minutes=1)
        disk.refuse()
        world.edit(FakePoller(daily("08:00", "08:30", "08:45")))
        world.run(minutes=1)
        clock.set(clock.now() - timedelta(minutes=set_back))
        world.run(minutes=70)
        assert [one.removeprefix("2026-11-20 ") for one in world.outcomes()] == ["08:00 taken"]
        disk.work()
        world.run(minutes=1)
        assert [one.removeprefix("2026-11-20 ") for one in world.outcomes()] == expected
        world.restart()
        world.run(minutes=1)
        assert [one.removeprefix("2026-11-20 ") for one in world.outcomes()] == expected


@pytest.mark.parametrize("is_killed", [False, True], ids=["at-once", "after-a-kill"])
def test_latest_json_has_everything_also_when_the_file_has_only_what_changed(
    tmp_path: Path, *, is_killed: bool
) -> None:
    def only_one_changed(slot: Slot, tools: Toolbox) -> Reading:
        changed: Facts = {"counts": {"fresh": 2}, "targets": {"B": "fresh"}}
        return Reading(taken_at=tools.now(), facts=changed, latest={"targets": {"A": "fresh", "B": "fresh"}})

    out = tmp_path / "out"
    poller = FakePoller(EIGHT, only_one_changed)
    with FakeClock(at("2026-11-20 07:59:30")) as clock, World(tmp_path, clock, poller) as world:
        if is_killed:
            out.write_text("somebody put a file here")
        world.run(minutes=2)
        if is_killed:
            world.restart()
            out.unlink()
            world.run(minutes=1)
        (name,) = world.out_files()
        written, latest = (json.loads((out / "one" / each).read_text()) for each in (name, "latest.json"))
        (row,) = world.history()
    assert row.body == written
    assert written["targets"] == {"B": "fresh"}
    assert latest == {
        **written,
        "targets": {"A": "fresh", "B": "fresh"},
        "next_due_at": "2026-11-21T08:00:00+01:00",
    }
    with closing(sqlite3.connect(tmp_path / "state" / "state.db")) as db:
        assert db.execute("SELECT latest FROM reading").fetchall() == [(None,)]


def test_while_out_cannot_be_written_readings_are_kept_written_later_and_notified(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("somebody put a file here")
    with FakeClock(at("2026-11-20 07:59:30")) as clock, World(tmp_path, clock, FakePoller(NOON)) as world:
        world.run(hours=4.1, least_s=30)
        assert len(world.taken()) == 2
        assert "cannot write" in text_of(world.problems()["tallyd/out"], now=world.clock.now())
        world.restart()
        out.unlink()
        world.run(minutes=1)
        assert world.out_files() == [
            "2026-11/2026-11-20T080000+0100.json",
            "2026-11/2026-11-20T120000+0100.json",
        ]
        assert world.problems() == {}
        latest = json.loads((out / "one" / "latest.json").read_text())
        assert latest["due_at"] == "2026-11-20T12:00:00+01:00"
        assert latest["next_due_at"] == "2026-11-21T08:00:00+01:00"


@pytest.mark.parametrize("when", ["before the claim", "after the commit"])
def test_a_foreign_file_under_the_reserved_name_is_never_overwritten(tmp_path: Path, when: str) -> None:
    month = tmp_path / "out" / "one" / "2026-11"
    name, foreign = "2026-11-20T080000+0100", "somebody else's"
    with FakeClock(at("2026-11-20 07:59:30")) as clock, World(tmp_path, clock, FakePoller(EIGHT)) as world:
        if when == "before the claim":
            month.mkdir(parents=True)
            (month / f"{name}.json").write_text(foreign)
            world.run(minutes=1)
        else:
            (tmp_path / "out").write_text("in the way, so that the name is reserved and not written")
            world.run(minutes=1)
            (tmp_path / "out").unlink()
            month.mkdir(parents=True)
            (month / f"{name}.json").write_text(foreign)
            world.run(minutes=1)
        assert (month / f"{name}.json").read_text() == foreign
        assert json.loads((month / f"{name}-2.json").read_text())["total"] == 1
        assert len(world.out_files()) == 2
        assert world.history()[0].out_name == f"2026-11/{name}-2.json"


def test_a_file_of_ours_that_was_written_just_before_a_kill_is_recognised(tmp_path: Path) -> None:
    with FakeClock(at("2026-11-20 07:59:30")) as clock, World(tmp_path, clock, FakePoller(EIGHT)) as world:
        world.run(minutes=1)
        with sqlite3.connect(tmp_path / "state" / "state.db") as db:
            db.execute("UPDATE reading SET written=0")
        db.close()
        world.restart()
        world.run(minutes=1)
        assert world.out_files() == ["2026-11/2026-11-20T080000+0100.json"]


# -- retention ---------------------------------------------------------------------------------------------


def kept(days: int | None, poller: FakePoller) -> FakePoller:
    poller.out = OutOverride(keep_days=days)
    return poller


@pytest.mark.parametrize("then", [pytest.param(5, id="as before"), 90, None])
def test_what_retention_deleted_is_not_found_missed_after_a_boot_in_the_past(
    tmp_path: Path, then: int | None
) -> None:
    poller = kept(5, FakePoller(EIGHT))
    with FakeClock(at("2026-11-01 07:59")) as clock, World(tmp_path, clock, poller) as world:
        world.run(hours=24 * 12, least_s=900)
        world.edit(kept(then, FakePoller(EIGHT)))
        world.run(minutes=1)
        right = clock.now()
        world.kill()
        clock.set(at("2020-01-01 06:00"))
        world.start()
        world.run(minutes=3)
        clock.set(right + timedelta(minutes=5))
        world.run(minutes=3)
        assert {row.outcome for row in world.history()} == {"taken"}


def test_what_was_due_while_the_clock_was_further_ahead_than_keep_days_is_recorded_as_missed(
    tmp_path: Path,
) -> None:
    poller = kept(5, FakePoller(daily("08:00", "09:00", "10:00")))
    with FakeClock(at("2026-11-01 07:59")) as clock, World(tmp_path, clock, poller) as world:
        world.run(hours=24 * 2, least_s=900)
        clock.set(clock.now() + timedelta(days=40))
        world.run(minutes=90)
        clock.set(clock.now() - timedelta(days=40))
        world.run(hours=2)
        of_the_day = {row.slot: row.outcome for row in world.history() if str(row.slot) > "2026-11-03"}
        slots = [f"2026-11-03T{hour}:00:00[Europe/Berlin]" for hour in ("08", "09", "10")]
        assert {slot: of_the_day.get(slot) for slot in slots} == {
            slots[0]: "missed",
            slots[1]: "missed",
            slots[2]: "taken",
        }


def test_what_was_due_while_tallyd_was_off_is_recorded_as_missed_by_a_clock_that_starts_too_far_ahead(
    tmp_path: Path,
) -> None:
    poller = kept(3, FakePoller(daily("08:00", "09:00", "10:00")))
    with FakeClock(at("2026-11-03 07:59")) as clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=31)
        world.kill()
        clock.set(clock.now() + timedelta(days=6, hours=1))  # by less than a week: retention trusts it
        world.start()
        world.run(minutes=5)
        clock.set(clock.now() - timedelta(days=6))
        world.run(minutes=5)
        assert "2026-11-03 09:00 missed" in world.outcomes()


# -- nothing to do -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wakes", "problems"),
    [
        pytest.param("2026-11-20 08:00", [], id="all-is-well"),
        pytest.param("2026-11-20 08:20", ["one/count/missed"], id="a-problem-is-open"),
    ],
)
def test_without_anything_to_do_only_that_the_daemon_is_on_is_written_to_state_db(
    tmp_path: Path, wakes: str, problems: list[str]
) -> None:
    with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, FakePoller(NOON)) as world:
        clock.set(at(wakes))
        world.run(minutes=5)
        assert list(world.problems()) == problems
        log, beats = tmp_path / "state" / "state.db-wal", 3 * 60
        world.state.uptime.note({clock.now(): clock.now()})  # its page is in the log from here on

        before = log.stat().st_size
        world.run(hours=3, least_s=30)
        assert log.stat().st_size == before + beats * BEAT_BYTES
        world.run(hours=1, least_s=30)
        assert log.stat().st_size > before + (beats + 60) * BEAT_BYTES, "12:00 was counted: a write is seen"


def test_a_job_remembers_while_the_disk_is_full_what_it_asked_to(tmp_path: Path) -> None:
    seen: list[object] = []

    def count_up(_slot: Slot, tools: Toolbox) -> Reading:
        seen.append(tools.memory().get("runs", 0))
        return Reading(taken_at=tools.now(), facts=None, memory={"runs": len(seen)})

    with (
        FakeClock(at("2026-11-20 07:59")) as clock,
        World(tmp_path, clock, FakePoller(Every(60), count_up)) as world,
    ):
        world.run(minutes=1.5)
        with disk_refuses():
            world.run(minutes=3)
        world.run(minutes=2)
    assert seen == list(range(len(seen)))
    assert len(seen) >= 6
