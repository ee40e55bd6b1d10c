"""Who came, left and was inside, hour by hour and put together: nobody is lost, and no day is made up."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.contract.passages import Count, seen_text
from tallyd.core.periods import By, labels_of
from tallyd.core.schedule.days import day_span
from tallyd.pollers.visitors.boards.visits import (
    Day,
    Minute,
    Visits,
    days_of,
    put_together,
    side_by_side,
)

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # half an hour of daylight saving time


def minute(at: str, n_in: int = 0, n_out: int = 0, n_other: int = 0, *, zone: ZoneInfo = BERLIN) -> Minute:
    found = datetime.fromisoformat(at)
    seen = seen_text(found if found.tzinfo else found.replace(tzinfo=zone))
    return seen, Count(n_in, n_out, n_other, seen, seen)


def hours_of(*minutes: Minute, zone: ZoneInfo = BERLIN) -> Day:
    """Return the hours of the one day of these minutes."""
    (day,) = days_of(minutes, zone=zone)
    return day


def label(hour: Visits) -> str:
    return labels_of(hour.begin, by="hour")["hour"]


def shown(hour: Visits) -> tuple[str, int, int, int | None, int]:
    """Return the label, in, out, inside, most inside."""
    return label(hour), hour.n_in, hour.n_out, hour.inside, hour.most_inside


class TestHours:
    def test_who_is_inside_goes_on_from_hour_to_hour(self) -> None:
        hours = hours_of(
            minute("2026-11-20T08:15", 3),
            minute("2026-11-20T08:20", 2),
            minute("2026-11-20T09:59", 2, 4),
            minute("2026-11-20T10:00", 0, 3, 7),
            minute("2026-11-20T10:30", 4),
        )
        assert len(hours) == 24
        assert [shown(hour) for hour in hours[7:12]] == [
            ("07:00", 0, 0, 0, 0),
            ("08:00", 5, 0, 5, 5),
            ("09:00", 2, 4, 3, 5),
            ("10:00", 4, 3, 4, 4),
            ("11:00", 0, 0, 4, 4),
        ]
        assert hours[10].begin.isoformat() == "2026-11-20T10:00:00+01:00"
        assert [hour.n_other for hour in hours if hour.n_other] == [7]

    def test_nobody_is_less_than_nobody_but_those_who_left_too_much_are_remembered(self) -> None:
        hours = hours_of(minute("2026-11-20T08:00", 0, 3), minute("2026-11-20T09:00", 4))
        assert [hour.inside for hour in hours[8:10]] == [0, 1]

    def test_each_day_begins_with_nobody(self) -> None:
        minutes = [minute("2026-11-19T23:59", 9), minute("2026-11-20T00:00", 1)]
        before, day = days_of(minutes, zone=BERLIN)
        assert before[-1].inside == 9
        assert shown(day[0]) == ("00:00", 1, 0, 1, 1)
        assert day[-1].inside == 1

    @pytest.mark.parametrize(
        ("zone", "day", "count", "around", "labels"),
        [
            pytest.param(
                BERLIN,
                "2026-10-25",
                25,
                1,
                ["01:00", "02:00 UTC+02:00", "02:00 UTC+01:00", "03:00"],
                id="twice",
            ),
            pytest.param(BERLIN, "2026-03-29", 23, 1, ["01:00", "03:00", "04:00", "05:00"], id="left out"),
            pytest.param(
                LORD_HOWE,
                "2026-04-05",
                25,
                0,
                ["00:00", "01:00 UTC+11:00", "01:00 UTC+10:30", "02:00"],
                id="half an hour twice",
            ),
            pytest.param(
                ZoneInfo("America/Santiago"),
                "2026-09-06",
                23,
                0,
                ["01:00", "02:00", "03:00", "04:00"],
                id="no midnight",
            ),
            pytest.param(
                ZoneInfo("Asia/Kathmandu"),
                "2026-11-20",
                24,
                0,
                ["00:00", "01:00", "02:00", "03:00"],
                id="5:45",
            ),
        ],
    )
    def test_hours_are_those_of_the_clock(
        self, zone: ZoneInfo, day: str, count: int, around: int, labels: list[str]
    ) -> None:
        hours = hours_of(minute(f"{day}T12:00", 1, zone=zone), zone=zone)
        assert len(hours) == count
        assert [label(hour) for hour in hours[around : around + 4]] == labels
        begins = [hour.begin.astimezone(UTC) for hour in hours]
        assert begins == sorted(set(begins))
        assert begins[0] == day_span(date.fromisoformat(day), zone)[0]

    def test_an_hour_that_comes_twice_counts_each_time(self) -> None:
        hours = hours_of(
            minute("2026-10-25T02:30+02:00", 1),
            minute("2026-10-25T02:30+01:00", 2),
            minute("2026-10-25T03:00+01:00", 4),
        )
        assert [hour.n_in for hour in hours[2:5]] == [1, 2, 4]


class TestPeriods:
    MINUTES = (
        minute("2026-11-20T08:00", 5, 1),
        minute("2026-11-20T20:00", 0, 3),
        minute("2026-11-27T08:00", 2),
        minute("2026-12-02T08:00", 1, 1),
        minute("2027-01-01T00:00", 7),
    )

    @pytest.mark.parametrize(
        ("by", "rows"),
        [
            pytest.param(
                "day",
                [
                    (("2026-11-20", "Fri"), 1, 5, 4, 1, 4),
                    (("2026-11-27", "Fri"), 1, 2, 0, 2, 2),
                    (("2026-12-02", "Wed"), 1, 1, 1, 0, 0),
                    (("2027-01-01", "Fri"), 1, 7, 0, 7, 7),
                ],
                id="day",
            ),
            pytest.param(
                "weekday",
                [(("Wed",), 1, 1, 1, 0, 0), (("Fri",), 3, 14, 4, None, 7)],
                id="weekday-from-monday-on",
            ),
            pytest.param(
                "week",
                [
                    (("2026-W47",), 1, 5, 4, 1, 4),
                    (("2026-W48",), 1, 2, 0, 2, 2),
                    (("2026-W49",), 1, 1, 1, 0, 0),
                    (("2026-W53",), 1, 7, 0, 7, 7),
                ],
                id="week",
            ),
            pytest.param(
                "month",
                [
                    (("2026-11",), 2, 7, 4, None, 4),
                    (("2026-12",), 1, 1, 1, 0, 0),
                    (("2027-01",), 1, 7, 0, 7, 7),
                ],
                id="month",
            ),
            pytest.param("year", [(("2026",), 3, 8, 5, None, 4), (("2027",), 1, 7, 0, 7, 7)], id="year"),
        ],
    )
    def test_days_are_put_together(self, by: By, rows: list[tuple[object, ...]]) -> None:
        found = put_together(days_of(self.MINUTES, zone=BERLIN), by=by)
        assert [
            (
                tuple(labels_of(each.begin, by=by).values()),
                each.days,
                each.n_in,
                each.n_out,
                each.inside,
                each.most_inside,
            )
            for each in found
        ] == rows

    def test_days_without_a_record_are_missing(self) -> None:
        assert not [*days_of((), zone=BERLIN)]
        assert put_together((), by="day") == ()

    def test_hours_are_shown_from_the_first_to_the_last_one_with_records(self) -> None:
        found = put_together(days_of(self.MINUTES, zone=BERLIN), by="hour")
        assert [(f"{each.begin:%d %H}", each.has_records) for each in found[:14]] == [
            ("20 08", True),
            *((f"20 {hour:02}", False) for hour in range(9, 20)),
            ("20 20", True),
            ("27 08", True),
        ]
        assert len(found) == 13 + 3


START = datetime(2026, 10, 20, tzinfo=UTC)
MINUTES = st.builds(
    lambda at, numbers: minute((START + timedelta(minutes=at)).isoformat(), *numbers),
    st.integers(0, 60 * 24 * 20),
    st.tuples(*[st.integers(0, 9)] * 3),
)


@given(
    minutes=st.lists(MINUTES, max_size=40, unique_by=itemgetter(0)).map(sorted),
    by=st.sampled_from(["hour", "day", "weekday", "week", "month", "year"]),
    zone=st.sampled_from([BERLIN, LORD_HOWE, ZoneInfo("America/Havana"), ZoneInfo("Asia/Kathmandu")]),
)
def test_nobody_is_lost_and_nobody_counted_twice(minutes: list[Minute], by: By, zone: ZoneInfo) -> None:
    days = [*days_of(minutes, zone=zone)]
    found = put_together(days, by=by)
    assert sum(each.n_in for each in found) == sum(count.n_in for _, count in minutes)
    assert sum(each.n_out for each in found) == sum(count.n_out for _, count in minutes)
    assert sum(each.n_other for each in found) == sum(count.n_other for _, count in minutes)
    assert all((each.inside or 0) <= each.most_inside for each in found)
    named = Counter(tuple(labels_of(each.begin, by=by).values()) for each in found)
    assert not named or max(named.values()) == 1
    own = [[each for each in minutes if _is_in(each, day, zone)] for day in days]
    assert [hours_of(*each, zone=zone) for each in own] == days


def _is_in(one: Minute, day: Day, zone: ZoneInfo) -> bool:
    begin, end = day_span(day[0].begin.date(), zone)
    return seen_text(begin) <= one[0] < seen_text(end)


def clock_hours(*days: Day) -> list[tuple[str, list[int | None]]]:
    """Return what is side by side, with how many came."""
    return [(name, [hour.n_in if hour else None for hour in hours]) for name, hours in side_by_side(days)]


class TestSideBySide:
    def test_hours_go_from_the_first_to_the_last_one_with_records_in_any_of_the_days(self) -> None:
        later = hours_of(minute("2026-11-20T09:00", 1), minute("2026-11-20T10:00", 2))
        earlier = hours_of(minute("2026-11-13T08:00", 3))
        assert clock_hours(later, earlier) == [("08:00", [0, 3]), ("09:00", [1, 0]), ("10:00", [2, 0])]

    def test_a_day_without_records_has_no_hour(self) -> None:
        assert clock_hours((), hours_of(minute("2026-11-13T08:00", 3))) == [("08:00", [None, 3])]
        assert clock_hours((), ()) == []

    def test_an_hour_that_comes_twice_in_one_of_them_stands_twice(self) -> None:
        long = hours_of(minute("2026-10-25T02:30+02:00", 1), minute("2026-10-25T02:30+01:00", 2))
        short = hours_of(minute("2026-10-18T02:30", 4), minute("2026-10-18T03:30", 5))
        assert clock_hours(long, short) == [
            ("02:00 UTC+02:00", [1, None]),
            ("02:00 UTC+01:00", [2, None]),
            ("02:00", [None, 4]),
            ("03:00", [0, 5]),
        ]


@given(
    minutes=st.lists(MINUTES, max_size=40, unique_by=itemgetter(0)).map(sorted),
    zone=st.sampled_from([BERLIN, LORD_HOWE]),
)
def test_side_by_side_nobody_is_lost(minutes: list[Minute], zone: ZoneInfo) -> None:
    days = [*days_of(minutes, zone=zone)]
    rows = side_by_side(days)
    for place, day in enumerate(days):
        own = [hour for _, hours in rows if (hour := hours[place])]
        assert sum(hour.n_in for hour in own) == sum(hour.n_in for hour in day)
    assert len({name for name, _ in rows}) == len(rows)
