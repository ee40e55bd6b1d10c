"""Grids: whole multiples of an interval since 1970 in UTC, whatever local clocks do. And next slots."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from tallyd.core.schedule.timetable import At, Every, marks_of, next_slots, slots

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Asia/Kathmandu"]
CHANGES = {
    "spring": datetime(2026, 3, 29, 1, tzinfo=UTC),
    "autumn": datetime(2026, 10, 25, 1, tzinfo=UTC),
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("interval_s", [60.0, 300.0, 900.0, 7200.0])
def test_a_grid_keeps_its_spacing_across_a_change(zone: str, change: datetime, interval_s: float) -> None:
    span = timedelta(hours=12)
    found = [
        due.at
        for due in slots(
            Every(interval_s, grid=True), ZoneInfo(zone), after=change - span, until=change + span
        )
    ]
    assert len(found) == 2 * span.total_seconds() / interval_s
    assert {(later - earlier).total_seconds() for earlier, later in pairwise(found)} == {interval_s}
    assert {instant.timestamp() % interval_s for instant in found} == {0.0}


@pytest.mark.parametrize("interval_s", [0.1, 0.3, 0.7, 1.0, 1.5, 7.0, 299.9, 300.0, 86400.0])
def test_looking_from_a_slot_on_finds_the_next_one_and_never_the_same_again(interval_s: float) -> None:
    when, instant = Every(interval_s, grid=True), datetime(2026, 11, 20, 7, 0, 0, 412_345, tzinfo=UTC)
    for _ in range(200):
        until = instant + timedelta(seconds=2.5 * interval_s)
        following = [due.at for due in slots(when, ZoneInfo("UTC"), after=instant, until=until)]
        assert len(following) in {2, 3}
        assert instant < following[0] <= instant + timedelta(seconds=interval_s, microseconds=1)
        instant = following[0]


def test_a_plain_interval_has_no_slots_and_no_watermark() -> None:
    plain, berlin = Every(60.0), ZoneInfo("Europe/Berlin")
    now = datetime(2026, 11, 20, tzinfo=UTC)
    assert list(slots(plain, berlin, after=now - timedelta(days=9), until=now)) == []
    assert marks_of(plain, berlin) == frozenset()


def test_the_slot_at_the_very_start_is_left_out_and_the_one_at_the_very_end_taken_in() -> None:
    when, utc = At((time(8),)), ZoneInfo("UTC")
    eight = datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert [due.at for due in slots(when, utc, after=eight, until=eight + timedelta(days=1))] == [
        eight + timedelta(days=1)
    ]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        pytest.param(At((time(8), time(20))), ["20T20:00", "21T08:00", "21T20:00"], id="times-of-day"),
        pytest.param(At((time(8),), frozenset({0})), ["23T08:00", "30T08:00", "07T08:00"], id="mondays"),
        pytest.param(Every(300.0, grid=True), ["20T12:05", "20T12:10", "20T12:15"], id="grid"),
        pytest.param(Every(300.0), [], id="plain-interval"),
    ],
)
def test_the_next_slots_are_those_after_now(when: At | Every, expected: list[str]) -> None:
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday
    found = next_slots(when, ZoneInfo("UTC"), after=noon, count=3)
    assert [f"{one:%dT%H:%M}" for one in found] == expected
