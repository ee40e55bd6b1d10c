"""The daemon when clocks change or are set, when the machine sleeps, and over restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from support.fakeclock import BERLIN, FakeClock, at
from support.fakeworld import FakePoller, Killed, World, daily, one_person
from support.wording import text_of
from tallyd.contract.toolbox import Toolbox
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.timetable import At, Every, slots

TIMES = daily("08:00", "12:00", "16:00")
DAY = timedelta(days=1)


@pytest.mark.parametrize("host_zone", ["UTC", "Europe/Berlin", "Australia/Lord_Howe"])
@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param(
            "2026-03-29 01:15",
            ["2026-03-29 01:30 taken", "2026-03-29 03:30 taken", "2026-03-29 08:00 taken"],
            id="spring",
        ),
        pytest.param(
            "2026-10-25 01:15",
            ["2026-10-25 01:30 taken", "2026-10-25 02:30 taken", "2026-10-25 08:00 taken"],
            id="autumn",
        ),
    ],
)
def test_in_the_night_of_a_clock_change_every_time_of_day_is_counted_once(
    tmp_path: Path, host_zone: str, start: str, expected: list[str]
) -> None:
    poller = FakePoller(daily("01:30", "02:30", "08:00"))
    with FakeClock(at(start), host_zone=host_zone) as clock, World(tmp_path, clock, poller) as world:
        for one in expected:
            slot = at(one.removesuffix(" taken"))
            world.run(seconds=(slot - clock.now()).total_seconds() - 5, least_s=600)
            world.run(seconds=30)
        world.run(hours=1, least_s=600)
        assert world.outcomes() == expected
        assert len(world.out_files()) == 3
        assert max(slot.late_s for slot in poller.runs) < 1.1


def test_the_files_of_a_repeated_hour_have_its_first_offset(tmp_path: Path) -> None:
    with (
        FakeClock(at("2026-10-25 00:00")) as clock,
        World(tmp_path, clock, FakePoller(daily("02:30", "03:30"))) as world,
    ):
        world.run(hours=6, least_s=20)
        assert world.out_files() == [
            "2026-10/2026-10-25T023000+0200.json",
            "2026-10/2026-10-25T033000+0100.json",
        ]


@pytest.mark.parametrize("host_zone", ["UTC", "America/New_York"])
def test_a_grid_goes_on_through_a_clock_change(tmp_path: Path, host_zone: str) -> None:
    poller = FakePoller(Every(300.0, grid=True))
    start = datetime(2026, 11, 1, 5, 31, tzinfo=UTC)  # clocks go back in New York at 06:00 UTC
    with FakeClock(start, host_zone=host_zone) as clock, World(tmp_path, clock, poller) as world:
        world.run(hours=1)
        instants = [slot.due_at for slot in poller.runs]
        assert instants == [
            datetime(2026, 11, 1, 5, 35, tzinfo=UTC) + timedelta(minutes=5 * n) for n in range(12)
        ]
        assert max(slot.late_s for slot in poller.runs) < 1.1


@pytest.mark.parametrize(
    ("wakes", "expected", "origins"),
    [
        pytest.param("2026-11-20 12:10", ["08:00 missed", "12:00 taken"], ["late"], id="within-the-catch-up"),
        pytest.param("2026-11-20 12:00", ["08:00 missed", "12:00 taken"], ["live"], id="to-the-instant"),
        pytest.param("2026-11-20 13:00", ["08:00 missed", "12:00 missed"], [], id="after-the-catch-up"),
    ],
)
def test_after_a_suspend_the_newest_slot_is_caught_up_and_the_others_are_missed(
    tmp_path: Path, wakes: str, expected: list[str], origins: list[str]
) -> None:
    with FakeClock(at("2026-11-20 07:00")) as clock, World(tmp_path, clock, FakePoller(TIMES)) as world:
        world.run(minutes=1)
        clock.suspend((at(wakes) - clock.now()).total_seconds() / 3600)
        world.run(seconds=2)
        assert [one.removeprefix("2026-11-20 ") for one in world.outcomes()] == expected
        assert world.origins() == origins


def test_a_slot_without_a_run_is_notified_until_the_next_reading(tmp_path: Path) -> None:
    with FakeClock(at("2026-11-20 07:00")) as clock, World(tmp_path, clock, FakePoller(TIMES)) as world:
        clock.set(at("2026-11-20 13:00"))
        world.run(seconds=2)
        assert "08:00 and 12:00" in text_of(world.problems()["one/count/missed"], now=world.clock.now())
        clock.set(at("2026-11-20 15:59:59"))
        world.run(minutes=1)
        assert world.problems() == {}


@pytest.mark.parametrize(
    "by",
    [timedelta(minutes=-2), timedelta(hours=-1), -DAY, -400 * DAY, -4000 * DAY],
    ids=["2-min", "an-hour", "a-day", "a-year", "a-decade"],
)
def test_after_the_clock_is_set_back_no_reading_is_doubled_and_later_slots_are_taken(
    tmp_path: Path, by: timedelta
) -> None:
    poller = FakePoller(TIMES)
    with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=2)
        clock.set(clock.now() + by)
        set_to = clock.now()
        world.run(hours=30, least_s=600)
        keys = [slot.key for slot in poller.runs]
        assert len(keys) == len(set(keys))
        came = slots(TIMES, BERLIN, after=set_to, until=clock.now())
        assert {due.key for due in came} | {keys[0]} == {row.slot for row in world.history()}
        assert all(one.endswith("taken") for one in world.outcomes())


def test_after_a_boot_in_the_past_the_right_time_finds_no_reading_doubled_and_the_missed_ones_once(
    tmp_path: Path,
) -> None:
    poller = FakePoller(TIMES)
    with FakeClock(at("2026-11-18 07:59")) as clock, World(tmp_path, clock, poller) as world:
        world.run(hours=30, least_s=600)
        world.kill()
        clock.set(at("2020-01-01 06:00"))
        world.start()
        world.run(hours=1, least_s=60)
        clock.set(at("2026-11-20 12:05"))
        world.run(minutes=5)
        assert world.outcomes() == [
            "2026-11-18 08:00 taken",
            "2026-11-18 12:00 taken",
            "2026-11-18 16:00 taken",
            "2026-11-19 08:00 taken",
            "2026-11-19 12:00 taken",
            "2026-11-19 16:00 missed",
            "2026-11-20 08:00 missed",
            "2026-11-20 12:00 taken",
        ]
        keys = [slot.key for slot in poller.runs]
        assert len(keys) == len(set(keys))


def test_what_is_counted_while_the_clock_is_years_behind_is_kept_under_the_time_it_shows(
    tmp_path: Path,
) -> None:
    with FakeClock(at("2026-11-20 07:00")) as clock, World(tmp_path, clock, FakePoller(TIMES)) as world:
        world.restart()
        clock.set(at("2020-01-01 07:59"))
        world.run(minutes=5)
        clock.set(at("2026-11-20 07:06"))
        world.run(hours=1, least_s=1)
        assert world.outcomes() == ["2020-01-01 08:00 taken", "2026-11-20 08:00 taken"]


@pytest.mark.parametrize("ahead", [DAY, 365 * DAY, 3650 * DAY], ids=["a-day", "a-year", "a-decade"])
def test_a_slot_that_a_fast_clock_recorded_as_missed_is_taken_when_it_really_comes(
    tmp_path: Path, ahead: timedelta
) -> None:
    poller = FakePoller(TIMES)
    with FakeClock(at("2026-11-20 07:00")) as clock, World(tmp_path, clock, poller) as world:
        clock.set(at("2026-11-20 08:01") + ahead)
        world.run(minutes=3)  # all in between is missed, 08:00 of the wrong future is taken
        assert len(world.taken()) == 1
        clock.set(at("2026-11-20 07:04"))
        world.run(hours=49.5, least_s=600)
        by_now = {one.removesuffix(" taken") for one in world.outcomes() if one < "2026-11-22 08:10"}
        days = ("2026-11-20", "2026-11-21", "2026-11-22")
        assert by_now == {f"{day} {one}" for day in days for one in ("08:00", "12:00", "16:00")} - {
            "2026-11-22 12:00",
            "2026-11-22 16:00",
        }
        keys = [slot.key for slot in poller.runs]
        assert len(keys) == len(set(keys)), "also the one that the wrong clock took is not doubled"


@pytest.mark.parametrize(
    ("first_start", "expected"),
    [
        pytest.param("2026-11-20 07:59:59.9", ["2026-11-20 08:00 taken"], id="just-before"),
        pytest.param("2026-11-20 08:00:00", [], id="to-the-instant"),
        pytest.param("2026-11-20 08:00:00.5", [], id="just-after"),
    ],
)
def test_the_very_first_start_finds_nothing_due_from_before(
    tmp_path: Path, first_start: str, expected: list[str]
) -> None:
    with FakeClock(at(first_start)) as clock, World(tmp_path, clock, FakePoller(TIMES)) as world:
        world.run(minutes=5)
        assert world.outcomes() == expected


@pytest.mark.parametrize("off_s", [0.0, 0.2, 0.9, 60.0])
def test_a_restart_in_the_second_of_a_slot_takes_it_once(tmp_path: Path, off_s: float) -> None:
    poller = FakePoller(TIMES)
    with FakeClock(at("2026-11-20 07:59:58.7")) as clock, World(tmp_path, clock, poller) as world:
        while clock.now() < at("2026-11-20 08:00:03"):
            world.daemon.tick()
            world.restart(off_s=off_s)
            clock.pass_s(0.3)
        world.run(minutes=5)
        assert world.outcomes() == ["2026-11-20 08:00 taken"]
        assert len(poller.runs) == 1
        assert len(world.out_files()) == 1


@pytest.mark.parametrize(
    ("off_s", "starts", "outcome"),
    [
        pytest.param(60.0, 2, "taken", id="within-the-catch-up"),
        pytest.param(899.0 - 1, 2, "taken", id="just-within-the-catch-up"),
        pytest.param(901.0, 1, "missed", id="after-the-catch-up"),
    ],
)
def test_a_slot_whose_process_died_is_run_again_while_it_can_be_caught_up(
    tmp_path: Path, off_s: float, starts: int, outcome: str
) -> None:
    def die_once(slot: Slot, tools: Toolbox) -> Reading:
        if len(poller.runs) == 1:
            raise Killed
        return one_person(slot, tools)

    poller = FakePoller(TIMES, die_once)
    with FakeClock(at("2026-11-20 07:59:59")) as clock, World(tmp_path, clock, poller) as world:
        with pytest.raises(Killed):
            world.run(minutes=1)
        world.restart(off_s=off_s)
        assert world.outcomes() == [f"2026-11-20 08:00 {outcome}"]
        assert len(poller.runs) == starts


def test_a_slot_that_kills_the_process_is_given_up_after_three_starts(tmp_path: Path) -> None:
    def die(_slot: Slot, _tools: Toolbox) -> Reading:
        raise Killed

    poller = FakePoller(TIMES, die)
    with FakeClock(at("2026-11-20 07:59:59")) as clock, World(tmp_path, clock, poller) as world:
        with pytest.raises(Killed):
            world.run(minutes=1)
        for _ in range(2):
            with pytest.raises(Killed):
                world.restart(off_s=10)
        world.restart(off_s=10)
        world.run(minutes=20)
        assert len(poller.runs) == 3
        assert world.outcomes() == ["2026-11-20 08:00 missed"]
        assert "interrupted" in text_of(world.problems()["one/count/failed"], now=world.clock.now())


def test_weekdays_are_those_of_the_poller_s_zone(tmp_path: Path) -> None:
    mondays = At(daily("00:30").times, frozenset({0}))
    poller = FakePoller(mondays, timezone=ZoneInfo("Pacific/Auckland"))
    with FakeClock(datetime(2026, 11, 20, tzinfo=UTC)) as clock, World(tmp_path, clock, poller) as world:
        world.run(hours=8 * 24, least_s=900)
        assert [f"{slot.due_at:%a %H:%M}" for slot in poller.runs] == ["Sun 11:30"]
