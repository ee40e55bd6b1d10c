"""The past of targets: checks by hour, day, ..."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.past import BERLIN, FakeRecords, minutely
from tallyd.contract.board import Asked
from tallyd.contract.lags import HourCount, hour_of
from tallyd.contract.passages import seen_text
from tallyd.core.periods import LABELS, By
from tallyd.pollers.servers.boards.lag_history import (
    HOUR,
    Hour,
    checks_of,
    read_hours,
)

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


HOURS_TOGETHER = {
    "least within the limit first": (None, [("STAGE", 10, 0, None), ("PROD", 240, 234, 200.0)]),
    "an hour that comes twice is two": (
        "hour",
        [
            ("STAGE", "2026-10-25", "02:00 UTC+02:00", "Sun", 10, 0, None),
            ("PROD", "2026-10-25", "00:00", "Sun", 60, 60, 90.0),
            ("PROD", "2026-10-25", "02:00 UTC+02:00", "Sun", 60, 59, 100.0),
            ("PROD", "2026-10-25", "02:00 UTC+01:00", "Sun", 60, 58, 200.0),
            ("PROD", "2026-11-01", "12:00", "Sun", 60, 57, None),
        ],
    ),
    "days are local": (
        "day",
        [
            ("STAGE", "2026-10-25", "Sun", 10, 0, None),
            ("PROD", "2026-10-25", "Sun", 180, 177, 200.0),
            ("PROD", "2026-11-01", "Sun", 60, 57, None),
        ],
    ),
    "weekday": ("weekday", [("STAGE", "Sun", 10, 0, None), ("PROD", "Sun", 240, 234, 200.0)]),
    "week": (
        "week",
        [
            ("STAGE", "2026-W43", 10, 0, None),
            ("PROD", "2026-W43", 180, 177, 200.0),
            ("PROD", "2026-W44", 60, 57, None),
        ],
    ),
    "month": (
        "month",
        [
            ("STAGE", "2026-10", 10, 0, None),
            ("PROD", "2026-10", 180, 177, 200.0),
            ("PROD", "2026-11", 60, 57, None),
        ],
    ),
    "year": ("year", [("STAGE", "2026", 10, 0, None), ("PROD", "2026", 240, 234, 200.0)]),
}


@pytest.mark.parametrize(("by", "rows"), HOURS_TOGETHER.values(), ids=HOURS_TOGETHER)
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
