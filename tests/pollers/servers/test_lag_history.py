"""The past of targets: checks by hour, day, ..., and how old data was in steps of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.past import BERLIN, FakeRecords, minutely
from tallyd.contract.board import Asked
from tallyd.contract.lags import HourCount, LagRow, hour_of
from tallyd.contract.passages import read_seen, seen_text
from tallyd.core.periods import LABELS, By
from tallyd.core.schedule.days import day_span
from tallyd.pollers.servers.boards.lag_history import (
    HOUR,
    MOST_CHANGES,
    Hour,
    Steps,
    checks_of,
    lag_steps,
    read_hours,
    read_steps,
    step_of,
)
from tallyd.pollers.servers.freshness import CheckResult, Known, Limits, check_result_of, follow
from tallyd.pollers.servers.rounds.out_facts import lag_row

QUARTER = timedelta(minutes=15)
DAY = date(2026, 11, 20)
EVER = (datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


# -- checks by period ---------------------------------------------------------------------------------------


def table(hours: list[Hour], by: By | None) -> list[tuple[object, ...]]:
    """Return a row for each target and period, without the instants."""
    return [
        (
            each.target,
            *(cell for cell in each.period if isinstance(cell, str)),
            each.count.checks,
            each.count.fresh_s / 60,
            each.count.lag_s_max,
        )
        for each in checks_of(hours, EVER, zone=BERLIN, by=by, now=EVER[1])
    ]


HOURS: list[Hour] = [
    ("PROD", "2026-10-24 22:00:00", minutely(60, 60, 0, 90.0)),
    ("PROD", "2026-10-25 00:00:00", minutely(60, 59, 0, 100.0)),
    ("PROD", "2026-10-25 01:00:00", minutely(60, 58, 0, 200.0)),
    ("PROD", "2026-11-01 11:00:00", minutely(60, 57, 0, None)),
    ("STAGE", "2026-10-25 00:00:00", minutely(10, 0, 0, None)),
    ("TEST", "2026-10-25 00:00:00", minutely(0, 0, 0, None)),
]


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        pytest.param(
            None, [("STAGE", 10, 0, None), ("PROD", 240, 234, 200.0)], id="least within the limit first"
        ),
        pytest.param(
            "hour",
            [
                ("STAGE", "2026-10-25", "02:00 UTC+02:00", "Sun", 10, 0, None),
                ("PROD", "2026-10-25", "00:00", "Sun", 60, 60, 90.0),
                ("PROD", "2026-10-25", "02:00 UTC+02:00", "Sun", 60, 59, 100.0),
                ("PROD", "2026-10-25", "02:00 UTC+01:00", "Sun", 60, 58, 200.0),
                ("PROD", "2026-11-01", "12:00", "Sun", 60, 57, None),
            ],
            id="an hour that comes twice is two",
        ),
        pytest.param(
            "day",
            [
                ("STAGE", "2026-10-25", "Sun", 10, 0, None),
                ("PROD", "2026-10-25", "Sun", 180, 177, 200.0),
                ("PROD", "2026-11-01", "Sun", 60, 57, None),
            ],
            id="days are local",
        ),
        pytest.param(
            "weekday", [("STAGE", "Sun", 10, 0, None), ("PROD", "Sun", 240, 234, 200.0)], id="weekday"
        ),
        pytest.param(
            "week",
            [
                ("STAGE", "2026-W43", 10, 0, None),
                ("PROD", "2026-W43", 180, 177, 200.0),
                ("PROD", "2026-W44", 60, 57, None),
            ],
            id="week",
        ),
        pytest.param(
            "month",
            [
                ("STAGE", "2026-10", 10, 0, None),
                ("PROD", "2026-10", 180, 177, 200.0),
                ("PROD", "2026-11", 60, 57, None),
            ],
            id="month",
        ),
        pytest.param("year", [("STAGE", "2026", 10, 0, None), ("PROD", "2026", 240, 234, 200.0)], id="year"),
    ],
)
def test_hours_are_put_together(by: By | None, rows: list[tuple[object, ...]]) -> None:
    assert table(HOURS, by) == rows


def test_an_hour_and_a_day_have_the_instant_of_their_begin() -> None:
    (first, *_), (day, *_) = (
        checks_of(HOURS[:1], EVER, zone=BERLIN, by=by, now=EVER[1])[0].period for by in ("hour", "day")
    )
    midnight = datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert (first, day) == (midnight, midnight)


def test_weekdays_begin_with_monday() -> None:
    hours = [("A", f"2026-11-{day} 12:00:00", minutely(1, 1, 0, 1.0)) for day in (20, 21, 22, 23, 24)]
    assert [row[1] for row in table(hours, "weekday")] == ["Mon", "Tue", "Fri", "Sat", "Sun"]


def test_shares_are_of_the_time_that_is_known_and_the_rest_is_no_data() -> None:
    hours = [("A", "2026-11-20 12:00:00", minutely(8, 4, 2, 1.0))]
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    for now, until in ((noon + HOUR, noon + HOUR), (noon + HOUR, noon + 9 * HOUR)):
        (checks,) = checks_of(hours, (noon, until), zone=BERLIN, by=None, now=now)
        assert (checks.within_limit_share, checks.fresh_share) == (0.75, 0.5)
        assert checks.no_data_share == pytest.approx(52 / 60)


def test_of_a_target_whose_states_did_not_hold_yet_no_share_is_known() -> None:
    hours = [
        ("NEW", "2026-11-20 12:00:00", HourCount(1, 5.0)),
        ("OLD", "2026-11-20 12:00:00", HourCount(0, None, stale_s=60.0)),
    ]
    old, new = checks_of(hours, EVER, zone=BERLIN, by=None, now=EVER[1])
    assert (old.target, old.within_limit_share, old.fresh_share) == ("OLD", 0.0, 0.0)
    assert (new.target, new.within_limit_share, new.fresh_share, new.no_data_share) == (
        "NEW",
        None,
        None,
        1.0,
    )


@pytest.mark.parametrize(
    ("by", "passed_h"),
    [
        pytest.param("hour", [1.0, 0.5], id="the hour that goes on"),
        pytest.param("day", [25, 12.5], id="a day of 25 hours, and today until now"),
        pytest.param("weekday", [12.5, 25], id="Monday first"),
        pytest.param("week", [25, 12.5], id="of a week only the days that are asked for"),
        pytest.param("month", [37.5], id="month"),
    ],
)
def test_of_each_period_only_the_time_that_is_asked_for_and_has_passed_counts(
    by: By, passed_h: list[float]
) -> None:
    sunday = datetime(2026, 10, 24, 22, tzinfo=UTC)
    now = datetime(2026, 10, 26, 11, 30, tzinfo=UTC)
    hours = [("A", seen_text(each), minutely(1, 1, 0, 1.0)) for each in (sunday, now - HOUR / 2)]
    found = checks_of(hours, (sunday, sunday + 20 * 24 * HOUR), zone=BERLIN, by=by, now=now)
    assert [each.passed_s / 3600 for each in found] == passed_h


def test_a_target_that_was_often_late_stands_behind_one_that_was_stale_once() -> None:
    hours = [
        ("LATE", "2026-11-20 12:00:00", minutely(60, 20, 40, 300.0)),
        ("FRESH", "2026-11-20 12:00:00", minutely(60, 60, 0, 60.0)),
        ("STALE", "2026-11-20 12:00:00", minutely(60, 59, 0, 900.0)),
    ]
    assert [row[0] for row in table(hours, None)] == ["STALE", "LATE", "FRESH"]


hours_strategy = st.dictionaries(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.integers(0, 400).map(lambda n: hour_of(datetime(2026, 10, 20, tzinfo=UTC) + timedelta(hours=n))),
    ),
    st.builds(
        lambda others, fresh, late, lag_s: minutely(others + fresh + late, fresh, late, lag_s),
        st.integers(1, 60),
        st.integers(0, 60),
        st.integers(0, 60),
        st.none() | st.floats(0, 1e6),
    ),
    max_size=40,
).map(lambda found: sorted((*key, count) for key, count in found.items()))


@given(
    hours=hours_strategy,
    by=st.none() | st.sampled_from(list(LABELS)),
    zone=st.sampled_from(["UTC", "Asia/Kolkata", "Europe/Berlin"]).map(ZoneInfo),
    first=st.integers(0, 20),
    days=st.integers(0, 20),
)
def test_the_days_asked_for_are_read_without_a_check_lost_or_doubled(
    hours: list[Hour], by: By | None, zone: ZoneInfo, first: int, days: int
) -> None:
    begin = date(2026, 10, 18) + timedelta(days=first)
    asked = Asked(first=begin, last=begin + timedelta(days=days), by=by)
    span = asked.span(zone)
    read = read_hours(FakeRecords(hours=hours), asked, zone, targets=())
    found = checks_of(read, span, zone=zone, by=by, now=EVER[1])
    since, until = map(seen_text, span)
    in_days = [hour for hour in hours if since <= hour[1] < until]
    assert found == checks_of(in_days, span, zone=zone, by=by, now=EVER[1])
    for server in ("A", "B"):
        own = [count for name, _, count in in_days if name == server]
        sums = [each.count for each in found if each.target == server]
        assert sum(count.checks for count in sums) == sum(count.checks for count in own)
        assert sum(count.fresh_s for count in sums) == sum(count.fresh_s for count in own)
        assert sum(count.late_s for count in sums) == sum(count.late_s for count in own)
        known = [count.lag_s_max for count in own if count.lag_s_max is not None]
        shown = [count.lag_s_max for count in sums if count.lag_s_max is not None]
        assert max(shown, default=None) == max(known, default=None)
    for each in found:
        assert each.fresh_share is not None
        assert each.within_limit_share is not None
        assert 0 <= each.fresh_share <= each.within_limit_share <= 1


# -- a lag over time ----------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("rows", "hours", "steps"),
    [
        pytest.param(
            {"08:10": 1, "08:20": 2},
            {"08": 42},
            {"08:00": 42, "08:15": 12, "08:30": 27, "08:45": 42},
            id="data that stands still grows older, and before its first change it was no older than that",
        ),
        pytest.param(
            {"07:50": 1, "08:20": 2},
            {"07": 10, "08": 42},
            {"08:00": 26, "08:15": 31, "08:30": 27, "08:45": 42},
            id="the hour before tells how old it was at the begin",
        ),
        pytest.param(
            {"08:00": 1},
            {"08": 20},
            {"08:00": 16, "08:15": 20, "08:30": None, "08:45": None},
            id="looked until then",
        ),
        pytest.param(
            {"07:50": 1}, {"07": 10}, dict.fromkeys(("08:00", "08:15", "08:30", "08:45")), id="nobody looked"
        ),
        pytest.param(
            {"08:00": 1, "08:20": None, "08:40": 41},
            {"08": 60},
            {"08:00": 16, "08:15": 21, "08:30": 46, "08:45": 60},
            id="while it sent no time nobody knows",
        ),
        pytest.param(
            {"07:50": 1, "08:05": None},
            {"07": 10, "08": 15},
            {"08:00": 15, "08:15": None, "08:30": None, "08:45": None},
            id="it sent no time any more",
        ),
        pytest.param(
            {"08:00": None},
            {"08": None},
            dict.fromkeys(("08:00", "08:15", "08:30", "08:45")),
            id="never a time",
        ),
    ],
)
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
