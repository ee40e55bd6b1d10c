"""Times, days, zones and pollers that are edited while the daemon runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.executors import Threads
from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, daily, one_person
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.timetable import At, Every
from tallyd.settings.pollers import RetrySettings


@pytest.mark.parametrize(
    ("edited_at", "times", "expected"),
    [
        pytest.param("08:30", ("08:00", "09:00"), ["08:00 taken", "09:00 taken"], id="a-later-one-is-added"),
        pytest.param("08:30", ("08:00", "08:15"), ["08:00 taken"], id="an-earlier-one-is-added"),
        pytest.param("08:30", ("08:00", "08:29"), ["08:00 taken"], id="one-that-could-be-caught-up-is-added"),
        pytest.param(
            "08:30",
            ("08:00", "08:30:05"),
            ["08:00 taken", "08:30:05 taken"],
            id="one-seconds-from-now-is-added",
        ),
        pytest.param("07:30", ("09:00",), ["09:00 taken"], id="one-is-moved-before-it-came"),
        pytest.param("08:30", ("09:00",), ["08:00 taken", "09:00 taken"], id="one-is-moved-after-it-came"),
        pytest.param("07:59:59.2", ("09:00",), ["09:00 taken"], id="one-is-removed-in-its-last-second"),
    ],
)
def test_a_time_counts_from_the_moment_it_is_added_until_it_is_removed(
    tmp_path: Path, edited_at: str, times: tuple[str, ...], expected: list[str]
) -> None:
    with (
        FakeClock(at("2026-11-20 07:00")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"))) as world,
    ):
        world.run(seconds=(at(f"2026-11-20 {edited_at}") - clock.now()).total_seconds(), least_s=30)
        world.edit(FakePoller(daily(*times)))
        world.run(seconds=(at("2026-11-20 09:30") - clock.now()).total_seconds(), least_s=30)
        assert [one.removeprefix("2026-11-20 ") for one in world.outcomes()] == expected


def test_a_time_that_was_removed_for_a_while_is_not_found_missed_when_it_comes_back(tmp_path: Path) -> None:
    with (
        FakeClock(at("2026-11-20 07:59")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"))) as world,
    ):
        world.run(minutes=5)
        world.edit(FakePoller(daily("20:00")))
        world.run(hours=48, least_s=900)
        world.edit(FakePoller(daily("08:00", "20:00")))
        world.run(hours=25, least_s=900)
        assert world.outcomes() == [
            "2026-11-20 08:00 taken",
            "2026-11-20 20:00 taken",
            "2026-11-21 20:00 taken",
            "2026-11-22 20:00 taken",
            "2026-11-23 08:00 taken",
        ]


def test_a_slot_that_comes_in_the_second_of_an_edit_that_removes_it_is_still_taken(tmp_path: Path) -> None:
    with (
        FakeClock(at("2026-11-20 07:59")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"))) as world,
    ):
        world.run(seconds=59.5)
        world.edit(FakePoller(daily("09:00")))
        clock.pass_s(0.6)
        world.run(seconds=5)
        assert world.outcomes() == ["2026-11-20 08:00 taken"]


def test_an_edit_does_not_make_a_slot_run_twice(tmp_path: Path) -> None:
    first, second = FakePoller(daily("08:00")), FakePoller(daily("08:00", "20:00"))
    with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, first) as world:
        world.run(seconds=61.5)
        world.edit(second)
        world.run(minutes=10)
        world.edit(first)
        world.run(minutes=10)
        assert len(first.runs) + len(second.runs) == 1


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        pytest.param("Asia/Kolkata", "2026-11-20T02:30:00+00:00", id="where-it-is-later"),
        pytest.param("America/New_York", "2026-11-19T13:00:00+00:00", id="where-it-is-earlier"),
    ],
)
def test_with_another_zone_the_next_reading_is_at_its_local_time(
    tmp_path: Path, zone: str, expected: str
) -> None:
    poller = FakePoller(daily("08:00"))
    with FakeClock(at("2026-11-19 07:59")) as clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=10)
        world.edit(zone=zone)
        world.run(hours=24, least_s=600)
        instants = [slot.due_at.isoformat() for slot in poller.runs]
        assert instants[:2] == ["2026-11-19T07:00:00+00:00", expected]
        assert {row.outcome for row in world.history()} == {"taken"}


def test_with_another_zone_there_and_back_no_slot_is_doubled_or_missed(tmp_path: Path) -> None:
    poller = FakePoller(daily("08:00"))
    with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=5)
        world.edit(zone="America/New_York")
        world.run(minutes=5)
        world.edit(zone="Europe/Berlin")
        world.run(minutes=5)
        assert world.outcomes() == ["2026-11-20 08:00 taken"]


def test_other_days_count_from_the_moment_they_are_active(tmp_path: Path) -> None:
    friday, saturday = frozenset({4}), frozenset({5})
    times = daily("08:00").times
    with (
        FakeClock(at("2026-11-20 08:30")) as clock,  # a Friday
        World(tmp_path, clock, FakePoller(At(times, saturday))) as world,
    ):
        world.run(minutes=1)
        world.edit(FakePoller(At(times, friday)))
        world.run(hours=30, least_s=600)
        assert world.outcomes() == []
        world.edit(FakePoller(At(times, friday | saturday)))
        world.run(hours=24 * 6, least_s=900)
        assert world.outcomes() == ["2026-11-27 08:00 taken"]


def test_a_run_under_way_finishes_on_the_settings_it_began_with(tmp_path: Path) -> None:
    threads = Threads()
    gate = threads.gate()

    def slow(slot: Slot, tools: Toolbox) -> Reading:
        threads.wait_at(gate)
        return Reading(taken_at=tools.now(), facts={"by": "old"})

    old, new = FakePoller(daily("08:00"), slow), FakePoller(daily("08:00", "08:05"))
    with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, old, executor=threads) as world:
        world.run(minutes=2)
        world.edit(new)
        world.run(minutes=3)
        assert new.runs == []
        gate.set()
        world.daemon.wait(10)
        world.run(minutes=5)
        assert [row.body and row.body.get("by", "new") for row in world.history()] == ["old", "new"]
        assert [slot.key for slot in new.runs] == ["2026-11-20T08:05:00[Europe/Berlin]"]


def test_a_job_that_is_removed_and_comes_back_while_it_runs_is_not_begun_a_second_time(
    tmp_path: Path,
) -> None:
    threads = Threads()
    gate = threads.gate()

    def slow(slot: Slot, tools: Toolbox) -> Reading:
        threads.wait_at(gate)
        return one_person(slot, tools)

    old, other, new = FakePoller(daily("08:00"), slow), FakePoller(daily("20:00")), FakePoller(daily("08:00"))
    with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, old, executor=threads) as world:
        world.run(minutes=2)
        for pollers in ({"two": other}, {"two": other, "three": other}, {"one": new, "two": other}):
            world.edit(pollers)
            world.run(minutes=1)
        assert new.runs == []
        gate.set()
        assert world.daemon.wait(10)
        world.run(minutes=20)
        assert world.outcomes() == ["2026-11-20 08:00 taken"]
        assert world.problems() == {}


def test_a_slot_that_failed_is_settled_even_after_its_time_was_removed(tmp_path: Path) -> None:
    def fail(_slot: Slot, _tools: Toolbox) -> Reading:
        raise SourceError("example.org timed out", transient=True)

    failing = FakePoller(daily("08:00"), fail, retry=RetrySettings(attempts=1))
    with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, failing) as world:
        world.run(minutes=2)
        world.edit(FakePoller(daily("09:00")))
        world.run(minutes=10)
        assert world.outcomes() == ["2026-11-20 08:00 taken"], "it could still be caught up"


def test_what_was_said_of_a_poller_ends_when_it_is_removed(tmp_path: Path) -> None:
    def crash(_slot: Slot, _tools: Toolbox) -> Reading:
        raise ZeroDivisionError

    with (
        FakeClock(at("2026-11-20 07:59")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"), crash)) as world,
    ):
        world.run(minutes=2)
        assert list(world.problems()) == ["one/count/crashed"]
        world.edit({})
        world.run(minutes=1)
        assert world.problems() == {}
        assert "no poller is configured" in world.shown[-1]


def test_a_plain_interval_can_become_a_grid_and_times_of_day(tmp_path: Path) -> None:
    plain, grid = FakePoller(Every(60.0), catch_up_s=None), FakePoller(Every(300.0, grid=True))
    with FakeClock(at("2026-11-20 07:31:10")) as clock, World(tmp_path, clock, plain) as world:
        world.run(minutes=5)
        assert len(plain.runs) == 5
        world.edit(grid)
        world.run(minutes=20)
        assert [f"{slot.due_at:%H:%M}" for slot in grid.runs] == ["06:40", "06:45", "06:50", "06:55"]
        world.edit(FakePoller(daily("08:00")))
        world.run(minutes=20)
        assert world.taken()[-1] == "2026-11-20 08:00"
        assert len(plain.runs) == 5
        assert len(grid.runs) == 4
