"""Random lives of one job: clock changes, restarts, hangs, failures, clocks set, times edited.

Whatever happens, every slot ends exactly once as taken or missed, and none is lost in silence.
TALLYD_TEST_LONG=20 tries twenty times as many lives.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from support.ledger import ZONES, Ledger, expected_slots
from support.long import tries
from tallyd.core.reading import Slot
from tallyd.core.schedule.timetable import NOT_STARTED, At, Every, marks_of, next_slots, open_slots, slots

PAUSE_S = 180.0
LIVES = tries(20)
GRID = Every(7200.0, grid=True)


@cache
def changes(name: str) -> list[datetime]:
    """Return the days on which clocks change in the zone; any day where they never do."""
    days = [datetime(2011, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(16 * 365)]
    offsets = [day.astimezone(ZoneInfo(name)).utcoffset() for day in days]
    found = [day for day, before, after in zip(days, offsets, offsets[1:], strict=False) if before != after]
    return found or days[:1]


@dataclass
class Life:
    """A job, the wall clock, and what was seen of it. A deed takes time, and ends with a look."""

    ledger: Ledger
    now: datetime
    since: dict[time, datetime] = field(default_factory=dict)
    looks: list[datetime] = field(default_factory=list)
    was_set_back: bool = False

    def look(self) -> Slot | None:
        slot = self.ledger.look(self.now)
        if isinstance(self.ledger.when, At):
            self.since = {one: self.since.get(one, self.now) for one in self.ledger.when.times}
        for missed in self.ledger.last.missed:
            if missed.reason == NOT_STARTED:
                self._could_not_be_run(missed.due_at)
                self._is_not_from_before(missed.key, missed.due_at)
        if slot and slot.key and not self.was_set_back:
            self._is_not_from_before(slot.key, slot.due_at)
        self.looks.append(self.now)
        return slot

    def _is_not_from_before(self, key: str, due_at: datetime) -> None:
        """A time of day that is added counts from then on."""
        since = self.since.get(_time_of(key))
        assert since is None or due_at > since, f"{key} is from before {since}"

    def _could_not_be_run(self, due_at: datetime) -> None:
        """A slot is missed only when there was no look in its time, since the clock was last set."""
        latest = due_at + timedelta(seconds=max(self.ledger.catch_up_s, 60))
        at = bisect_left(self.looks, due_at)
        assert at == len(self.looks) or self.looks[at] > latest, f"{due_at}: looked at {self.looks[at]}"

    def work(self) -> None:
        """Look, and do what is due."""
        if slot := self.look():
            self.ledger.take(slot, self.now)

    def live(self, span: timedelta) -> None:
        """Tick on, as the daemon does: look right after each slot."""
        until = self.now + span
        while self.now < until:
            self.work()
            coming = next_slots(self.ledger.when, self.ledger.zone, after=self.now, count=1)
            self.now = min(until, *(one + timedelta(seconds=0.7) for one in coming))
        self.work()

    def off(self, span: timedelta) -> None:
        self.now += span
        self.work()

    def hang(self, span: timedelta, *, clock_moves: timedelta = timedelta(0)) -> None:
        """A run takes so long; meanwhile nobody looks with any effect."""
        slot = self.look()
        self.now += span
        self._set(clock_moves)
        if slot:
            self.ledger.take(slot, self.now)
        self.work()

    def die(self, span: timedelta) -> None:
        """The process dies in the middle of a run."""
        self.look()
        self.off(span)

    def fail(self, span: timedelta) -> None:
        if slot := self.look():
            self.ledger.fail(slot, self.now, pause_s=PAUSE_S)
        self.live(span)

    def fail_for_good(self, span: timedelta) -> None:
        if slot := self.look():
            self.ledger.fail(slot, self.now, pause_s=1e9)
        self.live(span)

    def set_forward(self, span: timedelta) -> None:
        self._set(span)
        self.work()

    def set_back(self, span: timedelta) -> None:
        self._set(-span)
        self.work()

    def set_forward_while_it_hangs(self, span: timedelta) -> None:
        self.hang(timedelta(seconds=20), clock_moves=span)

    def set_back_while_it_hangs(self, span: timedelta) -> None:
        self.hang(timedelta(seconds=20), clock_moves=-span)

    def _set(self, by: timedelta) -> None:
        self.now += by
        self.looks.clear()
        self.was_set_back = self.was_set_back or by < timedelta(0)

    def toggle(self, one: time) -> None:
        """Add a time of day, or remove it."""
        if isinstance(self.ledger.when, At):
            times = {*self.ledger.when.times} ^ {one}
            if times:
                self.ledger.when = At(tuple(sorted(times)), self.ledger.when.days)
        self.looks.clear()
        self.work()

    def end(self) -> None:
        """Live on, until nothing is pending that could still be run."""
        self.live(timedelta(days=1, seconds=self.ledger.catch_up_s))
        self.off(timedelta(days=3))
        for _ in range(10):
            self.off(timedelta(minutes=2))


spans = st.one_of(
    st.integers(1, 120),
    st.integers(1, 300).map(lambda minutes: minutes * 60 + 7),
    st.integers(1, 12).map(lambda days: days * 86400 + 1000),
    st.just(500 * 86400),
).map(lambda seconds: timedelta(seconds=seconds))
short_spans = spans.filter(lambda span: span < timedelta(days=5))
times_of_day = st.one_of(
    st.builds(time, st.sampled_from([0, 1, 2, 3, 4, 23]), st.sampled_from([0, 15, 30, 45])),
    st.builds(time, st.integers(0, 23), st.integers(0, 59), st.integers(0, 59)),
)
timetables = st.builds(
    At,
    st.sets(times_of_day, min_size=1, max_size=5).map(lambda found: tuple(sorted(found))),
    st.one_of(st.just(frozenset(range(7))), st.frozensets(st.integers(0, 6), min_size=1)),
)
deeds = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([Life.live, Life.fail, Life.fail_for_good]), short_spans),
        st.tuples(st.sampled_from([Life.off, Life.hang, Life.die]), spans),
        st.tuples(st.sampled_from([Life.set_forward, Life.set_back]), spans),
        st.tuples(st.sampled_from([Life.set_forward_while_it_hangs, Life.set_back_while_it_hangs]), spans),
        st.tuples(st.just(Life.toggle), times_of_day),
    ),
    max_size=12,
)


@st.composite
def lives(draw: st.DrawFn, when: st.SearchStrategy[At | Every]) -> Life:
    """Return a job that has just been looked at for the first time, shortly before clocks change."""
    name = draw(st.sampled_from(ZONES))
    before = draw(st.timedeltas(timedelta(0), timedelta(days=3)))
    catch_up_s = draw(st.sampled_from([1.0, 900.0, 14400.0]))
    life = Life(Ledger(draw(when), ZoneInfo(name), catch_up_s), draw(st.sampled_from(changes(name))) - before)
    life.work()
    return life


@settings(max_examples=4 * LIVES, deadline=None)
@given(lives(timetables), deeds)
def test_every_slot_ends_once_as_taken_or_missed_and_none_in_silence(
    life: Life, happens: list[tuple[Callable[[Life, Any], None], Any]]
) -> None:
    for deed, much in happens:
        deed(life, much)
    life.end()
    ledger = life.ledger
    assert len(ledger.takes) == len(set(ledger.takes)), "a slot was counted twice"
    assert ledger.older_since is None
    assert isinstance(ledger.when, At)
    ended = {found.due_at for found in ledger.settled.values()}
    for name, instant in expected_slots(
        ledger.when, ledger.zone, after=min(life.since.values()), until=life.now
    ).items():
        assert instant in ended or instant <= life.since[_time_of(name)], f"{name} was lost in silence"


@settings(max_examples=LIVES, deadline=None)
@given(lives(st.just(GRID)), deeds)
def test_every_slot_of_a_grid_ends_once_as_taken_or_missed_and_none_in_silence(
    life: Life, happens: list[tuple[Callable[[Life, Any], None], Any]]
) -> None:
    first = life.now
    for deed, much in happens:
        deed(life, much)
    life.end()
    ledger = life.ledger
    assert len(ledger.takes) == len(set(ledger.takes)), "a slot was counted twice"
    between = range(int(first.timestamp() // 7200) + 1, int(life.now.timestamp() // 7200) + 1)
    wanted = {datetime.fromtimestamp(7200 * number, UTC).isoformat() for number in between}
    assert wanted <= ledger.settled.keys(), "a slot was neither taken nor missed"


@settings(max_examples=3 * LIVES, deadline=None)
@given(lives(timetables), st.integers(1, 40))
def test_the_slots_are_those_that_trying_every_offset_finds(life: Life, days: int) -> None:
    when, zone, until = life.ledger.when, life.ledger.zone, life.now + timedelta(days=days)
    assert isinstance(when, At)
    found = list(slots(when, zone, after=life.now, until=until))
    assert [due.at for due in found] == sorted(due.at for due in found)
    expected = expected_slots(when, zone, after=life.now, until=until)
    assert {due.key.split("[", maxsplit=1)[0]: due.at for due in found} == expected


@settings(max_examples=2 * LIVES, deadline=None)
@given(
    lives(st.one_of(timetables, st.sampled_from([GRID, Every(1500.0, grid=True)]))),
    st.lists(st.integers(0, 200), min_size=5, max_size=5),
    st.integers(1, 40),
)
def test_the_newest_slots_are_the_end_of_all_slots_without_a_walk_through_all(
    life: Life, days_ago: list[int], most: int
) -> None:
    when, zone, now = life.ledger.when, life.ledger.zone, life.now
    marks = {
        name: now - timedelta(days=days) for name, days in zip(marks_of(when, zone), days_ago, strict=False)
    }
    all_of_them = [
        slot
        for slot in slots(when, zone, after=min(marks.values()), until=now)
        if slot.at > marks[slot.watermark]
    ]
    found, older_since = open_slots(when, zone, now=now, marks=marks, most=most)
    assert len(found) <= most
    assert found == all_of_them[len(all_of_them) - len(found) :]
    if older_since is None:
        assert found == all_of_them
    else:
        assert older_since == min(marks.values())
    if len({*marks.values()}) == 1:
        assert found == all_of_them[-most:]


def _time_of(key: str) -> time:
    return datetime.fromisoformat(key.split("[", maxsplit=1)[0]).time()
