"""The daemon notes when it was on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, daily, disk_refuses
from tallyd.storage.uptime import Uptime

MINUTE = timedelta(minutes=1)
START = at("2026-11-20 09:00")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


def was_on(world: World) -> list[tuple[float, float]]:
    """Return the minutes after START at which the daemon was noted as on: from, to."""
    later = START + timedelta(days=900)
    found = world.state.uptime.between(START - timedelta(days=900), later, now=later)
    return [(round((begin - START) / MINUTE, 1), round((end - START) / MINUTE, 1)) for begin, end in found]


def world_of(folder: Path, clock: FakeClock) -> World:
    return World(folder, clock, FakePoller(daily("08:00")))


def test_a_daemon_that_ends_was_on_until_then_and_one_that_was_killed_until_a_minute_before(
    tmp_path: Path, clock: FakeClock
) -> None:
    with clock, world_of(tmp_path, clock) as world:
        world.run(minutes=10.5)
        world.daemon.finish()
        world.restart(off_s=600)
        world.run(minutes=5.5)
        world.restart(off_s=30)
        world.run(minutes=1.5)
        (first, second, third) = was_on(world)
        assert first == (0.0, 10.5)
        assert second[0] == 20.5
        assert 25.0 <= second[1] <= 26.0
        assert third[0] == 26.5


def test_a_suspend_is_a_gap(tmp_path: Path, clock: FakeClock) -> None:
    with clock, world_of(tmp_path, clock) as world:
        world.run(minutes=5)
        clock.suspend(hours=1)
        world.run(minutes=5)
        ((_, until), (since, _)) = was_on(world)
        assert until == pytest.approx(5, abs=1)
        assert since == pytest.approx(65, abs=0.1)


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(minutes=-10)], ids=["ahead", "back"])
def test_a_clock_that_is_set_begins_a_row_anew(tmp_path: Path, clock: FakeClock, by: timedelta) -> None:
    with clock, world_of(tmp_path, clock) as world:
        world.run(minutes=5)
        clock.set(clock.now() + by)
        world.run(minutes=30)
        end = (clock.now() - START) / MINUTE
        expected = [(-5.0, end)] if by < timedelta() else [(0.0, 5.0), (65.0, end)]
        assert was_on(world) == [pytest.approx(each, abs=1.1) for each in expected]


def test_a_run_of_many_days_is_known_only_as_far_back_as_its_incidents(
    tmp_path: Path, clock: FakeClock
) -> None:
    with clock, world_of(tmp_path, clock) as world:
        uptime = Uptime(world.state, now=clock.now)

        def be_on(hours: float) -> None:
            with world.state.together():
                for _ in range(round(hours * 30)):
                    clock.pass_s(120)
                    uptime.beat()

        be_on(hours=72)
        assert was_on(world) == [(2, 72 * 60)], "its rows join"
        world.state.uptime.prune(clock.now() - timedelta(days=1))
        be_on(hours=1)
        assert was_on(world) == [(48 * 60, 73 * 60)]


def test_what_could_not_be_stored_is_stored_once_the_disk_works_again(
    tmp_path: Path, clock: FakeClock
) -> None:
    with clock, world_of(tmp_path, clock) as world:
        world.run(minutes=5)
        with disk_refuses():
            world.run(minutes=10, least_s=1)
            clock.suspend(hours=1)
            world.run(minutes=10, least_s=1)
        world.run(minutes=2)
        assert was_on(world) == [
            pytest.approx((0, 15), abs=1.1),
            pytest.approx((75, 87), abs=1.1),
        ]
