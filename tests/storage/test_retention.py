"""Old data is deleted only if the clock can be trusted. The rule is the same for all kinds of data."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from support import outages
from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, daily
from tallyd.config.jobs import tasks_of
from tallyd.contract.toolbox import Toolbox
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.timetable import Every
from tallyd.settings.pollers import OutOverride
from tallyd.storage.record_retention import Prunable
from tallyd.storage.retention import BELIEVED_AFTER_S, Retention

DAY = timedelta(days=1)
YEARS = 20 * 365 * DAY
CLOCK = "tallyd/clock"


class Source(FakePoller):
    """Counts one person each morning and keeps five days. `true_by` is what its clock is ahead of ours."""

    true_by: timedelta | None = None

    def tells(self, slot: Slot, tools: Toolbox) -> Reading:
        skew_s = None if self.true_by is None else -self.true_by.total_seconds()
        return Reading(taken_at=tools.now(), facts={"total": 1, "counts": {"50101": 1}}, skew_s=skew_s)


class Old:
    """Everything that is deleted by its age, in one world, and the instants that ages were measured from."""

    def __init__(self, folder: Path, clock: FakeClock, *times: str) -> None:
        self.clock = clock
        self.source = Source(daily(*times), out=OutOverride(keep_days=5))
        self.source.act = self.source.tells
        self.world = World(folder, clock, self.source)
        self.world.prunables = self._prunables
        self.asked: list[datetime] = []

    def _prunables(self, now: datetime) -> tuple[Prunable, ...]:
        self.asked.append(now)
        return ()

    def left(self) -> tuple[list[str], int]:
        """Return the out files, and how many readings state.db has."""
        taken = [row for row in self.world.history() if row.outcome == "taken"]
        return self.world.out_files(), len(taken)

    def jump(self, by: timedelta) -> None:
        self.clock.set(self.clock.now() + by)


@pytest.fixture(scope="module")
def mornings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ten mornings, of which five are kept."""
    folder = tmp_path_factory.mktemp("mornings")
    with FakeClock(at("2026-11-01 07:00")) as clock, Old(folder, clock, "08:00").world as world:
        world.run(hours=24 * 10, least_s=3600)
    return folder


@pytest.fixture
def old(mornings: Path, tmp_path: Path) -> Iterator[Old]:
    """A daemon that starts after ten mornings, of which five are kept."""
    shutil.copytree(mornings, tmp_path, dirs_exist_ok=True)
    with FakeClock(at("2026-11-11 07:00")) as clock:
        found = Old(tmp_path, clock, "08:00")
        with found.world:
            files, rows = found.left()
            assert (files[0], len(files), rows) == ("2026-11/2026-11-06T080000+0100.json", 5, 5)
            yield found


def test_a_clock_that_runs_decades_ahead_for_hours_deletes_nothing(old: Old) -> None:
    before, right = old.left(), old.clock.now()
    old.jump(YEARS)
    old.world.run(hours=3, least_s=300)
    files, rows = old.left()
    assert (files[:-1], rows - 1) == before, "08:00 came up to now, twenty years on"
    assert all(asked - right < DAY for asked in old.asked), "nothing else is handed a time to come"
    old.jump(-YEARS)
    old.world.run(hours=3, least_s=300)
    files, _ = old.left()
    assert files[: len(before[0])] == before[0]


def test_while_a_source_contradicts_the_clock_nothing_is_deleted_and_then_it_is(old: Old) -> None:
    before, _ = old.left()
    old.source.true_by = -YEARS
    old.world.run(hours=24 * 3, least_s=3600)
    assert CLOCK in old.world.problems()
    files, _ = old.left()
    assert files[:5] == before, "and nothing of the days before"
    asked = len(old.asked)
    old.world.run(hours=20, least_s=3600)
    assert len(old.asked) == asked
    old.source.true_by = timedelta(0)
    old.world.run(hours=24 * 2, least_s=3600)
    assert CLOCK not in old.world.problems()
    assert old.left()[0][0] > before[-1], "old things are deleted again"


