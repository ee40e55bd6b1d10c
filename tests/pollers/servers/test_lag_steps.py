"""How old data was in steps of time: nothing that a check found is lost, and nothing is made up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.past import BERLIN, FakeRecords, minutely
from tallyd.contract.board import Asked
from tallyd.contract.lags import HourCount, LagRow, hour_of
from tallyd.contract.passages import read_seen, seen_text
from tallyd.core.schedule.days import day_span
from tallyd.pollers.servers.boards.lag_history import HOUR, MOST_CHANGES
from tallyd.pollers.servers.boards.lag_steps import Steps, lag_steps, read_steps, step_of
from tallyd.pollers.servers.freshness import CheckResult, Known, Limits, check_result_of, follow
from tallyd.pollers.servers.rounds.out_facts import lag_row

QUARTER = timedelta(minutes=15)
DAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("days", "every_s", "step"),
    [
        pytest.param(1, 60, QUARTER, id="a day"),
        pytest.param(7, 60, HOUR, id="a week"),
        pytest.param(30, 60, 4 * HOUR, id="a month"),
        pytest.param(90, 60, 12 * HOUR, id="a quarter of a year"),
        pytest.param(365, 60, 48 * HOUR, id="a year"),
        pytest.param(9000, 60, 28 * 24 * HOUR, id="longer than any"),
        pytest.param(1, 900, QUARTER, id="a check in each step"),
        pytest.param(1, 901, HOUR, id="a check in each longer step"),
        pytest.param(1, 7200, 4 * HOUR, id="checks hours apart"),
    ],
)
def test_a_step_is_short_enough_to_see_and_has_a_check(days: int, every_s: float, step: timedelta) -> None:
    assert step_of(timedelta(days=days), every_s=every_s) == step


def steps_of(
    rows: dict[str, float | None], hours: dict[str, float | None], *, first: str, last: str
) -> list[tuple[str, float | None]]:
    """Return the quarters of an hour of one day; all lags are in minutes, `hours` have the largest ones."""
    day = "2026-11-20 "
    found = lag_steps(
        {f"{day}{hour}:00:00": None if lag is None else 60 * lag for hour, lag in hours.items()},
        [
            LagRow("a", f"{day}{at}:00", None, None if lag is None else 60 * lag, "fresh", None)
            for at, lag in rows.items()
        ],
        first=read_seen(f"{day}{first}:00"),
        last=read_seen(f"{day}{last}:00"),
        step=QUARTER,
    )
    return [(f"{at:%H:%M}", None if lag_s is None else lag_s / 60) for at, lag_s in found]


LARGEST = {
    "data that stands still grows older, and before its first change it was no older than that": (
        {"08:10": 1, "08:20": 2},
        {"08": 42},
        {"08:00": 42, "08:15": 12, "08:30": 27, "08:45": 42},
    ),
    "the hour before tells how old it was at the begin": (
        {"07:50": 1, "08:20": 2},
        {"07": 10, "08": 42},
        {"08:00": 26, "08:15": 31, "08:30": 27, "08:45": 42},
    ),
    "looked until then": ({"08:00": 1}, {"08": 20}, {"08:00": 16, "08:15": 20, "08:30": None, "08:45": None}),
    "nobody looked": ({"07:50": 1}, {"07": 10}, dict.fromkeys(("08:00", "08:15", "08:30", "08:45"))),
    "while it sent no time nobody knows": (
        {"08:00": 1, "08:20": None, "08:40": 41},
        {"08": 60},
        {"08:00": 16, "08:15": 21, "08:30": 46, "08:45": 60},
    ),
    "it sent no time any more": (
        {"07:50": 1, "08:05": None},
        {"07": 10, "08": 15},
        {"08:00": 15, "08:15": None, "08:30": None, "08:45": None},
    ),
    "never a time": ({"08:00": None}, {"08": None}, dict.fromkeys(("08:00", "08:15", "08:30", "08:45"))),
}


@pytest.mark.parametrize(("rows", "hours", "steps"), LARGEST.values(), ids=LARGEST)
def test_a_quarter_of_an_hour_has_the_largest_lag_that_was_found_in_it(
    rows: dict[str, float | None], hours: dict[str, float | None], steps: dict[str, float | None]
) -> None:
    assert dict(steps_of(rows, hours, first="08:00", last="09:00")) == steps


def test_the_running_step_ends_now() -> None:
    assert steps_of({"08:00": 1}, {"08": 60}, first="08:00", last="08:20") == [("08:00", 16), ("08:15", 21)]


def test_days_that_have_not_begun_have_no_steps() -> None:
    assert steps_of({}, {}, first="08:00", last="07:00") == []


@dataclass
class Story:
    """Checks of one target, as a round notes them: the rows of its changes, and its hours.

    `found` are the lags by instant; None: the target did not answer.
    """

    changes: list[LagRow] = field(default_factory=list)
    hours: dict[str, HourCount] = field(default_factory=dict)
    found: dict[datetime, float | None] = field(default_factory=dict)
    known: Known | None = None

    def check(self, at: datetime, computed_at: datetime | None) -> None:
        if computed_at is None:
            result = CheckResult(at=at, state="unreachable", reason="no answer")
        else:
            result = check_result_of(computed_at, now=at, skew_s=None, limits=Limits(450, 900))
        step = follow(self.known, result)
        self.known = step.known
        if step.is_new:
            self.changes.append(lag_row("a", step))
        count = minutely(1, int(result.state == "fresh"), int(result.state == "late"), result.lag_s)
        hour = hour_of(at)
        self.hours[hour] = self.hours[hour] + count if hour in self.hours else count
        self.found[at] = result.lag_s

    def records(self, *, is_recorded: bool) -> FakeRecords:
        hours = [("a", hour, count) for hour, count in self.hours.items()]
        return FakeRecords(hours=hours, lags=self.changes if is_recorded else [])

    def lags_by(self, place: Callable[[datetime], Hashable]) -> Mapping[Hashable, list[float | None]]:
        found: dict[Hashable, list[float | None]] = defaultdict(list)
        for at, lag_s in self.found.items():
            found[place(at)].append(lag_s)
        return found


def read_steps_of(records: FakeRecords, since: datetime, until: datetime, *, every_s: float) -> Steps:
    hours = records.server_hours(since - HOUR, until)
    return read_steps(records, hours, target="a", since=since, last=until, every_s=every_s)


spans = st.lists(st.tuples(st.integers(0, 30 * 60), st.integers(1, 300)), max_size=4)
"""Minutes since the story began, and for how many."""


@given(
    every=st.sampled_from([1, 3, 5, 15]),
    computed=st.lists(st.integers(0, 30 * 60), max_size=60).map(sorted),
    away=spans,
    silent=spans,
    zone=st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu"]).map(ZoneInfo),
    days=st.integers(1, 2),
    is_recorded=st.booleans(),
)
def test_the_steps_have_what_checks_found(
    *,
    every: int,
    computed: list[int],
    away: list[tuple[int, int]],
    silent: list[tuple[int, int]],
    zone: ZoneInfo,
    days: int,
    is_recorded: bool,
) -> None:
    since, until = day_span(DAY, zone)[0], day_span(DAY + timedelta(days=days - 1), zone)[1]
    story, began = Story(), since - timedelta(hours=3)
    for minute in range(0, 30 * 60, every):
        if any(begin <= minute < begin + length for begin, length in away):
            continue
        is_silent = any(begin <= minute < begin + length for begin, length in silent)
        last = max((each for each in computed if each <= minute), default=-600)
        story.check(
            began + timedelta(minutes=minute),
            None if is_silent else began + timedelta(minutes=last, seconds=-7),
        )
    steps = read_steps_of(story.records(is_recorded=is_recorded), since, until, every_s=60 * every)
    step = steps[1][0] - steps[0][0]
    assert (steps[0][0], steps[-1][0] + step) == (since, until)
    if step >= HOUR:  # an hour belongs to the step in which it begins
        found = story.lags_by(lambda at: (read_seen(hour_of(at)) - since) // step)
        assert [lag_s for _, lag_s in steps] == [largest(found[number]) for number in range(len(steps))]
        return
    found, of_hours = story.lags_by(lambda at: (at - since) // step), story.lags_by(hour_of)
    first_read = min(row.checked_at for row in story.changes if row.checked_at >= seen_text(since - HOUR))
    for number, (begin, lag_s) in enumerate(steps):
        of_step, of_hour = largest(found[number]), largest(of_hours[hour_of(begin)])
        if of_step is None:
            assert lag_s is None or (of_hour is not None and lag_s <= of_hour)
        else:
            assert lag_s is not None
            assert of_hour is not None
            assert of_step <= lag_s <= of_hour
            if len(found[number]) == 15 // every and first_read <= seen_text(begin):
                # Between two checks it grows older by the time between them, and no more.
                assert lag_s <= of_step + 60 * every


def largest(lags: list[float | None]) -> float | None:
    return max((lag_s for lag_s in lags if lag_s is not None), default=None)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        pytest.param(0, HOUR, id="none is stored"),
        pytest.param(1, QUARTER, id="one"),
        pytest.param(MOST_CHANGES, QUARTER, id="many"),
        pytest.param(MOST_CHANGES + 1, HOUR, id="too many"),
    ],
)
def test_of_a_day_the_hours_are_shown_where_its_changes_cannot_be_read(changes: int, step: timedelta) -> None:
    since, until = day_span(DAY, BERLIN)
    rows = [
        LagRow("a", seen_text(since + timedelta(seconds=8 * n)), None, 1.0, "fresh", 8.0)
        for n in range(changes)
    ]
    hours = [("a", seen_text(since + n * HOUR), minutely(60, 60, 0, 9.0)) for n in range(24)]
    records = FakeRecords(hours=hours, lags=rows)
    steps = read_steps_of(records, since, until, every_s=8)
    assert steps[1][0] - steps[0][0] == step


def test_a_week_of_data_that_stood_still_is_known_by_its_hours() -> None:
    asked = Asked(first=DAY - timedelta(days=6), last=DAY)
    since, until = asked.span(BERLIN)
    hours = [("a", seen_text(since + n * HOUR), minutely(60, 0, 0, 3600.0 * n)) for n in range(7 * 24)]
    steps = read_steps_of(FakeRecords(hours=hours), since, until, every_s=60)
    assert steps == [(since + n * HOUR, 3600.0 * n) for n in range(7 * 24)]
