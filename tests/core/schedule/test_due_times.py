"""Due times: which are near an instant, on any day, in any zone, over days off and clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from tallyd.core.schedule.calendar import Calendar, DateRange
from tallyd.core.schedule.due_times import DueTime, Near, near

BERLIN = ZoneInfo("Europe/Berlin")
EVERY_DAY = frozenset(range(7))
WORKDAYS = frozenset(range(5))
CHRISTMAS = Calendar("works", WORKDAYS, closed=(DateRange(date(2026, 12, 24), date(2027, 1, 1)),))
AT_SIX = DueTime(WORKDAYS, time(6), CHRISTMAS)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("due", "now", "expected"),
    [
        pytest.param(AT_SIX, "2026-12-09 05:59:59", ("12-07 06", "12-08 06", "12-09 06"), id="before"),
        pytest.param(AT_SIX, "2026-12-09 06:00", ("12-08 06", "12-09 06", "12-10 06"), id="exactly then"),
        pytest.param(AT_SIX, "2026-12-13 12:00", ("12-10 06", "12-11 06", "12-14 06"), id="a weekend"),
        pytest.param(AT_SIX, "2026-12-24 07:00", ("12-22 06", "12-23 06", "01-04 06"), id="days off"),
        pytest.param(AT_SIX, "2026-12-31 07:00", ("12-22 06", "12-23 06", "01-04 06"), id="still off"),
        pytest.param(AT_SIX, "2027-01-05 06:00", ("01-04 06", "01-05 06", "01-06 06"), id="open again"),
    ],
)
def test_the_last_two_and_the_next_are_on_open_days(
    due: DueTime, now: str, expected: tuple[str, str, str]
) -> None:
    found = near((due,), local(now), BERLIN)
    shown = (f"{at.astimezone(BERLIN):%m-%d %H}" for at in (found.before, found.last, found.next) if at)
    assert tuple(shown) == expected


@pytest.mark.parametrize(
    ("now", "last"),
    [
        pytest.param(
            "2026-03-29 03:29+02:00", "2026-03-28 02:30+01:00", id="before a time that does not exist"
        ),
        pytest.param("2026-03-29 03:30+02:00", "2026-03-29 03:30+02:00", id="it moves by the gap"),
        pytest.param("2026-10-25 02:30+02:00", "2026-10-25 02:30+02:00", id="the first of two"),
        pytest.param("2026-10-25 02:30+01:00", "2026-10-25 02:30+02:00", id="the second does not count"),
    ],
)
def test_a_clock_change_leaves_one_due_time_a_day(now: str, last: str) -> None:
    found = near((DueTime(EVERY_DAY, time(2, 30)),), datetime.fromisoformat(now), BERLIN)
    assert found.last == datetime.fromisoformat(last)


def test_several_due_times_are_one_row() -> None:
    due = (AT_SIX, DueTime(frozenset({6}), time(18)), DueTime(EVERY_DAY, time(6)))
    found = near(due, local("2026-12-13 20:00"), BERLIN)
    assert found == Near(local("2026-12-13 06:00"), local("2026-12-13 18:00"), local("2026-12-14 06:00"))


def test_a_calendar_that_never_opens_has_no_due_time() -> None:
    never = Calendar("never", closed=(DateRange(date.min, date.max),))
    assert near((DueTime(EVERY_DAY, time(6), never),), local("2026-12-13 20:00"), BERLIN) == Near(
        None, None, None
    )


# In Cairo and Beirut clocks go forward at midnight; on Lord Howe by half an hour; Apia left out 2011-12-30.
@pytest.mark.parametrize(
    ("zone", "year"),
    [
        ("Europe/Berlin", 2026),
        ("Africa/Cairo", 2026),
        ("America/New_York", 2026),
        ("Australia/Lord_Howe", 2026),
        ("Pacific/Apia", 2011),
    ],
)
def test_over_a_year_they_are_those_of_a_list_of_all(zone: str, year: int) -> None:
    chance, here = Random(f"{zone}"), ZoneInfo(zone)
    due = tuple(
        DueTime(frozenset(chance.sample(range(7), chance.randint(1, 6))), time(hour, minute))
        for hour, minute in ((0, 15), (2, 10), (6, 0), (23, 45))
    )
    days = [date(year, 1, 1) + timedelta(number) for number in range(-40, 420)]
    every = sorted({at for each in due for day in days for at in each.instants(day, here)})
    at = datetime(year, 1, 1, tzinfo=UTC)
    while at.year == year:
        passed = sum(each <= at for each in every)
        assert near(due, at, here) == Near(*every[passed - 2 : passed + 1])
        at += timedelta(hours=7, minutes=chance.randint(0, 59))
