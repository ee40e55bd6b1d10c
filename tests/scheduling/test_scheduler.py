"""The scheduler with the real `schedule`, whose clock is the host's naive local time.

The tests move the host's time. Whatever the wall clock does, there is a look at least every half minute by
the monotonic clock, which nobody can set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from support.fakeclock import FakeClock
from tallyd.core.schedule.timetable import At, Every, next_slots
from tallyd.scheduling.scheduler import LOOK_EVERY_S, Entry, Scheduler

LONGEST_SILENCE_S = LOOK_EVERY_S + 2.0
HOSTS = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll"]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Host:
    """A scheduler on a machine. It records its looks, its actions and the clock jumps that it reports."""

    clock: FakeClock
    looks: list[float] = field(default_factory=list)
    acts: list[tuple[str, datetime]] = field(default_factory=list)
    jumps: list[float] = field(default_factory=list)
    ticks: int = 0

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.clock.clock(), look=self._look, on_jump=self.jumps.append)
        self.scheduler.plan(())
        self.looks.append(self.clock.monotonic())

    def _look(self) -> None:
        self.looks.append(self.clock.monotonic())

    def entry(self, name: str, delay_s: Callable[[], float | None]) -> Entry:
        return Entry(name, delay_s, lambda: self.acts.append((name, self.clock.now())))

    def at_slots(self, name: str, when: At | Every, zone: str = "UTC") -> Entry:
        """Return an entry such as the daemon makes for a job with slots."""

        def delay_s() -> float | None:
            now = self.clock.now()
            coming = next_slots(when, ZoneInfo(zone), after=now, count=1)
            return (coming[0] - now).total_seconds() if coming else None

        return self.entry(name, delay_s)

    def run(
        self, seconds: float, *, least_s: float = 0.05, each_tick: Callable[[], None] | None = None
    ) -> None:
        """Tick for this long, with the waits that the scheduler asks for."""
        end_s = self.clock.monotonic() + seconds
        while (left_s := end_s - self.clock.monotonic()) > 0:
            self.scheduler.tick()
            self.ticks += 1
            idle_s = self.scheduler.idle_s()
            assert 0.0 <= idle_s <= 1.0
            self.clock.pass_s(min(left_s, max(idle_s, least_s)))
            if each_tick:
                each_tick()

    def silence_s(self) -> float:
        """Return the longest time without a look, up to now (monotonic)."""
        return max(later - earlier for earlier, later in pairwise([*self.looks, self.clock.monotonic()]))

    def acted(self, name: str) -> list[datetime]:
        return [instant for found, instant in self.acts if found == name]


@contextmanager
def host(start: datetime = NOON, zone: str = "UTC") -> Iterator[Host]:
    with FakeClock(start, host_zone=zone) as clock:
        yield Host(clock)


def nearest_change(zone: str, month: int) -> datetime:
    """Return the first change of the zone's clocks from the beginning of a month of 2026 on; UTC has none."""
    instant, step = datetime(2026, month, 1, tzinfo=UTC), timedelta(minutes=15)
    first = instant.astimezone(ZoneInfo(zone)).utcoffset()
    while zone != "UTC" and (instant + step).astimezone(ZoneInfo(zone)).utcoffset() == first:
        instant += step
    return instant + step


@pytest.mark.parametrize("zone", HOSTS)
@pytest.mark.parametrize("month", [3, 9], ids=["first-half", "second-half"])
def test_on_no_host_does_a_clock_change_silence_or_hurry_it(zone: str, month: int) -> None:
    before_s, whole_s = 900.0, 3 * HOUR  # no clock changes by more than two hours
    change = nearest_change(zone, month)
    with host(change - timedelta(seconds=before_s), zone) as machine:
        grid = Every(300.0, grid=True)
        daily = At((change.time(), (change + timedelta(minutes=30)).time()))
        machine.scheduler.plan(
            (
                machine.at_slots("grid", grid),
                machine.at_slots("daily", daily),
                machine.entry("plain", lambda: 60.0),
            )
        )
        machine.run(whole_s)
        assert machine.silence_s() <= LONGEST_SILENCE_S
        assert len(machine.looks) <= whole_s / LOOK_EVERY_S + 3
        assert machine.ticks <= whole_s * 1.2
        on_grid = [instant.timestamp() % 300 for instant in machine.acted("grid")]
        assert len(on_grid) == whole_s / 300 - 1
        assert max(on_grid) < 1.1
        assert [round((one - change).total_seconds()) for one in machine.acted("daily")] == [0, 1800]
        distances = [(after - before).total_seconds() for before, after in pairwise(machine.acted("plain"))]
        assert max(distances) <= 62
        assert min(distances) >= 58
        assert machine.jumps == [], "the time itself did not jump"
        assert machine.scheduler.steady_for_s() == pytest.approx(whole_s)


@pytest.mark.parametrize("month", [3, 10], ids=["spring", "autumn"])
def test_in_the_week_of_a_clock_change_every_slot_is_looked_at_even_by_a_machine_that_is_slow(
    month: int,
) -> None:
    change = nearest_change("Europe/Berlin", month)
    with host(change - timedelta(days=3), "Europe/Berlin") as machine:
        machine.scheduler.plan((machine.at_slots("hourly", Every(3600.0, grid=True)),))
        machine.run(6 * 86400, least_s=20.0)
        assert len(machine.acted("hourly")) == 6 * 24 - 1
        assert machine.silence_s() <= LOOK_EVERY_S + 2 * 20.0


