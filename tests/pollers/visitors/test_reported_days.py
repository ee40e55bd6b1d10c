"""The reports of many slots: each day's last one arrives, late records correct it, and nothing floods."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.park import Park, day_of, facts_of, settings
from tallyd.core.schedule.days import day_span
from tallyd.pollers.visitors.report.reported_days import Ledger, ledger_of

BERLIN = ZoneInfo("Europe/Berlin")


def test_at_midnight_the_old_day_ends_and_the_new_one_begins() -> None:
    park = Park(settings())
    park.passes("12", "2026-11-20T23:59:59")
    park.passes("12", "2026-11-21T00:00:00", times=2)
    assert park.days("2026-11-20T23:55") == [("2026-11-20", False, 1)]
    old, new = park.report("2026-11-21T00:00")
    assert [day_of(old), day_of(new)] == [("2026-11-20", True, 1), ("2026-11-21", False, 2)]
    assert (old.part, new.part) == ("2026-11-20", None)
    assert facts_of(old)["window"]["to"] == "2026-11-21T00:00:00+01:00"
    assert [message.day for message in old.outbox] == [date(2026, 11, 20)]
    assert park.days("2026-11-21T00:05") == [("2026-11-21", False, 2)]


def test_a_days_last_report_is_sent_even_where_nothing_has_changed() -> None:
    park = Park(settings(when_empty="zeros"))
    park.report("2026-11-20T23:55")
    old, _ = park.report("2026-11-21T00:00")
    (message,) = old.outbox
    assert message.body[0]["EndTime"] == "20261121000000"  # type: ignore[index,call-overload] # a list of three objects


def test_an_empty_day_has_a_last_report_in_its_file_and_sends_nothing() -> None:
    park = Park(settings())
    park.report("2026-11-20T23:55")
    old, _ = park.report("2026-11-21T00:00")
    assert day_of(old) == ("2026-11-20", True, 0)
    assert facts_of(old)["report"]["state"] == "skipped"
    assert old.outbox == ()


def test_late_records_correct_a_day_until_it_is_too_late() -> None:
    park = Park(settings(correct_within="1d"))
    park.report("2026-11-20T23:55")
    park.report("2026-11-21T00:00")
    park.passes("12", "2026-11-20T22:00")
    assert park.days("2026-11-21T18:00") == [("2026-11-20", True, 1), ("2026-11-21", False, 0)]
    assert park.days("2026-11-21T18:05") == [("2026-11-21", False, 0)]
    park.passes("12", "2026-11-20T22:00", "other")
    assert park.days("2026-11-22T00:00") == [
        ("2026-11-20", True, 1),
        ("2026-11-21", True, 0),
        ("2026-11-22", False, 0),
    ]
    park.passes("12", "2026-11-20T22:00")
    assert park.days("2026-11-22T00:05") == [("2026-11-22", False, 0)]


def test_with_more_time_a_day_is_corrected_longer() -> None:
    park = Park(settings(correct_within="31d"))
    park.report("2026-11-01T12:00")
    park.passes("12", "2026-11-02T12:00")
    assert park.days("2026-12-03T12:00") == [("2026-11-02", True, 1), ("2026-12-03", False, 0)]


def test_an_inbox_that_was_taken_over_says_nothing_of_the_days_before() -> None:
    park = Park(settings(correct_within="31d"))
    for day in range(1, 21):
        park.passes("12", f"2026-11-{day:02}T12:00")
    assert park.days("2026-11-20T13:00") == [("2026-11-20", False, 1)]
    park.passes("12", "2026-11-19T12:00")
    assert park.days("2026-11-20T13:05") == [("2026-11-20", False, 1)]


def test_a_day_on_which_nothing_ran_is_reported_where_it_has_records() -> None:
    park = Park(settings(correct_within="7d"))
    park.report("2026-11-18T12:00")
    park.passes("12", "2026-11-19T12:00")
    assert park.days("2026-11-21T09:00") == [
        ("2026-11-18", True, 0),
        ("2026-11-19", True, 1),
        ("2026-11-21", False, 0),
    ]


@pytest.mark.parametrize(
    ("back_at", "is_made_up_for"),
    [
        pytest.param("2026-11-27T23:00", True, id="within a week"),
        pytest.param("2026-11-28T00:05", False, id="after a week"),
    ],
)
def test_after_an_outage_the_last_report_of_the_day_before_it_is_made_up_for(
    back_at: str, is_made_up_for: bool
) -> None:
    park = Park(settings(correct_within="1s"))
    park.passes("12", "2026-11-20T12:00")
    park.report("2026-11-20T23:50")
    found = park.days(back_at)
    assert (("2026-11-20", True, 1) in found) is is_made_up_for
    park.passes("12", "2026-11-20T13:00")
    park.report("2026-11-28T00:10")
    assert "2026-11-20" not in park.memory["days"]  # type: ignore[operator] # an object


def test_a_report_that_was_not_stored_is_made_again() -> None:
    park = Park(settings())
    park.report("2026-11-20T23:55")
    before = park.memory
    first = [day_of(each) for each in park.report("2026-11-21T00:00")]
    park.memory = before  # killed before the commit
    assert [day_of(each) for each in park.report("2026-11-21T00:00")] == first


def test_memory_is_set_with_the_last_reading_alone() -> None:
    park = Park(settings())
    park.report("2026-11-20T23:55")
    old, new = park.report("2026-11-21T00:00")
    assert old.memory is None
    assert new.memory is not None


def test_a_clock_set_back_over_midnight_opens_the_day_again() -> None:
    park = Park(settings())
    park.report("2026-11-20T23:55")
    park.report("2026-11-21T00:00")
    assert park.days("2026-11-20T23:50") == [("2026-11-20", False, 0)]
    assert park.days("2026-11-21T00:00") == [("2026-11-20", True, 0), ("2026-11-21", False, 0)]


def test_a_clock_that_was_years_ahead_leaves_nothing_behind() -> None:
    park = Park(settings())
    park.report("2036-01-01T12:00")
    assert park.days("2026-11-20T12:00") == [("2026-11-20", False, 0)]
    assert park.memory["since"] == "2026-11-20"
    assert list(park.memory["days"]) == ["2026-11-20"]  # type: ignore[arg-type] # an object


def test_what_is_remembered_stays_small() -> None:
    park = Park(settings(correct_within="31d"))
    at = datetime(2026, 1, 1, 12, tzinfo=BERLIN)
    for _ in range(100):
        park.passes("12", at.isoformat())
        park.report(at.isoformat())
        at += timedelta(days=1)
    assert len(park.memory["days"]) <= 33  # type: ignore[arg-type] # an object


def test_days_are_read_once_each() -> None:
    park = Park(settings(correct_within="1d"))
    park.report("2026-11-18T12:00")
    assert park.records.reads == 1, "of the days before the first report nothing is asked"
    park.report("2026-11-20T00:00")
    assert park.records.reads == 4, "today, yesterday, and the day that ended a day ago"


MIDNIGHTS = {
    "25 hours": ("Europe/Berlin", "2026-10-25T23:55", "2026-10-26T00:00", "2026-10-25", "2026-10-26"),
    "23 hours": ("Europe/Berlin", "2026-03-29T23:55", "2026-03-30T00:00", "2026-03-29", "2026-03-30"),
    "a midnight that does not exist": (
        "America/Santiago",
        "2026-09-05T23:55",
        "2026-09-06T01:00",
        "2026-09-05",
        "2026-09-06",
    ),
    "a midnight that comes twice": (
        "America/Havana",
        "2026-10-31T23:55",
        "2026-11-01T00:00-04:00",
        "2026-10-31",
        "2026-11-01",
    ),
    "a day that is left out": (
        "Pacific/Apia",
        "2011-12-29T23:55",
        "2011-12-31T00:00",
        "2011-12-29",
        "2011-12-31",
    ),
    "5:45": ("Asia/Kathmandu", "2026-11-20T23:55", "2026-11-21T00:00", "2026-11-20", "2026-11-21"),
}


@pytest.mark.parametrize(("zone", "before", "midnight", "ended", "began"), MIDNIGHTS.values(), ids=MIDNIGHTS)
def test_a_day_ends_at_its_own_midnight(
    zone: str, before: str, midnight: str, ended: str, began: str
) -> None:
    park = Park(settings(), zone=ZoneInfo(zone))
    park.passes("12", before)
    park.passes("12", midnight, times=2)
    assert park.days(before) == [(ended, False, 1)]
    assert park.days(midnight) == [(ended, True, 1), (began, False, 2)]


def test_the_second_time_that_midnight_comes_nothing_ends() -> None:
    park = Park(settings(), zone=ZoneInfo("America/Havana"))
    park.report("2026-10-31T23:55")
    park.report("2026-11-01T00:00-04:00")
    assert park.days("2026-11-01T00:00-05:00") == [("2026-11-01", False, 0)]


ZONES = [
    "Europe/Berlin",
    "America/Santiago",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "UTC",
]


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    gaps=st.lists(st.integers(5, 60 * 30), min_size=1, max_size=60),
    arrivals=st.lists(st.tuples(st.integers(0, 60 * 24 * 12), st.integers(0, 60 * 24 * 12)), max_size=30),
)
def test_however_slots_and_records_fall_every_day_that_was_reported_ends_right(
    zone: ZoneInfo, gaps: list[int], arrivals: list[tuple[int, int]]
) -> None:
    """Records come some time after they were made; slots come at any distance."""
    start = datetime(2026, 10, 20, tzinfo=zone)
    park = Park(settings(correct_within="31d"), zone=zone)
    waiting = sorted((max(made, came), made) for made, came in arrivals)
    last: dict[str, tuple[bool, int]] = {}
    minute, begun = 0, None
    for gap in gaps:
        minute += gap
        while waiting and waiting[0][0] <= minute:
            park.passes("12", (start + timedelta(minutes=waiting.pop(0)[1])).isoformat())
        found = park.days((start + timedelta(minutes=minute)).isoformat())
        days = [day for day, _, _ in found]
        assert days == sorted(set(days)), "each once, today last"
        assert [is_final for _, is_final, _ in found] == [True] * (len(found) - 1) + [False]
        begun = begun or days[-1]
        last |= {day: (is_final, count) for day, is_final, count in found}
    today = max(last)
    for day, (is_final, count) in last.items():
        counts = park.records.counts(*day_span(date.fromisoformat(day), zone))
        assert count == sum(each.n_in for each in counts.values())
        assert is_final is (day != today)
        assert begun is not None
        assert day >= begun


@pytest.mark.parametrize(
    "memory",
    [
        pytest.param({"since": 7, "days": []}, id="other kinds"),
        pytest.param({"since": "soon", "days": {"soon": {"mark": "x", "final": True}}}, id="no days"),
        pytest.param({"days": {"2026-11-20": {"final": True}}}, id="no mark"),
        pytest.param({"days": {"2026-11-20": "x"}}, id="no object"),
    ],
)
def test_memory_that_makes_no_sense_is_as_if_there_were_none(memory: dict[str, object]) -> None:
    assert ledger_of(memory) == Ledger()  # type: ignore[arg-type] # on purpose
