"""Readings and missed slots as a table shows them: nothing hidden or unknown is ever read as zero."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.history import (
    Entry,
    Status,
    Value,
    missed_slot,
    reading_of_numbers,
    remarks,
    spread,
    statuses,
    why_no_number,
)
from tallyd.core.out_document import Heading, document
from tallyd.core.panels import Gap
from tallyd.core.reading import Facts

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=BERLIN)).astimezone(UTC)


def taken(when: str, counts: Mapping[str, Value] | None = None, **more: object) -> Entry:
    given: Mapping[str, object] = {"taken_at": at(when), "origin": "live", **more}
    return Entry(at=at(when), counts=counts or {}, **given)  # type: ignore[arg-type] # fields of Entry


def missed(when: str, reason: str | None = "off") -> Entry:
    return missed_slot(at(when), reason=reason)


def test_a_missed_slot_knows_no_number() -> None:
    entry = missed("2026-11-20T08:00")
    assert (entry.total, entry.count("50101"), entry.is_missed) == (Gap.UNKNOWN, Gap.UNKNOWN, True)


class TestRemarks:
    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            pytest.param(taken("2026-11-20T08:00"), (), id="nothing-of-an-ordinary-one"),
            pytest.param(missed("2026-11-20T08:00"), ("missed: off",), id="missed"),
            pytest.param(missed("2026-11-20T08:00", None), ("missed: for an unknown reason",), id="why"),
            pytest.param(missed("2026-11-20T08:00", "a\nb"), ("missed: a\\nb",), id="foreign-text"),
            pytest.param(
                taken("2026-11-20T08:00", origin="imported"),
                ("imported from an older program",),
                id="imported",
            ),
            pytest.param(
                taken("2026-11-20T08:00", origin="once"), ("once, outside the timetable",), id="once"
            ),
            pytest.param(
                taken("2026-11-20T08:00", taken_at=at("2026-11-20T08:12:30"), origin="late"),
                ("late by 12 min 30 s",),
                id="how-late",
            ),
            pytest.param(
                taken("2026-11-20T08:00", is_clock_suspect=True),
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
            pytest.param(Status("50101", "Einsatzbereit"), "Einsatzbereit (50101)", id="named"),
            pytest.param(Status("50101"), "50101", id="unnamed"),
            pytest.param(Status("none"), "no status (none)", id="none"),
            pytest.param(Status("none", "Ohne"), "Ohne (none)", id="named-none"),
        ],
    )
    def test_a_heading_has_name_and_id(self, status: Status, heading: str) -> None:
        assert status.heading == heading


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
HIDDEN = taken("2026-11-20T09:00", {"50101": Gap.HIDDEN}, hide_below=3)
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
