"""Hours of the day by the wall clock: over midnight, on some days, through clock changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.schedule.calendar import Calendar, DateRange
from tallyd.core.schedule.hours import Hours, any_hold

BERLIN = ZoneInfo("Europe/Berlin")
EVERY_DAY = frozenset(range(7))
WEEKDAYS = frozenset(range(5))
MONDAY = datetime(2026, 11, 16, tzinfo=BERLIN)
DAY_MINUTES = 24 * 60


def hours(start: str, end: str, days: frozenset[int] = EVERY_DAY) -> Hours:
    return Hours(days, time.fromisoformat(start), time.fromisoformat(end))


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


FROM_FRIDAY_AT_9 = hours("09:00", "09:00", frozenset({4}))

SUNDAY = DateRange(date(2026, 11, 22), date(2026, 11, 22))
WORKS = Calendar("works", WEEKDAYS, open=(SUNDAY,))
ON_WORKDAYS = Hours(EVERY_DAY, time(22), time(6, 30), WORKS)
ON_DAYS_OFF = Hours(EVERY_DAY, time(0), time(0), WORKS, on_days_off=True)


@pytest.mark.parametrize(
    ("when", "at", "hold"),
    [
        pytest.param(hours("08:00", "18:00"), "2026-11-20 07:59:59.999999", False, id="just before"),
        pytest.param(hours("08:00", "18:00"), "2026-11-20 08:00", True, id="start"),
        pytest.param(hours("08:00", "18:00"), "2026-11-20 17:59:59.999999", True, id="just before the end"),
        pytest.param(hours("08:00", "18:00"), "2026-11-20 18:00", False, id="end"),
        pytest.param(hours("22:00", "06:30"), "2026-11-20 23:00", True, id="before midnight"),
        pytest.param(hours("22:00", "06:30"), "2026-11-21 00:00", True, id="midnight"),
        pytest.param(hours("22:00", "06:30"), "2026-11-21 06:29", True, id="after midnight"),
        pytest.param(hours("22:00", "06:30"), "2026-11-21 06:30", False, id="end after midnight"),
        pytest.param(hours("22:00", "06:30"), "2026-11-21 12:00", False, id="noon"),
        pytest.param(hours("22:00", "06:30", WEEKDAYS), "2026-11-21 05:00", True, id="Friday's, on Saturday"),
        pytest.param(hours("22:00", "06:30", WEEKDAYS), "2026-11-21 23:00", False, id="Saturday's"),
        pytest.param(hours("22:00", "06:30", WEEKDAYS), "2026-11-23 05:00", False, id="Sunday's, on Monday"),
        pytest.param(
            hours("22:00", "06:30", frozenset({6})), "2026-11-23 05:00", True, id="week's end to its start"
        ),
        pytest.param(hours("00:00", "00:00"), "2026-11-20 00:00", True, id="a whole day from midnight"),
        pytest.param(FROM_FRIDAY_AT_9, "2026-11-20 08:59", False, id="whole day, before"),
        pytest.param(FROM_FRIDAY_AT_9, "2026-11-20 09:00", True, id="whole day, start"),
        pytest.param(FROM_FRIDAY_AT_9, "2026-11-21 08:59", True, id="whole day, next"),
        pytest.param(FROM_FRIDAY_AT_9, "2026-11-21 09:00", False, id="whole day, end"),
        pytest.param(hours("18:00", "00:00"), "2026-11-20 23:59", True, id="until midnight"),
        pytest.param(hours("18:00", "00:00", frozenset({4})), "2026-11-21 00:00", False, id="at midnight"),
        pytest.param(ON_WORKDAYS, "2026-11-20 23:00", True, id="on an open day"),
        pytest.param(ON_WORKDAYS, "2026-11-21 05:00", True, id="into a day off"),
        pytest.param(ON_WORKDAYS, "2026-11-22 05:00", False, id="from a day off"),
        pytest.param(ON_WORKDAYS, "2026-11-22 23:00", True, id="open on a Sunday"),
        pytest.param(replace(ON_WORKDAYS, days=WEEKDAYS), "2026-11-22 23:00", False, id="both must hold"),
        pytest.param(ON_DAYS_OFF, "2026-11-20 23:59", False, id="an open day"),
        pytest.param(ON_DAYS_OFF, "2026-11-21 00:00", True, id="a day off"),
        pytest.param(ON_DAYS_OFF, "2026-11-22 12:00", False, id="open on a Sunday, so not off"),
        pytest.param(hours("08:00", "18:00", frozenset()), "2026-11-20 12:00", False, id="on no day"),
    ],
)
def test_they_hold_from_their_start_up_to_their_end(when: Hours, at: str, hold: bool) -> None:
    assert when.hold(local(at)) is hold


minutes = st.integers(0, DAY_MINUTES - 1)
days = st.frozensets(st.integers(0, 6))


@given(start=minutes, end=minutes, on=days, at=st.integers(0, 7 * DAY_MINUTES - 1))
def test_any_minute_of_a_week_is_as_counting_from_each_start_says(
    start: int, end: int, on: frozenset[int], at: int
) -> None:
    lasts = (end - start - 1) % DAY_MINUTES + 1  # the same time twice is a whole day
    quiet = {
        (day * DAY_MINUTES + start + passed) % (7 * DAY_MINUTES) for day in on for passed in range(lasts)
    }
    when = Hours(on, time(*divmod(start, 60)), time(*divmod(end, 60)))
    assert when.hold(MONDAY + timedelta(minutes=at)) is (at in quiet)


@pytest.mark.parametrize(
    ("instant", "hold"),
    [
        pytest.param("2026-10-25T00:30", True, id="02:30, the first time"),
        pytest.param("2026-10-25T01:30", True, id="02:30, the second time"),
        pytest.param("2026-10-25T01:59", True, id="02:59, the second time"),
        pytest.param("2026-10-25T02:00", False, id="03:00"),
    ],
)
def test_an_hour_that_comes_twice_counts_twice(instant: str, hold: bool) -> None:
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC).astimezone(BERLIN)
    assert hours("02:00", "03:00").hold(at) is hold


def test_hours_that_a_clock_change_skips_never_hold() -> None:
    night = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    instants = [(night + timedelta(minutes=number)).astimezone(BERLIN) for number in range(5 * 60)]
    assert not any(hours("02:00", "03:00").hold(at) for at in instants)
    assert sum(hours("01:00", "04:00").hold(at) for at in instants) == 120


def test_any_of_several_is_enough_and_none_is_none() -> None:
    at = local("2026-11-20 12:00")
    assert any_hold([hours("01:00", "02:00"), hours("11:00", "13:00")], at)
    assert not any_hold([hours("01:00", "02:00"), hours("13:00", "14:00")], at)
    assert not any_hold([], at)