HOUR, DAY, YEAR = 3600.0, 86400.0, 365 * 86400.0


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize(
    "by_s",
    [sign * by_s for sign in (-1, 1) for by_s in (1.0, 2.0, 60.0, 300.0, HOUR, DAY, YEAR, 10 * YEAR)],
    ids=lambda by_s: f"{by_s:+g}-s",
)
def test_a_clock_that_is_set_or_a_suspend_is_noticed_within_a_second(zone: str, by_s: float) -> None:
    span_s = 1.25 * HOUR
    with host(NOON, zone) as machine:
        machine.scheduler.plan((machine.at_slots("grid", Every(300.0, grid=True)),))
        machine.run(100.5)
        machine.clock.set(machine.clock.now() + timedelta(seconds=by_s))
        jumped_at_s, machine.looks = machine.clock.monotonic(), machine.looks[-1:]
        machine.run(span_s)
        assert machine.silence_s() <= LONGEST_SILENCE_S
        if abs(by_s) >= 2:
            assert machine.jumps == [pytest.approx(by_s)]
            assert machine.looks[1] - jumped_at_s <= 1.0
            assert machine.scheduler.steady_for_s() == pytest.approx(span_s, abs=1.1)
        else:
            assert machine.jumps == []
        assert len(machine.looks) <= span_s / LOOK_EVERY_S + 3
        assert machine.ticks <= 1.1 * span_s
        after = [instant for instant in machine.acted("grid") if instant.timestamp() % 300 < 1.1]
        assert len(after) >= span_s / 300 - 1


@pytest.mark.parametrize(
    ("each_tick_s", "most_looks_a_second"),
    [
        pytest.param(-1.4, 1.05, id="set-back-again-and-again"),
        pytest.param(-3.0, 1.05, id="runs-backwards"),
        pytest.param(-1.0, 0.7, id="stands-still"),
        pytest.param(-0.5, 0.5, id="half-speed"),
        pytest.param(0.7, 0.7, id="almost-twice-the-speed"),
        pytest.param(4.0, 1.2, id="five-times-the-speed"),
        pytest.param(7 * DAY, 1.2, id="a-week-each-second"),
    ],
)
def test_with_a_clock_that_is_never_right_looks_go_on_and_are_not_too_many(
    each_tick_s: float, most_looks_a_second: float
) -> None:
    with host() as machine:
        machine.scheduler.plan((machine.entry("plain", lambda: 60.0),))

        def disturb() -> None:
            machine.clock.set(machine.clock.now() + timedelta(seconds=each_tick_s))

        machine.run(1800.0, least_s=1.0, each_tick=disturb)
        assert machine.silence_s() <= LONGEST_SILENCE_S
        assert len(machine.looks) <= 1800 * most_looks_a_second
        assert len(machine.acts) >= 1800 // 62
        assert len(machine.acts) <= 1800 / 60 * max(1.0, 1 + each_tick_s)


def test_a_plain_interval_is_not_put_off_by_a_clock_that_is_set_again_and_again() -> None:
    with host() as machine:
        machine.scheduler.plan((machine.entry("plain", lambda: 900.0),))
        for turn in range(100):
            machine.run(60.0)
            machine.clock.set(machine.clock.now() + timedelta(minutes=(-1) ** turn * 10))
        assert len(machine.acts) == 6000 // 901
        assert machine.silence_s() <= LONGEST_SILENCE_S


def test_an_idle_scheduler_ticks_about_once_a_second_and_looks_every_half_minute() -> None:
    with host() as machine:
        machine.run(3600.0, least_s=0.0)
        assert machine.ticks <= 3600 * 1.05
        assert len(machine.looks) - 1 == 3600 / LOOK_EVERY_S - 1


def test_a_delay_is_rounded_up_so_that_no_look_comes_before_its_time() -> None:
    with host() as machine:
        began_at = machine.clock.now()
        machine.scheduler.plan(
            (machine.entry("soon", iter([0.2, 3600.0]).__next__), machine.entry("later", lambda: 7.3))
        )
        machine.run(8.5)
        seconds = {name: (instant - began_at).total_seconds() for name, instant in machine.acts}
        assert seconds == {"soon": pytest.approx(1.0, abs=0.06), "later": pytest.approx(8.0, abs=0.06)}


def test_an_entry_without_a_next_time_waits_for_the_next_plan() -> None:
    with host() as machine:
        delays: list[float | None] = [None]
        entry = machine.entry("never", lambda: delays[0])
        machine.scheduler.plan((entry,))
        machine.run(120.0)
        assert machine.acts == []
        delays[0] = 5.0
        machine.scheduler.plan((entry,))
        machine.run(7.0)
        assert len(machine.acts) == 1


def test_a_new_plan_replaces_every_entry_of_the_old_one() -> None:
    with host() as machine:
        machine.scheduler.plan((machine.entry("old", lambda: 5.0),))
        machine.run(2.0)
        machine.scheduler.plan((machine.entry("new", lambda: 5.0),))
        machine.run(60.0)
        assert {name for name, _ in machine.acts} == {"new"}


def test_an_entry_far_in_the_future_is_waited_for() -> None:
    with host() as machine:
        machine.scheduler.plan((machine.entry("leap-day", lambda: 2 * YEAR),))
        machine.run(120.0)
        assert machine.acts == []
        assert machine.scheduler.idle_s() <= 1.0
        machine.clock.pass_s(2 * YEAR - 119.0)
        machine.run(2.0)
        assert len(machine.acts) == 1


def test_what_is_entered_while_acting_is_not_lost() -> None:
    with host() as machine:
        acts: list[float] = []

        def act_slowly() -> None:
            acts.append(machine.clock.monotonic())
            machine.clock.pass_s(100.0)  # longer than its own interval, and than the next look

        machine.scheduler.plan((Entry("slow", lambda: 10.0, act_slowly),))
        machine.run(1000.0)
        assert len(acts) == math.ceil(1000 / 101)
        assert machine.silence_s() <= 2 * 100.0 + LONGEST_SILENCE_S
