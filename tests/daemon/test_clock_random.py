"""Random lives of the whole daemon, on real state.db and real files.

core/schedule/test_timetable_random.py tests the rule much longer; these tests are for the daemon, the runs
and the store. TALLYD_TEST_LONG=20 tries twenty times as many lives.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, Killed, World, disk_refuses, one_person
from support.ledger import expected_slots
from support.long import tries
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.reading import Reading, Slot
from tallyd.core.schedule.timetable import At
from tallyd.settings.pollers import RetrySettings

LIVES = tries(12)
NIGHTS = ("2026-03-28 21:00", "2026-10-24 21:00", "2026-11-20 07:00")


@dataclass
class Life:
    """A world, and the answers of its source."""

    world: World
    clock: FakeClock
    since: dict[time, datetime]
    answers: list[type[BaseException] | None] = field(default_factory=list)

    def count(self, slot: Slot, tools: Toolbox) -> Reading:
        met = self.answers.pop() if self.answers else None
        if met is SourceError:
            raise SourceError("example.org timed out", transient=True)
        if met is not None:
            raise met
        return one_person(slot, tools)

    def run(self, minutes: int, *, least_s: float = 60.0) -> None:
        try:
            self.world.run(minutes=minutes, least_s=least_s)
        except Killed:
            self.restart(1)

    def restart(self, minutes: int) -> None:
        self.world.kill()
        self.clock.pass_s(60.0 * minutes)
        try:
            self.world.start()
        except Killed:
            self.restart(1)

    def is_killed_in_a_run(self, minutes: int) -> None:
        self.answers = [Killed]
        self.run(minutes)

    def fails_for_a_while(self, minutes: int) -> None:
        self.answers = [SourceError] * 4
        self.run(minutes)

    def crashes(self, minutes: int) -> None:
        self.answers = [ZeroDivisionError]
        self.run(minutes)

    def disk_is_full(self, minutes: int) -> None:
        self.answers.clear()  # what is held in memory does not survive the process
        with disk_refuses():
            self.run(minutes)
        self.run(2)

    def set_forward(self, minutes: int) -> None:
        self.clock.set(self.clock.now() + timedelta(minutes=minutes))
        self.run(2)

    def set_back(self, minutes: int) -> None:
        self.clock.set(self.clock.now() - timedelta(minutes=minutes))
        self.run(2)

    def toggle(self, minutes: int) -> None:
        """Add a time of day, or remove it."""
        one = time(minutes // 60 % 24, minutes % 60 // 15 * 15)
        times = {*self.since} ^ {one}
        if times:
            self.world.edit(FakePoller(At(tuple(sorted(times))), self.count, retry=RetrySettings(attempts=1)))
            self.since = {each: self.since.get(each, self.clock.now()) for each in times}
        self.run(2)


deeds = st.lists(
    st.tuples(
        st.sampled_from(
            [
                Life.run,
                Life.restart,
                Life.is_killed_in_a_run,
                Life.fails_for_a_while,
                Life.crashes,
                Life.disk_is_full,
                Life.set_forward,
                Life.set_back,
                Life.toggle,
            ]
        ),
        st.one_of(st.integers(1, 90), st.integers(90, 1500)),
    ),
    max_size=8,
)


@settings(max_examples=LIVES, deadline=None)
@given(
    start=st.sampled_from(NIGHTS).map(at),
    host_zone=st.sampled_from(["UTC", "Europe/Berlin"]),
    times=st.sets(st.builds(time, st.integers(0, 23), st.sampled_from([0, 30])), min_size=2, max_size=6),
    happens=deeds,
)
def test_whatever_happens_every_slot_is_taken_or_missed_once_and_every_reading_has_its_file(
    start: datetime, host_zone: str, times: set[time], happens: list[tuple[Callable[[Life, Any], None], int]]
) -> None:
    poller = FakePoller(At(tuple(sorted(times))), retry=RetrySettings(attempts=1))
    with (
        TemporaryDirectory() as folder,
        FakeClock(start, host_zone=host_zone) as clock,
        World(Path(folder), clock, poller) as world,
    ):
        life = Life(world, clock, dict.fromkeys(times, start))
        poller.act = life.count
        for deed, minutes in happens:
            deed(life, minutes)
        life.answers.clear()
        life.run(40)
        life.restart(1)
        life.run(5)
        assert_all_ended_once(life)


def assert_all_ended_once(life: Life) -> None:
    world, zone = life.world, ZoneInfo("Europe/Berlin")
    rows = world.history()
    when = At(tuple(sorted(life.since)))
    ended = {row.due_at for row in rows}
    looked_at = life.clock.now() - timedelta(minutes=1)
    for name, instant in expected_slots(when, zone, after=min(life.since.values()), until=looked_at).items():
        is_wanted = instant > life.since[datetime.fromisoformat(name).time()]
        assert instant in ended or not is_wanted, f"{name} was lost in silence"
    assert len({row.slot for row in rows}) == len(rows)
    written = {name: (world.folder / "out" / "one" / name).read_text() for name in world.out_files()}
    assert {row.out_name: row.body for row in rows if row.outcome == "taken"} == {
        name: json.loads(text) for name, text in written.items()
    }
    waiting = [one for one in world.state.slots.pending("one", "count") if one.due_at <= looked_at]
    assert not waiting, "a slot is neither taken nor missed"
