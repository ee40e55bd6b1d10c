"""What a file of passages holds: records checked, times made instants, counted by the minute."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.rows import Passage, readable
from support.sweeping import record
from tallyd.contract.passages import IN, instant_of, read_seen, seconds_of
from tallyd.pollers.visitors.ingest.bad_records import MOST_NAMED, BadRecordsError
from tallyd.pollers.visitors.ingest.json_stream import RejectedError
from tallyd.pollers.visitors.ingest.minute_counts import MOST_MINUTES
from tallyd.pollers.visitors.ingest.record_parser import Reading
from tallyd.pollers.visitors.ingest.shape import Shape
from tallyd.pollers.visitors.ingest.typed_records import RecordDecoder

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SHAPE = Shape(zone=BERLIN)


def read(records: list[Any], shape: Shape = SHAPE, **options: Any) -> tuple[list[Passage], Reading]:
    """Return the rows of a file with these records, and the pass over it."""
    reading = Reading(RecordDecoder(shape), NOW, **options)
    rows = [row for batch in reading.rows([json.dumps(records).encode()]) for row in readable(batch)]
    return rows, reading


def test_a_record_becomes_a_row_in_utc() -> None:
    rows, reading = read([record(), record(inOut=1, ID=2**63 - 1), record(inOut=2, frameNumber=None)])
    assert rows == [
        (7, "in", "2026-11-20 11:59:07", 3),
        (2**63 - 1, "out", "2026-11-20 11:59:07", 3),
        (7, "other", "2026-11-20 11:59:07", None),
    ]
    assert reading.content.records == 3
    at = seconds_of(read_seen("2026-11-20 11:59:07"))
    assert reading.content.span == (at, at)
    (minute,) = reading.content.minutes
    assert minute == seconds_of(read_seen("2026-11-20 11:59:00"))


def test_an_empty_list_holds_nothing() -> None:
    rows, reading = read([])
    assert rows == []
    assert (reading.content.records, reading.content.minutes, reading.content.span) == (0, {}, None)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        pytest.param({"ID": True}, '"ID" is not a whole number', id="true is not 1"),
        pytest.param({"ID": "7"}, '"ID" is not a whole number', id="a number in quotes"),
        pytest.param({"ID": 7.0}, '"ID" is not a whole number', id="a number with a point"),
        pytest.param({"ID": -1}, '"ID" is not a whole number', id="below zero"),
        pytest.param({"ID": 2**63}, '"ID" is not a whole number', id="too large for a database"),
        pytest.param({"ID": None}, '"ID" is not a whole number', id="null"),
        pytest.param({"inOut": False}, '"inOut" is not a direction', id="false is not 0"),
        pytest.param({"inOut": "in"}, '"inOut" is not a direction', id="a word where numbers are"),
        pytest.param({"inOut": [0]}, '"inOut" is not a direction', id="a list"),
        pytest.param({"frameNumber": "3"}, '"frameNumber" is not a whole number', id="a frame in quotes"),
        pytest.param({"frameNumber": 2**63}, '"frameNumber" is not a whole number', id="a huge frame"),
        pytest.param({"time": 20261120125907}, '"time" is not a time in quotes', id="a time without quotes"),
        pytest.param({"time": "2026112012590"}, "does not match time_format", id="a digit too few"),
        pytest.param({"time": "202611201259077"}, "does not match time_format", id="a digit too many"),
        pytest.param({"time": "20261120125960"}, "does not match time_format", id="second 60"),
        pytest.param({"time": "20261120126007"}, "does not match time_format", id="minute 60"),
        pytest.param({"time": "20261120245907"}, "does not match time_format", id="hour 24"),
        pytest.param({"time": "20261301125907"}, "does not match time_format", id="month 13"),
        pytest.param({"time": "20260229125907"}, "does not match time_format", id="29 February"),
        pytest.param({"time": "2026112012 907"}, "does not match time_format", id="a space"),
        pytest.param(
            {"time": "2026112012590\u0667"}, "does not match time_format", id="another script's digit"
        ),
        pytest.param({"time": ""}, "does not match time_format", id="an empty time"),
        pytest.param({"time": "20260329023000"}, "did not exist", id="in the hour that is left out"),
        pytest.param({"time": "20261120130501"}, "5 minutes ahead", id="five minutes and a second ahead"),
        pytest.param({"time": "99991231235959"}, "5 minutes ahead", id="far ahead"),
        pytest.param({"time": "00010101000000"}, "does not match time_format", id="before all time"),
        pytest.param({"time": "00000101000000"}, "does not match time_format", id="year 0"),
    ],
)
def test_a_record_that_breaks_a_rule_is_named_with_the_rule_and_no_value(
    changed: dict[str, Any], rule: str
) -> None:
    with pytest.raises(RejectedError) as caught:
        read([record(), record(**changed), record()])
    assert str(caught.value).startswith("record 2: ")
    assert rule in str(caught.value)
    shown = str(caught.value).replace("2^63", "").replace("record 2", "")
    for value in changed.values():
        assert str(value) not in shown or str(value) in ("", "7", "3", "in")
    rows, reading = read([record(), record(**changed), record()], skips_bad=True)
    assert len(rows) == 2
    assert reading.content.skipped == 1
    assert sum(count[IN] for count in reading.content.minutes.values()) == 2


@pytest.mark.parametrize("name", ["ID", "inOut", "time"])
def test_a_field_that_is_missing_is_named(name: str) -> None:
    short = record()
    del short[name]
    with pytest.raises(RejectedError, match=f'^record 1: "{name}" is missing$'):
        read([short])


def test_what_is_not_needed_may_be_missing_and_what_is_not_known_may_be_there() -> None:
    rows, _ = read([{"ID": 1, "inOut": 0, "time": "20261120125907", "x": {"y": [None]}}])
    assert rows == [(1, "in", "2026-11-20 11:59:07", None)]


def test_a_file_of_nothing_but_bad_records_is_a_short_reason() -> None:
    with pytest.raises(RejectedError) as caught:
        read([7] * 50_000)
    assert len(str(caught.value)) < 200
    assert f"and {50_000 - MOST_NAMED} more: is not an object" in str(caught.value)


def test_five_minutes_ahead_are_taken() -> None:
    rows, _ = read([record(time="20261120130500")])
    assert rows[0][2] == "2026-11-20 12:05:00"


def test_the_hour_that_comes_twice_is_the_first_one() -> None:
    rows, _ = read([record(time="20261025023000")])
    assert rows[0][2] == "2026-10-25 00:30:00"


@pytest.mark.parametrize(
    ("form", "time", "seen_at"),
    [
        ("%Y-%m-%d %H:%M:%S", "2026-11-20 12:59:07", "2026-11-20 11:59:07"),
        ("%Y-%m-%dT%H:%M:%S%z", "2026-11-20T12:59:07+0500", "2026-11-20 07:59:07"),
        ("%d.%m.%y %H:%M", "20.11.26 12:59", "2026-11-20 11:59:00"),
    ],
)
def test_the_form_of_times_is_the_config_s(form: str, time: str, seen_at: str) -> None:
    shape = Shape(zone=BERLIN, time_format=form)
    assert read([record(time=time)], shape)[0][0][2] == seen_at
    with pytest.raises(RejectedError, match="does not match time_format"):
        read([record()], shape)


def test_names_and_directions_are_the_config_s() -> None:
    shape = Shape(zone=BERLIN, person="p", direction="d", time="t", frame=None, way_in="rein", way_out="raus")
    records = [{"p": 1, "d": way, "t": "20261120125907"} for way in ("rein", "raus", "quer")]
    assert [row[1] for row in read(records, shape)[0]] == ["in", "out", "other"]


def test_rows_come_in_batches_and_are_counted_over_all_of_them() -> None:
    reading = Reading(RecordDecoder(SHAPE), NOW)
    content = json.dumps([record(ID=number) for number in range(5000)]).encode()
    chunks = [content[at : at + 100_000] for at in range(0, len(content), 100_000)]
    batches = list(reading.rows(chunks))
    assert [row[0] for batch in batches for row in batch] == list(range(5000))
    assert len(batches) == len(chunks)
    assert reading.content.records == 5000


@given(
    seconds=st.lists(st.tuples(st.integers(0, 3 * 86400), st.integers(0, 3)), max_size=40),
    zone=st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "UTC"]),
)
def test_minutes_are_counted_as_a_plain_count_does(seconds: list[tuple[int, int]], zone: str) -> None:
    start, local_zone = NOW - timedelta(days=4), ZoneInfo(zone)
    passages = [(start + timedelta(seconds=second), way) for second, way in seconds]
    records = [record(time=f"{at.astimezone(local_zone):%Y%m%d%H%M%S}", inOut=way) for at, way in passages]
    _, reading = read(records, Shape(zone=local_zone))
    expected = Counter((at.replace(second=0), min(way, 2)) for at, way in passages)
    minutes = {instant_of(minute): count for minute, count in reading.content.minutes.items()}
    found = {
        (minute, way): number
        for minute, count in minutes.items()
        for way, number in enumerate(count[:3])
        if number
    }
    assert found == dict(expected)
    for minute, (*_, first, last) in minutes.items():
        inside = sorted(at for at, _ in passages if at.replace(second=0) == minute)
        assert (instant_of(first), instant_of(last)) == (inside[0], inside[-1])


def test_a_file_in_which_nothing_is_right_is_rejected_though_bad_records_are_left_out() -> None:
    with pytest.raises(BadRecordsError, match='"ID" is not'):
        read([record(ID=True), record(ID="7")], skips_bad=True)


def test_how_far_times_are_ahead_is_named_where_that_is_all_that_is_wrong() -> None:
    ahead = record(time="20261120132731")
    with pytest.raises(BadRecordsError) as caught:
        read([record(), ahead, record(time="20261120131000")])
    assert caught.value.ahead == timedelta(minutes=27, seconds=31)
    assert [(one.records, one.count) for one in caught.value.broken] == [((2, 3), 2)]
    with pytest.raises(BadRecordsError) as caught:
        read([ahead, 7])
    assert caught.value.ahead is None


@pytest.mark.parametrize("form", ["%Y%m%d%H%M%S", "%Y%m%d%H%M%S "], ids=["many at a time", "one at a time"])
def test_a_file_of_too_many_different_minutes_is_rejected_before_it_fills_the_memory(form: str) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    records = [
        record(time=(first + timedelta(minutes=number)).strftime(form)) for number in range(MOST_MINUTES + 1)
    ]
    shape = Shape(zone=UTC, time_format=form)
    assert read(records[1:], shape)[1].content.records == MOST_MINUTES
    with pytest.raises(RejectedError, match="over 50000 different minutes; split it"):
        read(records, shape)
