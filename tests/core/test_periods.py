"""Periods: an hour that comes twice is two, a week is the calendar's, weekdays begin with Monday."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.language.languages import Language, reading_in
from tallyd.core.periods import (
    LABELS,
    By,
    axis_of,
    labels_of,
    order_of,
    period_cells,
    period_columns,
    weekdays,
)

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # half an hour of daylight saving time


def local(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    """Return a local time; with an offset in the text, the instant in that zone."""
    found = datetime.fromisoformat(text)
    return found.astimezone(zone) if found.tzinfo else found.replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("by", "cells"),
    [
        ("hour", (local("2026-12-03T20:00"), "2026-12-03", "20:00", "Thu")),
        ("day", (local("2026-12-03T00:00"), "2026-12-03", "Thu")),
        ("weekday", ("Thu",)),
        ("week", ("2026-W49",)),
        ("month", ("2026-12",)),
        ("year", ("2026",)),
    ],
)
def test_hours_and_days_have_their_first_instant_and_every_period_has_labels(
    by: By, cells: tuple[object, ...]
) -> None:
    assert period_cells(local("2026-12-03T20:15:30"), by=by) == cells


@pytest.mark.parametrize(
    ("language", "labels"),
    [
        ("de", {"hour": ("03.12.2026", "20:00", "Do"), "weekday": ("Do",), "month": ("Dezember 2026",)}),
        ("zh-TW", {"hour": ("2026/12/3", "20:00", "週四"), "weekday": ("週四",), "month": ("2026年12月",)}),
    ],
)
def test_labels_are_in_the_language_of_the_reader(
    language: Language, labels: dict[By, tuple[str, ...]]
) -> None:
    with reading_in(language):
        shown = {by: tuple(labels_of(local("2026-12-03T20:15"), by=by).values()) for by in labels}
    assert shown == labels


@pytest.mark.parametrize("by", get_args(By))
def test_columns_and_cells_are_of_the_same_number_and_one_of_them_is_the_axis(by: By) -> None:
    columns = period_columns(by)
    assert len(columns) == len(period_cells(local("2026-12-03T20:15"), by=by))
    assert axis_of(by) in {column.key for column in columns}
    assert [column.key for column in columns if not column.is_for_programs] == [*LABELS[by]]


@pytest.mark.parametrize(
    ("day", "week"),
    [
        ("2026-12-27", "2026-W52"),
        ("2026-12-28", "2026-W53"),
        ("2027-01-03", "2026-W53"),
        ("2027-01-04", "2027-W01"),
    ],
)
def test_a_week_begins_on_monday_and_belongs_to_the_year_that_has_most_of_it(day: str, week: str) -> None:
    assert labels_of(local(f"{day}T08:00"), by="week") == {"week": week}


@pytest.mark.parametrize(
    ("zone", "time", "hour"),
    [
        pytest.param(BERLIN, "2026-10-25T02:10+02:00", "02:00 UTC+02:00", id="the-first-one"),
        pytest.param(BERLIN, "2026-10-25T02:50+01:00", "02:00 UTC+01:00", id="the-second-one"),
        pytest.param(BERLIN, "2026-10-25T03:00+01:00", "03:00", id="the-hour-after"),
        pytest.param(BERLIN, "2026-03-29T03:00", "03:00", id="after-an-hour-that-is-left-out"),
        pytest.param(LORD_HOWE, "2026-04-05T01:10+11:00", "01:00 UTC+11:00", id="half-of-it-comes-twice"),
        pytest.param(LORD_HOWE, "2026-04-05T01:40+10:30", "01:00 UTC+10:30", id="the-half-that-comes-again"),
        pytest.param(LORD_HOWE, "2026-04-05T02:00+10:30", "02:00", id="the-hour-after-half-an-hour"),
    ],
)
def test_an_hour_that_comes_twice_is_two_hours_of_one_day(zone: ZoneInfo, time: str, hour: str) -> None:
    at = local(time, zone)
    assert labels_of(at, by="hour")["hour"] == hour
    assert labels_of(at, by="day") == {"date": f"{at.date()}", "weekday": "Sun"}


@pytest.mark.parametrize(
    ("at", "begin"),
    [
        pytest.param("2026-04-04T14:45:00+00:00", "2026-04-04T14:00:00+00:00", id="before clocks go back"),
        pytest.param("2026-04-04T15:10:00+00:00", "2026-04-04T15:00:00+00:00", id="after, in the same hour"),
        pytest.param("2026-10-03T15:40:00+00:00", "2026-10-03T15:30:00+00:00", id="after they go forward"),
    ],
)
def test_where_clocks_change_by_half_an_hour_the_second_part_of_an_hour_begins_at_the_change(
    at: str, begin: str
) -> None:
    cell, *_ = period_cells(datetime.fromisoformat(at).astimezone(LORD_HOWE), by="hour")
    assert isinstance(cell, datetime)
    assert cell.astimezone(UTC) == datetime.fromisoformat(begin)


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("en", ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")),
        ("de", ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So")),
        ("zh-TW", ("週一", "週二", "週三", "週四", "週五", "週六", "週日")),
    ],
)
def test_weekdays_begin_with_monday_and_other_periods_stay_in_their_order(
    language: Language, names: tuple[str, ...]
) -> None:
    with reading_in(language):
        days = [
            labels_of(local(f"2026-11-{day}T08:00"), by="weekday") for day in range(20, 27)
        ]  # from a Friday on
        assert tuple(each["weekday"] for each in sorted(days, key=order_of)) == names
        assert weekdays() == names
    assert order_of({"week": "2026-W02"}) == order_of({"week": "2026-W01"})


@given(
    zone=st.sampled_from([BERLIN, LORD_HOWE]),
    times=st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))),  # noqa: DTZ001 # in UTC
)
def test_no_hour_of_one_name_lies_on_both_sides_of_another(zone: ZoneInfo, times: list[datetime]) -> None:
    named = [tuple(labels_of(at.astimezone(zone), by="hour").values()) for at in sorted(times)]
    groups = [name for number, name in enumerate(named) if number == 0 or named[number - 1] != name]
    assert len(groups) == len(set(groups))
