"""When a local time of day is: at both clock changes, in zones with every kind of change there is.

The instants in the tables are written out, so that nothing of what is tested computes them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from tallyd.core.schedule.timetable import At, Every, next_slots, slots

DAY = timedelta(days=1)


def instants(zone: str, when: At | Every, *, first: str, last: str) -> list[str]:
    """Return the instants of the slots from the first to the last day (UTC), as `2026-03-29T01:30Z`."""
    after = datetime.fromisoformat(f"{first}T00:00:00+00:00") - timedelta(microseconds=1)
    until = datetime.fromisoformat(f"{last}T00:00:00+00:00") + DAY
    return [f"{due.at:%Y-%m-%dT%H:%MZ}" for due in slots(when, ZoneInfo(zone), after=after, until=until)]


def local_day(zone: str, when: At, day: str) -> list[str]:
    """Return the instants of the slots that a local date names."""
    around = date.fromisoformat(day)
    after = datetime.combine(around - DAY, time(), UTC) - DAY
    found = slots(when, ZoneInfo(zone), after=after, until=after + 5 * DAY)
    return [f"{due.at:%Y-%m-%dT%H:%MZ}" for due in found if due.key.startswith(day)]


def at(*times: str, days: frozenset[int] = frozenset(range(7))) -> At:
    return At(tuple(time.fromisoformat(one) for one in times), days)


def rows(table: str) -> list[list[str]]:
    """Return the words of each line."""
    return [line.split() for line in table.strip().splitlines()]


MOVED_ON = rows("""
    Europe/Berlin        2026-03-29  02:30  2026-03-29T01:30Z  03:30
    Europe/Dublin        2026-03-29  01:30  2026-03-29T01:30Z  02:30
    America/New_York     2026-03-08  02:30  2026-03-08T07:30Z  03:30
    America/St_Johns     2026-03-08  02:30  2026-03-08T06:00Z  03:30
    Australia/Lord_Howe  2026-10-04  02:15  2026-10-03T15:45Z  02:45
    Pacific/Chatham      2026-09-27  03:00  2026-09-26T14:15Z  04:00
    Asia/Kathmandu       1986-01-01  00:10  1985-12-31T18:40Z  00:25
    America/Sao_Paulo    2018-11-04  00:30  2018-11-04T03:30Z  01:30
    America/Asuncion     2023-10-01  00:30  2023-10-01T04:30Z  01:30
    Asia/Tehran          2022-03-22  00:30  2022-03-21T21:00Z  01:30
    Africa/Cairo         2024-04-26  00:30  2024-04-25T22:30Z  01:30
    Africa/Casablanca    2024-04-14  02:30  2024-04-14T02:30Z  03:30
    Antarctica/Troll     2026-03-29  01:30  2026-03-29T01:30Z  03:30
    America/Nuuk         2025-03-29  23:30  2025-03-30T01:30Z  00:30
    Pacific/Apia         2011-12-30  08:00  2011-12-30T18:00Z  08:00