def test_a_start_with_a_clock_that_is_decades_ahead_deletes_nothing(old: Old) -> None:
    (before, _), right = old.left(), old.clock.now()
    old.world.kill()
    old.jump(YEARS)
    for _ in range(2):
        old.world.start()
        old.world.run(hours=3, least_s=300)
        files, _ = old.left()
        assert set(before) <= set(files)
        assert all(asked - right < DAY for asked in old.asked)
        old.world.kill()
    old.world.start()


def test_a_machine_that_was_off_for_a_month_is_believed_after_a_week(old: Old) -> None:
    before, _ = old.left()
    old.world.restart(off_s=30 * 86400)
    old.world.run(hours=3, least_s=300)
    assert set(before[1:]) <= set(old.left()[0])
    old.world.run(hours=24 * 8, least_s=3600)
    assert old.left()[0][0] == "2026-12/2026-12-14T080000+0100.json"


def test_after_a_month_off_a_machine_that_is_off_each_night_is_believed_after_a_week_too(old: Old) -> None:
    before, _ = old.left()
    old.world.restart(off_s=30 * 86400)
    for _day in range(6):
        old.world.run(hours=14, least_s=3600)
        assert set(before[1:]) <= set(old.left()[0])
        old.world.restart(off_s=10 * 3600)
    for _day in range(6):
        old.world.run(hours=14, least_s=3600)
        old.world.restart(off_s=10 * 3600)
    old.world.run(hours=2, least_s=3600)
    assert old.left()[0][0] > "2026-12/2026-12-17"


def test_a_wrong_time_that_comes_again_now_and_then_is_never_believed(old: Old) -> None:
    for _week in range(3):
        before, _ = old.left()
        old.world.kill()
        old.jump(YEARS)
        old.world.start()
        old.world.run(hours=3, least_s=300)
        assert set(before) <= set(old.left()[0])
        old.world.kill()
        old.jump(-YEARS)
        old.world.start()
        old.world.run(hours=24 * 4, least_s=3600)


def test_a_time_far_ahead_does_not_keep_the_right_one_from_being_believed_after_a_week(old: Old) -> None:
    before, _ = old.left()
    for by in (YEARS, 30 * DAY - YEARS):
        old.world.kill()
        old.jump(by)
        old.world.start()
        old.world.run(hours=3, least_s=1800)
        assert set(before[1:]) <= set(old.left()[0])
    for _day in range(9):
        old.world.run(hours=14, least_s=3600)
        old.world.restart(off_s=10 * 3600)
    old.world.run(hours=2, least_s=3600)
    assert not set(before).intersection(old.left()[0])


def test_two_starts_with_a_wrong_time_that_lie_more_than_a_week_apart_are_not_a_week(old: Old) -> None:
    before, _ = old.left()
    for by in (YEARS, 10 * DAY):
        old.world.kill()
        old.jump(by)
        old.world.start()
        old.world.run(hours=3, least_s=1800)
        assert set(before) <= set(old.left()[0])


def test_a_machine_that_was_off_for_days_is_believed_at_once(old: Old) -> None:
    before, _ = old.left()
    old.world.restart(off_s=3 * 86400)
    old.world.run(hours=3, least_s=300)
    assert len(set(before) & set(old.left()[0])) == 2


def test_after_a_jump_ages_are_measured_by_the_clock_that_did_not(old: Old) -> None:
    old.jump(30 * DAY)
    old.world.run(hours=24 * 2, least_s=3600)
    files, _ = old.left()
    assert files[0] == "2026-11/2026-11-08T080000+0100.json"


def test_a_time_that_has_stood_for_a_week_is_believed(old: Old) -> None:
    old.jump(30 * DAY)
    old.world.run(hours=24 * 8, least_s=3600)
    files, _ = old.left()
    assert files[0] == "2026-12/2026-12-14T080000+0100.json"


def test_a_reading_goes_with_its_file_if_the_clock_was_set_during_its_run(old: Old) -> None:
    def is_set(slot: Slot, tools: Toolbox) -> Reading:
        old.jump(3 * DAY)
        old.source.act = old.source.tells
        return old.source.tells(slot, tools)

    old.source.act = is_set
    for _ in range(12):
        old.world.run(hours=24, least_s=3600)
        files, rows = old.left()
        assert len(files) == rows
    assert files[0] == "2026-11/2026-11-21T080000+0100.json"


