"""The demo's timetable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import tzlocal

from tallyd.demo.timetable import Pace, Times, zone_of_demo

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 20, 11, 0, 0, 400_000, tzinfo=UTC)


def test_the_first_slot_is_a_few_seconds_away_and_then_every_ten() -> None:
    times = Times(Pace(first_after_s=3.0), now=NOON).extend(NOON, BERLIN)

    assert times[:4] == ("12:00:04", "12:00:14", "12:00:24", "12:00:34")


def test_an_hour_is_covered() -> None:
    times = Times(Pace(first_after_s=3.0), now=NOON).extend(NOON, BERLIN)

    assert len(times) == len(set(times)) == 360
    assert times[-1] == "12:59:54"


@pytest.mark.parametrize(("minutes", "is_due"), [(0, False), (39, False), (40, True), (70, True)])
def test_further_times_are_wanted_when_less_than_20_minutes_are_left(minutes: int, is_due: bool) -> None:
    times = Times(Pace(first_after_s=3.0), now=NOON)
    times.extend(NOON, BERLIN)

    assert times.are_running_out(NOON + timedelta(minutes=minutes)) is is_due


def test_further_times_stand_on_the_same_grid_and_keep_those_just_gone() -> None:
    times = Times(Pace(first_after_s=3.0), now=NOON)
    before = times.extend(NOON, BERLIN)
    later = NOON + timedelta(minutes=41)
    after = times.extend(later, BERLIN)

    assert after[0] == "12:40:04"
    assert set(before[before.index("12:40:04") :]) < set(after)
    assert after[-1] == "13:40:54"
    assert not times.are_running_out(later)


def test_midnight_is_passed() -> None:
    now = datetime(2026, 11, 20, 22, 59, 40, tzinfo=UTC)

    assert Times(Pace(first_after_s=3.0), now=now).extend(now, BERLIN)[:3] == (
        "23:59:43",
        "23:59:53",
        "00:00:03",
    )


@pytest.mark.parametrize(
    ("now", "zone"),
    [
        ("2026-11-20T12:00Z", "Europe/Berlin"),
        ("2026-10-25T00:30Z", "UTC"),
        ("2026-10-24T22:30Z", "UTC"),
        ("2026-10-25T03:30Z", "UTC"),
        ("2026-03-29T01:00Z", "UTC"),
    ],
    ids=["usual day", "hour that comes twice", "soon to come", "just over", "hour that is skipped"],
)
def test_near_a_change_of_the_clocks_the_demo_runs_in_utc(
    now: str, zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The host's zone is what tzlocal says; nothing of tallyd is replaced.
    monkeypatch.setattr(tzlocal, "reload_localzone", lambda: BERLIN)

    assert str(zone_of_demo(datetime.fromisoformat(now))) == zone


def test_a_host_without_a_zone_that_has_a_name_gets_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    # What tzlocal calls a zone that it found only as a file.
    monkeypatch.setattr(tzlocal, "reload_localzone", lambda: "local")

    assert str(zone_of_demo(NOON)) == "UTC"