""")
"""By half an hour in Lord Howe, by two in Troll; at 02:45 in Chatham; at midnight in Sao Paulo, Asuncion,
Tehran and Cairo; into the next day in Nuuk; in Ramadan in Casablanca; a day that never was in Apia.
"""


@pytest.mark.parametrize(
    ("zone", "day", "time_of_day", "instant", "real"), MOVED_ON, ids=[zone for zone, *_ in MOVED_ON]
)
def test_a_time_that_does_not_exist_runs_once_moved_on_by_the_gap(
    zone: str, day: str, time_of_day: str, instant: str, real: str
) -> None:
    # Only on that weekday: on a day that never was, the next day's own slot would take its place.
    when = at(time_of_day, days=frozenset({date.fromisoformat(day).weekday()}))
    assert local_day(zone, when, day) == [instant]
    assert datetime.fromisoformat(instant).astimezone(ZoneInfo(zone)).time() == time.fromisoformat(real)


TWICE = rows("""
    Europe/Berlin        2026-10-25  02:30  2026-10-25T00:30Z
    Europe/Dublin        2026-10-25  01:30  2026-10-25T00:30Z
    America/New_York     2026-11-01  01:30  2026-11-01T05:30Z
    America/Havana       2026-11-01  00:30  2026-11-01T04:30Z
    America/St_Johns     2026-11-01  01:30  2026-11-01T04:00Z
    Australia/Lord_Howe  2026-04-05  01:45  2026-04-04T14:45Z
    Pacific/Chatham      2026-04-05  03:00  2026-04-04T13:15Z
    Pacific/Apia         2012-04-01  03:30  2012-03-31T13:30Z
    America/Sao_Paulo    2018-02-17  23:30  2018-02-18T01:30Z
    America/Asuncion     2024-03-23  23:30  2024-03-24T02:30Z
    America/Nuuk         2025-10-25  23:30  2025-10-26T00:30Z
    Asia/Tehran          2022-09-21  23:30  2022-09-21T19:00Z
    Africa/Cairo         2024-10-31  23:30  2024-10-31T20:30Z
    Africa/Casablanca    2024-03-10  02:30  2024-03-10T01:30Z
    Antarctica/Troll     2026-10-25  01:30  2026-10-24T23:30Z
    Antarctica/Troll     2026-10-25  02:30  2026-10-25T00:30Z
""")


@pytest.mark.parametrize(
    ("zone", "day", "time_of_day", "instant"), TWICE, ids=[f"{zone} {time}" for zone, _, time, _ in TWICE]
)
def test_a_time_that_comes_twice_runs_once_the_first_time(
    zone: str, day: str, time_of_day: str, instant: str
) -> None:
    first = datetime.fromisoformat(instant).astimezone(ZoneInfo(zone))
    again = first.replace(fold=1)
    assert first.utcoffset() != again.utcoffset(), "this time comes only once; the table is wrong"
    assert local_day(zone, at(time_of_day), day) == [instant]


EIGHT = rows("""
    Europe/Berlin     2026-03-28T07:00Z  2026-03-29T06:00Z  2026-03-30T06:00Z
    Europe/Berlin     2026-10-24T06:00Z  2026-10-25T07:00Z  2026-10-26T07:00Z
    Antarctica/Troll  2026-03-28T08:00Z  2026-03-29T06:00Z  2026-03-30T06:00Z
    Asia/Kolkata      2026-03-29T02:30Z  2026-03-30T02:30Z  2026-03-31T02:30Z
    Asia/Kathmandu    2026-10-25T02:15Z  2026-10-26T02:15Z
    Pacific/Apia      2011-12-29T18:00Z  2011-12-30T18:00Z  2011-12-31T18:00Z  2012-01-01T18:00Z
    America/Asuncion  2024-10-05T12:00Z  2024-10-06T11:00Z  2024-10-07T11:00Z
""")
"""Kolkata never changes its clocks, Apia goes from Thursday to Saturday, and Asuncion has its last change."""


@pytest.mark.parametrize(("zone", "expected"), [(zone, found) for zone, *found in EIGHT])
def test_eight_in_the_morning_stays_eight_in_the_morning(zone: str, expected: list[str]) -> None:
    assert instants(zone, at("08:00"), first=expected[0][:10], last=expected[-1][:10]) == expected


ONE_SLOT = rows("""
    Europe/Berlin        2026-03-29  02:30,03:30        03:30=2026-03-29T01:30Z
    Europe/Berlin        2026-03-29  02:30,02:45,03:30  03:30=2026-03-29T01:30Z  02:45=2026-03-29T01:45Z
    Australia/Lord_Howe  2026-10-04  02:15,02:45        02:45=2026-10-03T15:45Z
    America/Sao_Paulo    2018-11-04  00:00,01:00        01:00=2018-11-04T03:00Z
    Antarctica/Troll     2026-03-29  01:00,02:00,03:00  03:00=2026-03-29T01:00Z  02:00=2026-03-29T02:00Z