def test_a_clock_that_is_set_back_deletes_nothing_early(old: Old) -> None:
    before, _ = old.left()
    old.jump(-30 * DAY)
    old.world.run(hours=24 * 9, least_s=3600)
    files, _ = old.left()
    assert set(before) <= set(files)


def test_a_machine_that_sleeps_each_night_keeps_nothing_longer(old: Old) -> None:
    for _night in range(14):
        old.world.run(hours=14, least_s=3600)
        old.clock.suspend(hours=10)
    old.world.run(hours=2, least_s=3600)
    files, _ = old.left()
    days = {datetime.fromisoformat(name[8:18]) for name in files}
    assert max(days) - min(days) <= 6 * DAY


def prune(world: World) -> None:
    """Delete what is old, by a clock that is believed."""

    def safely(_what: str, act: Callable[[], object]) -> None:
        act()

    retention = Retention(world.store, world.clock.clock(), lambda: BELIEVED_AFTER_S, safely, ())
    retention.prune(world.config, tasks_of(world.config))


class ServersSource(FakePoller):
    """Its readings are those of a servers poller."""

    kind = "servers"


@pytest.mark.parametrize(
    ("top", "left"),
    [
        pytest.param({}, {"one": 3, "apps": 0}, id="by-kind"),
        pytest.param({"out": {"keep_days": 200}}, {"one": 3, "apps": 3}, id="at-the-top"),
        pytest.param({"out": {"keep_days": 5}}, {"one": 0, "apps": 0}, id="soon"),
        pytest.param({"out": {"keep_days": None}}, {"one": 3, "apps": 3}, id="never"),
    ],
)
def test_a_poller_that_left_the_config_keeps_its_files_as_long_as_one_of_its_kind(
    tmp_path: Path, top: dict[str, object], left: dict[str, int]
) -> None:
    mornings = daily("08:00")
    pollers = {"one": FakePoller(mornings), "apps": ServersSource(mornings)}
    for poller in pollers.values():
        poller.out = OutOverride(keep_days=50)
    with FakeClock(at("2026-11-01 07:00")) as clock, World(tmp_path, clock, pollers, top=top) as world:
        world.run(hours=24 * 3, least_s=3600)
        world.edit({})
        world.run(minutes=1)
        clock.pass_s(91 * 86400)
        prune(world)
        assert {name: len(world.out_files(name)) for name in pollers} == left


def test_past_incidents_and_uptime_are_deleted_after_keep_days_by_the_trusted_clock(tmp_path: Path) -> None:
    source = outages.Source(below=["gate"])
    hourly = FakePoller(Every(3600.0), source, catch_up_s=None)
    with (
        FakeClock(at("2026-11-01 08:00")) as clock,
        World(tmp_path, clock, hourly, top={"state": {"keep_days": 5}}) as world,
    ):
        world.run(minutes=5, least_s=30)
        source.below = ["door"]

        def kept() -> tuple[list[str], bool]:
            begin = at("2026-11-01 00:00")
            was_on = world.state.uptime.between(begin, begin + DAY / 2, now=clock.now())
            return [each.subject for each in world.state.incidents.between(begin, clock.now())], bool(was_on)

        world.run(hours=2, least_s=300)
        world.restart(off_s=3600)
        clock.set(clock.now() + 3000 * DAY)
        world.run(hours=3, least_s=300)
        clock.set(clock.now() - 3000 * DAY)
        world.run(hours=2, least_s=300)
        assert kept() == (["door", "gate"], True)
        world.run(hours=24 * 5, least_s=3600)
        assert kept() == (["door"], False)


@pytest.mark.parametrize(("keep_days", "is_kept"), [(5, False), (7, True), (None, True)])
def test_the_uptime_is_kept_for_keep_days_or_for_ever(
    tmp_path: Path, keep_days: int | None, is_kept: bool
) -> None:
    with (
        FakeClock(begin := at("2026-11-01 08:00")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00")), top={"state": {"keep_days": keep_days}}) as world,
    ):
        world.run(minutes=5, least_s=30)
        clock.pass_s(6 * 86400)
        prune(world)
        assert bool(world.state.uptime.between(begin, begin + DAY, now=clock.now())) is is_kept
