"""Who came, left and was inside, hour by hour and put together: nobody is lost, and no day is made up."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.contract.passages import Count, seen_text
from tallyd.core.periods import By
from tallyd.pollers.visitors.visit_history import Minute, Visits, buckets, days_of, hours_of, of_sources

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # half an hour of daylight saving time
DAY = date(2026, 11, 20)


def minute(
    at: str, n_in: int = 0, n_out: int = 0, n_other: int = 0, *, source: str = "12", zone: ZoneInfo = BERLIN
) -> Minute:
    found = datetime.fromisoformat(at)
    seen = seen_text(found if found.tzinfo else found.replace(tzinfo=zone))
    return source, seen, Count(n_in, n_out, n_other, seen, seen)


def shown(visits: Visits) -> tuple[str, int, int, int | None, int]:
    """Return the last label, in, out, inside, most inside."""
    return visits.labels["hour"], visits.n_in, visits.n_out, visits.inside, visits.most_inside


MORNING = [
    minute("2026-11-20T09:59", 2, 4),
    minute("2026-11-20T08:15", 3),
    minute("2026-11-20T08:15", 2, source="23"),
    minute("2026-11-20T10:00", 0, 3, 7),
    minute("2026-11-20T10:30", 4),
]


class TestHours:
    def test_who_is_inside_goes_on_from_hour_to_hour(self) -> None:
        hours = hours_of(MORNING, day=DAY, zone=BERLIN)
        assert len(hours) == 24
        assert [shown(hour) for hour in hours[7:12]] == [
            ("07:00", 0, 0, 0, 0),
            ("08:00", 5, 0, 5, 5),
            ("09:00", 2, 4, 3, 5),
            ("10:00", 4, 3, 4, 4),
            ("11:00", 0, 0, 4, 4),
        ]
        assert hours[10].labels == {"date": "2026-11-20", "hour": "10:00", "weekday": "Fri"}
        assert [hour.n_other for hour in hours if hour.n_other] == [7]

    def test_nobody_is_less_than_nobody_but_those_who_left_too_much_are_remembered(self) -> None:
        hours = hours_of(
            [minute("2026-11-20T08:00", 0, 3), minute("2026-11-20T09:00", 4)], day=DAY, zone=BERLIN
        )
        assert [hour.inside for hour in hours[8:10]] == [0, 1]

    def test_each_day_begins_with_nobody(self) -> None:
        minutes = [
            minute("2026-11-19T23:59", 9),
            minute("2026-11-20T00:00", 1),
            minute("2026-11-21T00:00", 5),
        ]
        hours = hours_of(minutes, day=DAY, zone=BERLIN)
        assert shown(hours[0]) == ("00:00", 1, 0, 1, 1)
        assert hours[-1].inside == 1

    def test_hours_that_have_not_begun_are_not_there_but_for_a_clock_that_is_ahead(self) -> None:
        until = datetime(2026, 11, 20, 8, 59, tzinfo=BERLIN)
        assert [hour.labels["hour"] for hour in hours_of((), day=DAY, zone=BERLIN, until=until)][
            -1
        ] == "08:00"
        ahead = [minute("2026-11-20T09:02", 1)]
        hours = hours_of(ahead, day=DAY, zone=BERLIN, until=until)
        assert [hour.labels["hour"] for hour in hours][-1] == "09:00"

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
            pytest.param(ZoneInfo("Pacific/Apia"), "2011-12-30", 0, 0, [], id="a day left out"),
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
        hours = hours_of((), day=date.fromisoformat(day), zone=zone)
        assert len(hours) == count
        assert [hour.labels["hour"] for hour in hours[around : around + 4]] == labels

    def test_an_hour_that_comes_twice_counts_each_time(self) -> None:
        minutes = [
            minute("2026-10-25T02:30+02:00", 1),
            minute("2026-10-25T02:30+01:00", 2),
            minute("2026-10-25T03:00+01:00", 4),
        ]
        hours = hours_of(minutes, day=date(2026, 10, 25), zone=BERLIN)
        assert [hour.n_in for hour in hours[2:5]] == [1, 2, 4]


class TestBuckets:
    MINUTES = [  # noqa: RUF012 # never changed
        minute("2026-11-20T08:00", 5, 1),
        minute("2026-11-20T20:00", 0, 3),
        minute("2026-11-27T08:00", 2),
        minute("2026-12-02T08:00", 1, 1),
        minute("2027-01-01T00:00", 7),
    ]

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
                [(("Wed",), 1, 1, 1, None, 0), (("Fri",), 3, 14, 4, None, 7)],
                id="weekday-from-monday-on",
            ),
            pytest.param(
                "month",
                [
                    (("2026-11",), 2, 7, 4, None, 4),
                    (("2026-12",), 1, 1, 1, None, 0),
                    (("2027-01",), 1, 7, 0, None, 7),
                ],
                id="month",
            ),
            pytest.param("year", [(("2026",), 3, 8, 5, None, 4), (("2027",), 1, 7, 0, None, 7)], id="year"),
        ],
    )
    def test_days_are_put_together(self, by: By, rows: list[tuple[object, ...]]) -> None:
        found = buckets(days_of(self.MINUTES, zone=BERLIN), by=by)
        assert [
            (tuple(each.labels.values()), each.days, each.n_in, each.n_out, each.inside, each.most_inside)
            for each in found
        ] == rows

    def test_days_without_a_record_do_not_exist(self) -> None:
        assert days_of((), zone=BERLIN) == ()
        assert buckets((), by="day") == ()
        assert len(buckets(days_of(self.MINUTES, zone=BERLIN), by="hour")) == 4 * 24

    def test_sources_can_be_looked_at_alone(self) -> None:
        assert of_sources(MORNING, None) == tuple(MORNING)
        (day,) = days_of(of_sources(MORNING, {"23"}), zone=BERLIN)
        assert sum(hour.n_in for hour in day.hours) == 2


START = datetime(2026, 10, 20, tzinfo=UTC)
MINUTES = st.builds(
    lambda at, source, numbers: minute((START + timedelta(minutes=at)).isoformat(), *numbers, source=source),
    st.integers(0, 60 * 24 * 20),
    st.sampled_from("abc"),
    st.tuples(*[st.integers(0, 9)] * 3),
)


@given(
    minutes=st.lists(MINUTES, max_size=40),
    by=st.sampled_from(["hour", "day", "weekday", "week", "month", "year"]),
    zone=st.sampled_from([BERLIN, LORD_HOWE, ZoneInfo("America/Havana"), ZoneInfo("Asia/Kathmandu"), UTC]),
)
def test_nobody_is_lost_and_nobody_counted_twice(minutes: list[Minute], by: By, zone: ZoneInfo) -> None:
    days = days_of(minutes, zone=zone, until=START)
    found = buckets(days, by=by)
    assert sum(each.n_in for each in found) == sum(count.n_in for _, _, count in minutes)
    assert sum(each.n_out for each in found) == sum(count.n_out for _, _, count in minutes)
    assert sum(each.n_other for each in found) == sum(count.n_other for _, _, count in minutes)
    assert all((each.inside or 0) <= each.most_inside for each in found)
    named = Counter(tuple(each.labels.values()) for each in found)
    assert not named or max(named.values()) == 1
    for day in days:
        assert hours_of(minutes, day=day.day, zone=zone, until=START) == day.hours
