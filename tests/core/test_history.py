"""The past as rows and as means: nothing unknown or hidden is ever read as zero."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.history import (
    Entry,
    Gap,
    Spread,
    Status,
    Value,
    buckets,
    missed_slot,
    reading,
    reading_of_numbers,
    remarks,
    spread,
    statuses,
    why_no_number,
)
from tallyd.core.out_document import Heading, document
from tallyd.core.periods import By
from tallyd.core.reading import Facts, Json

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # half an hour of daylight saving time
READY = Status("50101", "Einsatzbereit")


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def taken(
    when: str, counts: Mapping[str, Json] | None = None, zone: ZoneInfo = BERLIN, **facts: Json
) -> Entry:
    body: Facts = {"origin": "live", "source": "users", "total": 1, "counts": dict(counts or {}), **facts}
    return reading(at(when, zone), taken_at=at(when, zone), body=body)


def missed(when: str, reason: str | None = "off") -> Entry:
    return missed_slot(at(when), reason=reason)


class TestOneReading:
    @pytest.mark.parametrize(
        ("body", "count"),
        [
            pytest.param({"counts": {"7": 1}}, 0, id="users-list-whoever-there-is"),
            pytest.param({"counts": {}}, 0, id="users-of-an-empty-unit"),
            pytest.param({"counts": {"7": 1}, "source": "monitor"}, Gap.UNKNOWN, id="a-monitor-that-hid-it"),
            pytest.param({"counts": {"7": None}, "hide_below": 3}, 0, id="others-hidden"),
            pytest.param({"counts": {}, "hide_below": 3}, Gap.HIDDEN, id="all-hidden"),
            pytest.param({}, Gap.UNKNOWN, id="no-counts-at-all"),
            pytest.param({"counts": {"50101": None}, "hide_below": 3}, Gap.HIDDEN, id="hidden"),
            pytest.param({"counts": {"50101": 0}, "source": "monitor"}, 0, id="a-monitor-with-nobody"),
            pytest.param({"counts": {"50101": True}}, Gap.UNKNOWN, id="true-is-not-1"),
            pytest.param({"counts": {"50101": "4"}}, Gap.UNKNOWN, id="text-is-no-count"),
        ],
    )
    def test_a_status_has_a_number_only_where_one_is_known(self, body: Facts, count: Value) -> None:
        assert (
            reading(at("2026-11-20T08:00"), taken_at=at("2026-11-20T08:00"), body=body).count("50101")
            == count
        )

    def test_a_missed_slot_knows_no_number(self) -> None:
        entry = missed("2026-11-20T08:00")
        assert (entry.total, entry.count("50101"), entry.is_missed) == (Gap.UNKNOWN, Gap.UNKNOWN, True)

    def test_a_total_that_is_hidden_is_not_unknown(self) -> None:
        assert taken("2026-11-20T08:00", total=None, hide_below=3).total is Gap.HIDDEN

    def test_foreign_text_is_made_visible(self) -> None:
        entry = taken("2026-11-20T08:00", {"7\x1b": 1}, names={"7\x1b": "be\nreit"})
        assert (entry.counts, entry.names) == ({"7\\x1b": 1}, {"7\\x1b": "be\\nreit"})


class TestRemarks:
    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            pytest.param(taken("2026-11-20T08:00"), (), id="nothing-of-an-ordinary-one"),
            pytest.param(missed("2026-11-20T08:00"), ("missed: off",), id="missed"),
            pytest.param(missed("2026-11-20T08:00", None), ("missed: for an unknown reason",), id="why"),
            pytest.param(
                taken("2026-11-20T08:00", origin="once"), ("once, outside the timetable",), id="once"
            ),
            pytest.param(
                taken("2026-11-20T08:00", clock_suspect=True),
                ("clock suspect: it differs from the source's",),
                id="clock",
            ),
            pytest.param(
                taken("2026-10-25T02:30"), ("UTC+02:00, this time comes twice",), id="the-first-0230"
            ),
            pytest.param(
                taken("2026-10-25T02:30+01:00"), ("UTC+01:00, this time comes twice",), id="the-second-0230"
            ),
            pytest.param(taken("2026-03-29T02:30"), (), id="after-a-gap"),
        ],
    )
    def test_only_what_is_not_ordinary_is_said(self, entry: Entry, said: tuple[str, ...]) -> None:
        assert remarks(entry, BERLIN) == said

    def test_of_a_late_reading_it_is_said_how_late(self) -> None:
        due = at("2026-11-20T08:00")
        late = reading(due, taken_at=due + timedelta(seconds=750), body={"origin": "late", "counts": {}})
        assert remarks(late, BERLIN) == ("late by 12 min 30 s",)


class TestColumns:
    def test_configured_names_come_first_then_ids_by_number_and_none_last(self) -> None:
        entries = [
            taken("2026-11-20T08:00", {"none": 1, "50103": 1, "7": 1}),
            taken("2026-11-20T20:00", {"9": 1}),
        ]
        configured = {"none": "Ohne", "50103": "Frei", "50101": "Bereit"}
        assert [status.id for status in statuses(entries, configured)] == ["50103", "50101", "7", "9", "none"]

    @pytest.mark.parametrize(
        ("configured", "name"),
        [pytest.param({}, "new", id="newest-reading"), pytest.param({"7": "mine"}, "mine", id="config")],
    )
    def test_the_newest_name_wins(self, configured: Mapping[str, str], name: str) -> None:
        entries = [
            taken("2026-11-20T08:00", {"7": 1}, names={"7": "old"}),
            taken("2026-11-20T12:00", {"7": 1}, names={"7": "new"}),
            taken("2026-11-20T16:00", {"7": 1}),
            missed("2026-11-20T20:00"),
        ]
        assert statuses(entries, configured) == (Status("7", name),)

    @pytest.mark.parametrize(
        ("status", "heading"),
        [
            pytest.param(READY, "Einsatzbereit (50101)", id="named"),
            pytest.param(Status("50101"), "50101", id="unnamed"),
            pytest.param(Status("none"), "no status (none)", id="none"),
            pytest.param(Status("none", "Ohne"), "Ohne (none)", id="named-none"),
        ],
    )
    def test_a_heading_has_name_and_id(self, status: Status, heading: str) -> None:
        assert status.heading == heading


class TestBuckets:
    @pytest.mark.parametrize(
        ("by", "labels"),
        [
            pytest.param(
                "hour",
                [
                    ("2026-11-20", "08:00", "Fri"),
                    ("2026-11-20", "20:00", "Fri"),
                    ("2026-12-03", "20:00", "Thu"),
                ],
                id="hour",
            ),
            pytest.param("day", [("2026-11-20", "Fri"), ("2026-12-03", "Thu")], id="day"),
            pytest.param("weekday", [("Thu",), ("Fri",)], id="weekday-from-monday-on"),
            pytest.param("week", [("2026-W47",), ("2026-W49",)], id="week"),
            pytest.param("month", [("2026-11",), ("2026-12",)], id="month"),
            pytest.param("year", [("2026",)], id="year"),
        ],
    )
    def test_readings_are_put_together_by_local_time(self, by: By, labels: list[tuple[str, ...]]) -> None:
        entries = [taken("2026-11-20T08:15"), taken("2026-11-20T20:00"), taken("2026-12-03T20:00")]
        found = buckets(entries, (), by=by, zone=BERLIN)
        assert [tuple(bucket.labels.values()) for bucket in found] == labels

    def test_a_week_is_that_of_the_calendar_also_where_a_year_ends_in_it(self) -> None:
        days = ("2026-12-27", "2026-12-28", "2027-01-03", "2027-01-04")
        found = buckets([taken(f"{day}T08:00") for day in days], (), by="week", zone=BERLIN)
        assert [(bucket.labels["week"], bucket.readings) for bucket in found] == [
            ("2026-W52", 1),
            ("2026-W53", 2),
            ("2027-W01", 1),
        ]

    @pytest.mark.parametrize(
        ("zone", "times", "hours"),
        [
            pytest.param(
                BERLIN,
                (
                    "2026-10-25T02:10+02:00",
                    "2026-10-25T02:50+02:00",
                    "2026-10-25T02:10+01:00",
                    "2026-10-25T03:00+01:00",
                ),
                ["02:00 UTC+02:00", "02:00 UTC+01:00", "03:00"],
                id="a-whole-hour",
            ),
            pytest.param(
                LORD_HOWE,
                (
                    "2026-04-05T01:10+11:00",
                    "2026-04-05T01:40+11:00",
                    "2026-04-05T01:40+10:30",
                    "2026-04-05T02:00+10:30",
                ),
                ["01:00 UTC+11:00", "01:00 UTC+10:30", "02:00"],
                id="half-an-hour",
            ),
            pytest.param(
                BERLIN,
                ("2026-03-29T01:59", "2026-03-29T03:00"),
                ["01:00", "03:00"],
                id="an-hour-that-is-left-out",
            ),
        ],
    )
    def test_an_hour_that_comes_twice_is_two_hours_of_one_day(
        self, zone: ZoneInfo, times: tuple[str, ...], hours: list[str]
    ) -> None:
        entries = [taken(time, zone=zone) for time in times]
        assert [each.labels["hour"] for each in buckets(entries, (), by="hour", zone=zone)] == hours
        assert len(buckets(entries, (), by="day", zone=zone)) == 1

    def test_means_are_of_known_numbers_alone(self) -> None:
        entries = [
            taken("2026-11-20T08:00", {"50101": 3}, total=5),
            taken("2026-11-20T12:00", {"7": 6}, total=6),
            taken("2026-11-20T16:00", {"50101": None}, total=None, hide_below=3),
            missed("2026-11-20T20:00"),
        ]
        (bucket,) = buckets(entries, (READY,), by="day", zone=BERLIN)
        assert (bucket.readings, bucket.missed) == (3, 1)
        assert bucket.total == Spread(mean=5.5, low=5, high=6, known=2)
        assert bucket.counts == {"50101": Spread(mean=1.5, low=0, high=3, known=2)}

    def test_where_no_number_is_known_there_is_no_mean(self) -> None:
        (bucket,) = buckets([missed("2026-11-20T08:00")], (READY,), by="day", zone=BERLIN)
        assert (bucket.readings, bucket.missed, bucket.total, bucket.counts) == (0, 1, None, {"50101": None})

    def test_readings_outside_the_timetable_are_left_out(self) -> None:
        entries = [taken("2026-11-20T08:00", total=4), taken("2026-11-20T09:00", total=90, origin="once")]
        (bucket,) = buckets(entries, (), by="day", zone=BERLIN)
        assert (bucket.readings, bucket.total) == (1, Spread(4.0, 4, 4, 1))

    @given(
        st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), max_size=20),  # noqa: DTZ001 # in UTC below
        st.sampled_from(["hour", "day", "weekday", "week", "month", "year"]),
    )
    def test_every_reading_is_in_one_bucket_and_buckets_are_named_once(
        self, times: list[datetime], by: By
    ) -> None:
        moments = sorted(time.replace(tzinfo=UTC) for time in times)
        entries = [reading(moment, taken_at=moment, body={"counts": {"7": 1}}) for moment in moments]
        found = buckets(entries, (Status("7"),), by=by, zone=BERLIN)
        assert sum(bucket.readings for bucket in found) == len(entries)
        assert len({tuple(bucket.labels.values()) for bucket in found}) == len(found)


class TestSpread:
    @pytest.mark.parametrize(
        ("values", "mean"),
        [
            pytest.param([1, 0, 0, 0], 0.3, id="half-up"),
            pytest.param([-1, 0, 0, 0], -0.3, id="half-away-from-zero"),
            pytest.param([1, 1, 0], 0.7, id="up"),
            pytest.param([1, 0, 0], 0.3, id="down"),
            pytest.param([4], 4.0, id="one"),
            pytest.param([0, Gap.HIDDEN, Gap.UNKNOWN], 0.0, id="gaps-do-not-count"),
        ],
    )
    def test_means_are_rounded_as_by_hand(self, values: list[Value], mean: float) -> None:
        found = spread(values)
        assert found is not None
        assert found.mean == mean

    @given(st.lists(st.integers(-(10**9), 10**9), min_size=1))
    def test_the_mean_lies_within_a_twentieth(self, numbers: list[int]) -> None:
        found = spread(numbers)
        assert found is not None
        assert (found.low, found.high, found.known) == (min(numbers), max(numbers), len(numbers))
        assert abs(round(found.mean * 10) * len(numbers) - sum(numbers) * 10) * 2 <= len(numbers)


GONE = missed("2026-11-20T08:00")
HIDDEN = taken("2026-11-20T09:00", {"50101": None}, hide_below=3)
BY_HAND = taken("2026-11-20T10:00", {"50101": 3}, origin="once")


@pytest.mark.parametrize(
    ("entries", "in_timetable", "why"),
    [
        pytest.param([], False, "there is no reading", id="nothing"),
        pytest.param([GONE], False, "the only slot was missed", id="missed"),
        pytest.param([GONE, GONE], False, "all 2 slots were missed", id="all missed"),
        pytest.param([GONE, HIDDEN], False, "all counts are hidden or not known", id="missed and hidden"),
        pytest.param([BY_HAND], True, "all readings were taken by hand, outside the timetable", id="by hand"),
        pytest.param([BY_HAND, GONE], True, "the only slot was missed", id="by hand and missed"),
    ],
)
def test_why_there_is_no_number(entries: list[Entry], in_timetable: bool, why: str) -> None:
    assert why_no_number(entries, in_timetable=in_timetable) == why


def test_a_reading_of_any_kind_has_every_number_of_its_facts_and_none_of_what_all_files_have() -> None:
    now = at("2026-11-20 08:00")
    heading = Heading(
        poller="room",
        kind="thermometer",
        origin="late",
        due_at=now - timedelta(minutes=5),
        taken_at=now,
        zone=BERLIN,
        part="2",
        clock_suspect=True,
    )
    facts: Facts = {
        "temperature": 21.5,
        "open": True,
        "note": "7",
        "list": [1, 2],
        "unknown": None,
        "battery": {"volts": 3, "cell": {"age": 2}},
    }
    entry = reading_of_numbers(now, taken_at=now, body=document(heading, facts, ()))
    assert entry.counts == {"temperature": 21.5, "battery.volts": 3, "battery.cell.age": 2}
    assert (entry.origin, entry.is_clock_suspect, entry.has_total) == ("late", True, False)
    assert entry.count("unknown") is Gap.UNKNOWN


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        pytest.param([1, 2], 1.5, id="whole numbers: one decimal"),
        pytest.param([0.031, 0.032, Gap.UNKNOWN], 0.0315, id="others: as they are"),
        pytest.param([1 / 3, 1 / 3], 0.333333, id="six digits at most"),
        pytest.param([-20.5, 1_000_000], 499_990.0, id="a mixture"),
    ],
)
def test_the_mean_of_numbers_that_are_not_whole_keeps_its_digits(values: list[Value], mean: float) -> None:
    found = spread(values)
    assert found is not None
    assert found.mean == mean
