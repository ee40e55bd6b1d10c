"""Files of intervals: what devices export, what is wrong with one, and that each is counted once."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.sweeping import DAY, Park, settings_of
from tallyd.adapters.records.database import Database
from tallyd.contract.passages import Count, read_seen, seconds_of
from tallyd.pollers.visitors.ingest.bad_records import BadRecordsError
from tallyd.pollers.visitors.ingest.interval_parser import MOST_BYTES, MOST_PEOPLE, IntervalReading
from tallyd.pollers.visitors.ingest.json_stream import CutShortError, RejectedError
from tallyd.pollers.visitors.ingest.shape import Shape
from tallyd.pollers.visitors.poller import VisitorsPoller

PAGE = Path(__file__).parents[3] / "docs" / "visitors.md"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ISO = "%Y-%m-%d %H:%M:%S"


def reading(*, time_format: str = ISO, skips_bad: bool = False, **fields: str) -> IntervalReading:
    settings = settings_of(records="intervals", intervals=fields)
    return IntervalReading(
        settings.intervals,
        Shape(zone=ZoneInfo("Europe/Berlin"), time_format=time_format),
        NOW,
        skips_bad=skips_bad,
    )


def interval(since: str = "09:00", until: str = "09:01", **changed: Any) -> dict[str, Any]:
    """Return an interval of a morning in Berlin, with some fields changed."""
    return {"start": f"2026-11-20 {since}:00", "end": f"2026-11-20 {until}:00", "in": 3, "out": 1, **changed}


def minute(at: str) -> int:
    """Return the instant of a time (UTC) of the day."""
    return seconds_of(read_seen(f"2026-11-20 {at}:00"))


def counted(found: IntervalReading, *records: Any) -> dict[int, tuple[int, int, int, int, int]]:
    assert found.whole(json.dumps(records).encode()) == []
    return dict(found.content.minutes)


def test_what_devices_send_is_read_as_the_page_says() -> None:
    blocks = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    files = [block for block in blocks if block.startswith(('{"data"', '{"logics_data"'))]
    configs = [block for block in blocks if '"records": "intervals"' in block]
    assert len(files) == len(configs) == 2
    for content, config in zip(files, configs, strict=True):
        settings = VisitorsPoller.model_validate(json.loads("{" + config + "}")["visitors"])
        shape = Shape(zone=ZoneInfo("Europe/Berlin"), time_format=settings.time_format)
        found = IntervalReading(settings.intervals, shape, NOW)
        assert list(found.rows([content[:20].encode(), content[20:].encode()])) == []
        assert found.content.minutes == {minute("08:00"): (3, 1, 0, minute("08:00"), minute("08:01") - 1)}
        assert found.content.records == 1


def test_an_interval_counts_at_the_minute_in_which_it_begins() -> None:
    quarter = interval("09:00", "09:15")
    found = counted(reading(), quarter, interval("09:15", "09:30", **{"in": 0, "out": 0}), quarter)
    assert found == {
        minute("08:00"): (6, 2, 0, minute("08:00"), minute("08:15") - 1),
        minute("08:15"): (0, 0, 0, minute("08:15"), minute("08:30") - 1),
    }


BAD_INTERVALS = {
    "truth": ({"in": True}, '"in" is not a whole number from 0 to 1,000,000'),
    "below zero": ({"in": -1}, '"in" is not a whole number from 0 to 1,000,000'),
    "a counter": ({"out": MOST_PEOPLE + 1}, '"out" is not a whole number from 0 to 1,000,000'),
    "text": ({"out": "1"}, '"out" is not a whole number from 0 to 1,000,000'),
    "no time": ({"start": 1}, '"start" is not a time in quotes'),
    "another form": ({"end": "09:01"}, "time does not match time_format"),
    "no length": ({"end": "2026-11-20 09:00:00"}, '"end" is not after "start"'),
    "two days": ({"start": "2026-11-18 09:00:00"}, '"end" is more than a day after "start"'),
    "not over yet": (
        {"end": "2026-11-20 14:00:00"},
        "time is more than 5 minutes ahead of this machine's clock",
    ),
}


@pytest.mark.parametrize(("changed", "rule"), BAD_INTERVALS.values(), ids=BAD_INTERVALS)
def test_a_bad_interval_is_named_by_its_rule_and_never_by_its_value(
    changed: dict[str, Any], rule: str
) -> None:
    records = [interval(), interval(**changed)]
    with pytest.raises(BadRecordsError) as caught:
        reading().whole(json.dumps(records).encode())
    assert str(caught.value) == f"record 2: {rule}"
    assert (caught.value.ahead == timedelta(hours=1)) == ("ahead" in rule)
    skipping = reading(skips_bad=True)
    assert list(counted(skipping, *records)) == [minute("08:00")]
    assert (skipping.content.records, skipping.content.skipped) == (1, 1)


@pytest.mark.parametrize(
    ("content", "reason", "may_go_on"),
    [
        pytest.param(b'{"data": [{"start": "20', "is a file without valid JSON", True, id="cut short"),
        pytest.param(b"", "is a file without JSON (an empty body)", True, id="empty"),
        pytest.param(b'{"rows": []}', "has no list of intervals at data", False, id="another root"),
        pytest.param(b'{"data": {}}', "has no list of intervals at data", False, id="no list"),
        pytest.param(b'{"data": [1]}', "record 1: is not an object", False, id="no object"),
        pytest.param(b'{"data": [{}]}', 'record 1: "in" is missing', False, id="no field"),
    ],
)
def test_a_file_without_intervals_is_rejected(
    content: bytes, reason: str, may_go_on: bool
) -> None:  # a table's column
    with pytest.raises(RejectedError) as caught:
        reading(items="data").whole(content)
    assert str(caught.value) == reason
    assert isinstance(caught.value, CutShortError) == may_go_on


WRONG_QUERIES = {
    "no inner list": ("a[].b[]", {"a": [{"x": []}]}, "record 1: is null, or there is nothing at a"),
    "no outer list": ("a[].b[]", {"x": []}, "has no list of intervals at a[].b[]"),
    "in one of two": ("a[].b[]", {"a": [{"b": []}, {"x": []}]}, "record 1: is null"),
    "in an object": ("a.*.b[]", {"a": {"x": {}}}, "record 1: is null, or there is nothing at a"),
    "a null": ("a[]", {"a": [interval(), None]}, "record 2: is null, or there is nothing at a"),
    "a function for other values": (
        "sort_by(a, &b)[]",
        {"a": [{"b": 1}, {"b": "x"}]},
        "intervals.items cannot be applied to this file: sort_by() got a text",
    ),
    "a wrong filter": ("a[?x]", {"a": [interval()]}, "has no list of intervals at a[?x]"),
    "a filter on an object": ("a[?x]", {"a": interval()}, "has no list of intervals at a[?x]"),
    "no counter of that name": (
        "a[].{start: start, end: end, in: c[?n=='in'].v | [0], out: out}",
        {"a": [interval(c=[])]},
        'record 1: "in" is not a whole number',
    ),
}


@pytest.mark.parametrize(("items", "content", "reason"), WRONG_QUERIES.values(), ids=WRONG_QUERIES)
def test_a_wrong_query_never_makes_a_file_look_empty(items: str, content: object, reason: str) -> None:
    with pytest.raises(RejectedError, match=re.escape(reason)):
        reading(items=items).whole(json.dumps(content).encode())


@pytest.mark.parametrize("content", [{"a": [{"b": []}, {"b": []}]}, {"a": []}], ids=["inner", "outer"])
def test_a_list_that_is_there_and_empty_is_a_sign_of_life(content: object) -> None:
    found = reading(items="a[].b[]")
    assert found.whole(json.dumps(content).encode()) == []
    assert found.content.records == 0


def test_what_a_filter_keeps_is_counted() -> None:
    found = reading(items="a[?x].b[]")
    content = {"a": [{"x": 1, "b": [interval()]}, {"b": [interval(), interval()]}]}
    found.whole(json.dumps(content).encode())
    assert found.content.minutes == {minute("08:00"): (3, 1, 0, minute("08:00"), minute("08:01") - 1)}


def test_an_hour_that_comes_twice_ends_after_it_began() -> None:
    record = {"start": "2026-10-25 02:59:00", "end": "2026-10-25 02:00:00", "in": 3, "out": 1}
    begin = seconds_of(read_seen("2026-10-25 00:59:00"))
    assert counted(reading(), record) == {begin: (3, 1, 0, begin, begin + 59)}


def test_a_file_of_too_many_values_is_to_be_split() -> None:
    with pytest.raises(RejectedError, match="more than 250,000 values; split it") as caught:
        reading().whole(json.dumps([0] * 250_001).encode())
    assert not isinstance(caught.value, CutShortError)


def test_a_very_long_file_is_rejected_before_it_is_in_memory() -> None:
    taken = 0

    def chunks() -> Any:
        nonlocal taken
        for taken in range(1, 100):  # noqa: B007 # counted
            yield bytes(MOST_BYTES // 2)

    with pytest.raises(RejectedError, match="more than 8 MiB"):
        reading().rows(chunks())
    assert taken == 3


@given(
    numbers=st.lists(
        st.tuples(st.integers(0, 600), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30
    )
)
def test_nobody_is_lost_and_nobody_counted_twice(numbers: list[tuple[int, int, int]]) -> None:
    begin = datetime(2026, 11, 20, 0, 0)  # noqa: DTZ001 # in the zone of the file
    records = []
    for number, n_in, n_out in numbers:
        since, until = (f"{begin + timedelta(minutes=number + more):%H:%M}" for more in (0, 1))
        records.append({**interval(since, until), "in": n_in, "out": n_out})
    found = counted(reading(), *records)
    assert sum(count[0] for count in found.values()) == sum(n_in for _, n_in, _ in numbers)
    assert sum(count[1] for count in found.values()) == sum(n_out for _, _, n_out in numbers)
    assert len(found) == len({number for number, _, _ in numbers})


def test_a_sweep_counts_each_file_once_and_stores_no_person(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/records.db", prepares=True)
    records = database.records("park")
    settings = settings_of(records="intervals", intervals={"items": "data"}, time_format=ISO)
    park = Park(tmp_path, records, settings=settings)
    content = json.dumps({"data": [interval("12:00", "12:15"), interval("12:15", "12:30")]}).encode()
    park.drop("12/a.json", content)
    park.drop("12/again.json", content)
    park.drop("12/none.json", b'{"data": []}')
    park.drop("12/bad.json", b'{"data": [{"in": 1}]}')
    done: Any = park.run().summary
    assert {key: count for key, count in done["files"].items() if count} == {
        "done": 1,
        "repeat": 1,
        "empty": 1,
        "rejected": 1,
    }
    assert records.counts(*DAY) == {"12": Count(6, 2, 0, "2026-11-20 11:00:00", "2026-11-20 11:29:59")}
    with database.access.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM passage").scalar() == 0
    assert {(row.name, row.state, row.records) for row in records.ledger(rejected=False, most=9)} == {
        ("12/a.json", "done", 2),
        ("12/bad.json", "rejected", None),
    }
    database.close()
