"""The body that an upstream is sent, and what its answer means."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from tallyd.contract.passages import Count
from tallyd.pollers.visitors.inside import DayCount
from tallyd.pollers.visitors.report.upstream import TAGS, Form, answer_field, body, is_success

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 20)
DUE = datetime(2026, 11, 20, 13, 5, tzinfo=UTC)
SOME = DayCount(Count(12, 5, 1, "2026-11-20 07:00:01", "2026-11-20 13:04:59"), balance=7)
NOBODY = DayCount()
FORM = Form(zone=BERLIN, window="records", every_s=300, time_format="%Y%m%d%H%M%S", tags=TAGS)


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
    form: Form, count: DayCount, day: date, start: str, end: str
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
