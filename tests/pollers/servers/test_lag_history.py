"""Hours of checks as a table: in all, and by hour, day, weekday, week, month and year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.contract.lags import HourCount, LagRow, hour_of
from tallyd.contract.passages import read_seen
from tallyd.core.periods import LABELS, By
from tallyd.pollers.servers.lag_history import Hour, Lags, Sums, lag_course, lags_of, sum_up

BERLIN = ZoneInfo("Europe/Berlin")


def table(hours: list[Hour], by: By | None, zone: str = "Europe/Berlin") -> list[tuple[object, ...]]:
    return [
        (lags.server, *lags.labels.values(), lags.count.checks, lags.count.fresh, lags.count.lag_s_max)
        for lags in summed(hours, by, zone)
    ]


def summed(hours: list[Hour], by: By | None, zone: str = "Europe/Berlin") -> tuple[Lags, ...]:
    sums: Sums = {}
    for begin in range(0, len(hours), 3):
        sum_up(hours[begin : begin + 3], sums, zone=ZoneInfo(zone), by=by)
    return lags_of(sums, by=by)


HOURS: list[Hour] = [
    ("PROD", "2026-10-24 22:00:00", HourCount(60, 60, 0, 90.0)),
    ("PROD", "2026-10-25 00:00:00", HourCount(60, 59, 0, 100.0)),
    ("PROD", "2026-10-25 01:00:00", HourCount(60, 58, 0, 200.0)),
    ("PROD", "2026-11-01 11:00:00", HourCount(60, 57, 0, None)),
    ("STAGE", "2026-10-25 00:00:00", HourCount(10, 0, 0, None)),
    ("TEST", "2026-10-25 00:00:00", HourCount(0, 0, 0, None)),
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


def test_weekdays_begin_with_monday() -> None:
    hours = [("A", f"2026-11-{day} 12:00:00", HourCount(1, 1, 0, 1.0)) for day in (20, 21, 22, 23, 24)]
    assert [row[1] for row in table(hours, "weekday")] == ["Mon", "Tue", "Fri", "Sat", "Sun"]


def test_what_was_late_counts_as_within_the_limit_but_not_as_fresh() -> None:
    (lags,) = summed([("A", "2026-11-20 12:00:00", HourCount(8, 4, 2, 1.0))], None)
    assert (lags.count.within_limit_share, lags.count.fresh_share) == (0.75, 0.5)


def test_a_target_that_was_often_late_stands_behind_one_that_was_stale_once() -> None:
    hours = [
        ("LATE", "2026-11-20 12:00:00", HourCount(60, 20, 40, 300.0)),
        ("FRESH", "2026-11-20 12:00:00", HourCount(60, 60, 0, 60.0)),
        ("STALE", "2026-11-20 12:00:00", HourCount(60, 59, 0, 900.0)),
    ]
    assert [row[0] for row in table(hours, None)] == ["STALE", "LATE", "FRESH"]


hours_strategy = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.integers(0, 400).map(lambda n: hour_of(datetime(2026, 10, 20, tzinfo=UTC) + timedelta(hours=n))),
        st.builds(
            lambda others, fresh, late, lag_s: HourCount(others + fresh + late, fresh, late, lag_s),
            st.integers(1, 60),
            st.integers(0, 60),
            st.integers(0, 60),
            st.none() | st.floats(0, 1e6),
        ),
    ),
    max_size=40,
)


@given(
    hours=hours_strategy,
    by=st.none() | st.sampled_from(list(LABELS)),
    zone=st.sampled_from(["UTC", "Asia/Kolkata"]),
)
def test_no_check_is_lost_or_doubled(hours: list[Hour], by: By | None, zone: str) -> None:
    found = summed(hours, by, zone)
    for server in ("A", "B"):
        own = [count for name, _, count in hours if name == server]
        sums = [lags.count for lags in found if lags.server == server]
        assert sum(count.checks for count in sums) == sum(count.checks for count in own)
        assert sum(count.fresh for count in sums) == sum(count.fresh for count in own)
        assert sum(count.late for count in sums) == sum(count.late for count in own)
        known = [count.lag_s_max for count in own if count.lag_s_max is not None]
        shown = [count.lag_s_max for count in sums if count.lag_s_max is not None]
        assert max(shown, default=None) == max(known, default=None)
    assert all(0 <= lags.count.fresh_share <= lags.count.within_limit_share <= 1 for lags in found)


# -- a lag over time ----------------------------------------------------------------------------------------


def course(
    rows: dict[str, float | None], hours: dict[str, float], *, first: str = "08:00:00", last: str = "14:00:00"
) -> list[tuple[str, float | None]]:
    """Return times of one day with lags in minutes; `hours` have the largest lag, in minutes."""
    day = "2026-11-20 "
    found = lag_course(
        [
            LagRow("a", day + at, None, None if lag is None else 60 * lag, "fresh", None)
            for at, lag in rows.items()
        ],
        {f"{day}{hour}:00:00": HourCount(60, 60, 0, 60 * lag) for hour, lag in hours.items()},
        first=read_seen(day + first),
        last=read_seen(day + last),
    )
    return [(f"{at:%H:%M}", None if lag_s is None else lag_s / 60) for at, lag_s in found]


def test_a_lag_has_a_gap_where_nobody_looked_for_an_hour() -> None:
    hours = {"08": 30.0, "12": 3.0}
    assert course({"08:10:00": 1, "08:20:00": 1, "12:00:00": 2}, hours) == [
        ("08:10", 1),
        ("08:20", 11),
        ("08:20", 1),
        ("08:49", 30),
        ("12:00", None),
        ("12:00", 2),
        ("12:01", 3),
    ]


def test_data_that_stands_still_grows_older_as_long_as_somebody_looks() -> None:
    hours = {f"{hour:02}": 60.0 * (hour - 6) for hour in range(8, 12)}
    assert course({"08:10:00": 1}, hours) == [("08:10", 1), ("12:00", 231)]


def test_of_data_that_stood_still_before_the_first_day_the_lag_is_known_on_it() -> None:
    hours = {f"{hour:02}": 600.0 for hour in range(5, 14)}
    assert course({"05:00:00": 0, "10:00:00": 5}, hours) == [
        ("08:00", 180),
        ("10:00", 300),
        ("10:00", 5),
        ("14:00", 245),
    ]


def test_where_no_time_was_ever_read_there_is_no_lag() -> None:
    assert course({}, {"08": 1.0}) == []
    assert course({"08:10:00": None}, {"08": 1.0}) == []
