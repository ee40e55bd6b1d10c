"""What passages add up to, and the body that an upstream is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.contract.passages import Count, seen_text
from tallyd.core.schedule.days import day_of, day_span
from tallyd.pollers.visitors.visits import (
    NOBODY,
    TAGS,
    Form,
    answer_field,
    body,
    inside,
    is_success,
    together,
    visits_json,
)

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 20)
DUE = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
SOME = Count(12, 5, 1, "2026-11-20 07:00:01", "2026-11-20 13:04:59")
FORM = Form(zone=BERLIN, window="records", every_s=300, time_format="%Y%m%d%H%M%S", tags=TAGS)


def _seen_within(start: datetime) -> st.SearchStrategy[str]:
    return st.integers(0, 10**7).map(lambda seconds: seen_text(start + timedelta(seconds=seconds)))


EARLY, LATE = _seen_within(datetime(2026, 1, 1, tzinfo=UTC)), _seen_within(datetime(2026, 7, 1, tzinfo=UTC))
COUNTS = st.builds(Count, *[st.integers(0, 1000)] * 3, EARLY, LATE)


@given(counts=st.lists(COUNTS, max_size=6))
def test_sums_do_not_depend_on_the_order(counts: list[Count]) -> None:
    total = together(counts)
    assert total == together(reversed([NOBODY, *counts]))
    assert total.n_in == sum(count.n_in for count in counts)
    assert total.first_at == min((count.first_at for count in counts), default="")


def test_more_that_leave_than_came_are_nobody_inside_and_a_negative_balance() -> None:
    assert inside(Count(3, 5, 0, "", "")) == 0
    assert visits_json(Count(3, 5, 2, "", "")) == {"in": 3, "out": 5, "inside": 0, "other": 2, "balance": -2}


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


@pytest.mark.parametrize(
    ("day", "zone", "first", "hours"),
    [
        pytest.param(
            "2026-09-06",
            "America/Santiago",
            "2026-09-06T01:00:00-03:00",
            23,
            id="no midnight, but one o'clock",
        ),
        pytest.param(
            "1919-03-31", "America/Toronto", "1919-03-31T00:30:00-04:00", 23.5, id="in the middle of a gap"
        ),
        pytest.param("2026-11-01", "America/Havana", "2026-11-01T00:00:00-04:00", 25, id="midnight twice"),
        pytest.param("2011-12-30", "Pacific/Apia", "2011-12-31T00:00:00+14:00", 0, id="a day left out"),
        pytest.param(
            "1987-10-25", "America/St_Johns", "1987-10-25T00:00:00-02:30", 25, id="set back at 00:01"
        ),
    ],
)
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


def test_a_report_is_three_tags_of_text_from_the_first_record_to_the_last() -> None:
    common = {"SSID": "SS-007", "StartTime": "20261120080001", "EndTime": "20261120140459"}
    assert body("SS-007", SOME, FORM, day=DAY, due_at=DUE) == [
        {**common, "TagType": "Count", "TagID": "901", "TagValue": "7"},
        {**common, "TagType": "CountAccuIn", "TagID": "902", "TagValue": "12"},
        {**common, "TagType": "CountAccuOut", "TagID": "903", "TagValue": "5"},
    ]


@pytest.mark.parametrize(
    ("form", "count", "day", "start", "end"),
    [
        pytest.param(FORM, NOBODY, DAY, "20261120000000", "20261120140500", id="nobody yet"),
        pytest.param(FORM, NOBODY, date(2026, 11, 19), "20261119000000", "20261120000000", id="nobody, past"),
        pytest.param(
            Form(zone=BERLIN, window="interval", every_s=300, time_format="%Y%m%d%H%M%S", tags=TAGS),
            SOME,
            date(2026, 11, 19),
            "20261119235500",
            "20261120000000",
            id="the last interval of a past day",
        ),
        pytest.param(FORM, SOME, date(2026, 11, 19), "20261120080001", "20261120140459", id="records, past"),
        pytest.param(
            Form(zone=BERLIN, window="interval", every_s=300, time_format="%Y-%m-%d %H:%M:%S", tags=TAGS),
            SOME,
            DAY,
            "2026-11-20 14:00:00",
            "2026-11-20 14:05:00",
            id="the last interval",
        ),
    ],
)
def test_a_report_has_the_window_that_is_wanted(  # a table's columns
    form: Form, count: Count, day: date, start: str, end: str
) -> None:
    (first, *_) = body("x", count, form, day=day, due_at=DUE)
    assert isinstance(first, dict)
    assert (first["StartTime"], first["EndTime"]) == (start, end)


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        (b'{"Desc": "OK"}', True),
        ('\ufeff{"Desc": "成功"}'.encode(), True),
        (b'{"Desc": "not today"}', False),
        (b'{"desc": "OK"}', False),
        (b'{"Desc": null}', False),
        (b'["OK"]', False),
        (b"<html>OK</html>", False),
        (b"", False),
        (b"\xff", False),
        (b"[" * 100_000, False),
        (b'{"Desc": ' + b"[" * 100_000, False),
        (b'{"Desc": "OK", "more": [' + b"1," * 250_000 + b"1]}", False),
    ],
)
def test_an_answer_is_a_success_only_where_it_says_so(answer: bytes, taken: bool) -> None:
    assert is_success(answer, field="Desc", equals=["OK", "成功"]) is taken
    assert is_success(answer, field=None, equals=[]), "where nothing is asked of it"


def test_a_number_counts_as_its_text() -> None:
    assert answer_field(b'{"code": 200}', "code") == "200"
    assert answer_field(b'{"ok": true}', "ok") == "true"
    assert answer_field('{"Desc": ["ja", "\u00fc"]}'.encode(), "Desc") == '["ja", "\u00fc"]'