""")
"""What lands on what: in Berlin 02:30 on 03:30, in Sao Paulo midnight on one, in Troll 01:00 on 03:00."""


@pytest.mark.parametrize(("zone", "day", "times", "expected"), [(*row[:3], row[3:]) for row in ONE_SLOT])
def test_where_a_gap_moves_one_time_onto_another_there_is_one_slot(
    zone: str, day: str, times: str, expected: list[str]
) -> None:
    after = datetime.fromisoformat(f"{day}T00:00:00+00:00") - DAY
    found = slots(at(*times.split(",")), ZoneInfo(zone), after=after, until=after + 3 * DAY)
    of_day = [due for due in found if due.key.startswith(day)]
    keys = [due.key.split("[")[0] for due in of_day]
    assert [f"{due.at:%Y-%m-%dT%H:%MZ}" for due in of_day] == [each.split("=")[1] for each in expected]
    assert keys == [f"{day}T{each.split('=')[0]}:00" for each in expected]


def test_a_day_that_never_was_has_no_slots_where_the_next_day_has_its_own() -> None:
    found = slots(
        at("08:00", "20:00"),
        ZoneInfo("Pacific/Apia"),
        after=datetime(2011, 12, 28, 12, tzinfo=UTC),
        until=datetime(2012, 1, 1, tzinfo=UTC),
    )
    assert [due.key.split("[")[0] for due in found] == [
        "2011-12-28T08:00:00",
        "2011-12-28T20:00:00",
        "2011-12-29T08:00:00",
        "2011-12-29T20:00:00",
        "2011-12-31T08:00:00",
        "2011-12-31T20:00:00",
        "2012-01-01T08:00:00",
    ]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        pytest.param({6}, ["2026-03-29T01:30Z"], id="the-day-of-the-gap"),
        pytest.param({0, 1, 2, 3, 4}, ["2026-03-27T01:30Z", "2026-03-30T00:30Z"], id="work-days"),
        pytest.param({5}, ["2026-03-28T01:30Z"], id="the-day-before"),
    ],
)
def test_the_weekday_is_that_of_the_local_date(days: set[int], expected: list[str]) -> None:
    when = at("02:30", days=frozenset(days))
    assert instants("Europe/Berlin", when, first="2026-03-27", last="2026-03-30") == expected


def test_a_slot_that_a_gap_moves_into_a_day_on_which_none_is_wanted_is_taken_all_the_same() -> None:
    saturdays = at("23:30", "00:30", days=frozenset({5}))
    found = instants("America/Nuuk", saturdays, first="2025-03-29", last="2025-03-31")
    assert found == ["2025-03-29T02:30Z", "2025-03-30T01:30Z"]


def test_slots_come_oldest_first_even_where_a_gap_moves_one_past_the_next_days_first() -> None:
    found = instants("America/Nuuk", at("23:30", "00:15"), first="2025-03-29", last="2025-03-30")
    assert found == sorted(found)
    assert found == ["2025-03-29T01:30Z", "2025-03-29T02:15Z", "2025-03-30T01:15Z", "2025-03-30T01:30Z"]


def test_a_slot_that_a_gap_moves_past_midnight_is_found_by_a_look_after_midnight() -> None:
    after = datetime(2025, 3, 30, 1, 10, tzinfo=UTC)  # 00:10 local
    found = slots(at("23:30"), ZoneInfo("America/Nuuk"), after=after, until=after + timedelta(hours=1))
    assert [due.key for due in found] == ["2025-03-29T23:30:00[America/Nuuk]"]


def test_the_next_slot_is_the_one_that_comes_first_even_where_a_gap_moves_another() -> None:
    evening = datetime(2025, 3, 29, 23, tzinfo=UTC)
    found = next_slots(at("23:30", "00:15"), ZoneInfo("America/Nuuk"), after=evening, count=2)
    assert [f"{one:%dT%H:%M}" for one in found] == ["30T01:15", "30T01:30"]


def test_with_more_times_of_day_than_are_kept_in_memory_each_is_a_slot() -> None:
    every_half_minute = At(tuple(time(n // 120, n // 2 % 60, n % 2 * 30) for n in range(2880)))
    found = instants("Europe/Berlin", every_half_minute, first="2026-10-25", last="2026-10-25")
    assert (len(found), len({*found})) == (2881 - 120, 1441 - 60), "the hour that comes twice counts once"
