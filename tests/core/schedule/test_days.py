"""Local days: each instant lies in one of them, however clocks are changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.schedule.days import day_of, day_span


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-11-20", "Europe/Berlin", 24),
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-10-25", "Europe/Berlin", 25),
        ("2026-09-06", "America/Santiago", 23),
        ("2026-04-05", "Australia/Lord_Howe", 24.5),
    ],
)
def test_a_day_is_as_long_as_its_clocks_make_it(day: str, zone: str, hours: float) -> None:
    start, end = day_span(date.fromisoformat(day), ZoneInfo(zone))
    assert end - start == timedelta(hours=hours)
    assert day_of(start, ZoneInfo(zone)) == date.fromisoformat(day)
    assert day_of(end - timedelta(seconds=1), ZoneInfo(zone)) == date.fromisoformat(day)


BEGINNINGS = {
    "no midnight, but one o'clock": ("2026-09-06", "America/Santiago", "2026-09-06T01:00:00-03:00", 23),
    "in the middle of a gap": ("1919-03-31", "America/Toronto", "1919-03-31T00:30:00-04:00", 23.5),
    "midnight twice": ("2026-11-01", "America/Havana", "2026-11-01T00:00:00-04:00", 25),
    "a day left out": ("2011-12-30", "Pacific/Apia", "2011-12-31T00:00:00+14:00", 0),
    "set back at 00:01": ("1987-10-25", "America/St_Johns", "1987-10-25T00:00:00-02:30", 25),
}


@pytest.mark.parametrize(("day", "zone", "first", "hours"), BEGINNINGS.values(), ids=BEGINNINGS)
def test_a_day_begins_when_its_date_is_first_seen(day: str, zone: str, first: str, hours: float) -> None:
    start, end = day_span(date.fromisoformat(day), ZoneInfo(zone))
    assert start.astimezone(ZoneInfo(zone)).isoformat() == first
    assert end - start == timedelta(hours=hours)


def test_a_day_that_has_begun_goes_on_when_the_clock_is_set_back_over_its_midnight() -> None:
    zone = ZoneInfo("America/St_Johns")
    again = datetime(1987, 10, 24, 23, 30, tzinfo=zone, fold=1)
    assert day_of(again, zone) == date(1987, 10, 25)
    assert day_of(again.replace(fold=0), zone) == date(1987, 10, 24)


CHANGES = [
    "America/Havana",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
]


@given(
    zone=st.sampled_from(CHANGES).map(ZoneInfo),
    at=st.datetimes(datetime(1986, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 # in UTC
)
def test_every_instant_is_in_exactly_one_day(zone: ZoneInfo, at: datetime) -> None:
    day = day_of(at, zone)
    start, end = day_span(day, zone)
    assert start <= at < end
    assert day_span(day - timedelta(days=1), zone)[1] == start
    assert day_of(end, zone) > day
