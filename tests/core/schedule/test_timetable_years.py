"""Whole years on a fake clock: each local time of day has its reading on every single day."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from support.ledger import Ledger, first_instant, times
from tallyd.core.schedule.timetable import At, Every, next_slots

OWN_LOOK_S = 1.0
"""A job's own entry in the scheduler comes this long after the slot, at most; other looks are random."""
ALIKE = pytest.mark.slow
"""For a zone whose year is like that of another one."""
ALL_DAY = ("00:00", "00:30", "01:45", "02:30", "08:00", "23:30")


def year_of(zone: ZoneInfo, year: int) -> tuple[datetime, datetime]:
    """Return the instants just before the local year begins, and at its very end."""
    new_years = [
        first_instant(datetime.combine(date(number, 1, 1), time()), zone) for number in (year, year + 1)
    ]
    assert None not in new_years
    first, last = (instant for instant in new_years if instant is not None)
    return first - timedelta(seconds=1), last - timedelta(seconds=1)


def live_through(ledger: Ledger, first: datetime, last: datetime) -> None:
    """Look at every slot soon after it, and at uneven instants in between."""
    chance, now = random.Random(first.year), first
    while now < last:
        if slot := ledger.look(now):
            ledger.take(slot, now)
        (coming,) = next_slots(ledger.when, ledger.zone, after=now, count=1)
        at_random = now + timedelta(hours=chance.uniform(0.001, 12))
        now = min(last, at_random, coming + timedelta(seconds=chance.uniform(0, OWN_LOOK_S)))


@pytest.mark.parametrize(
    ("name", "year", "moved", "fewer"),
    [
        pytest.param("Europe/Berlin", 2026, {"02:30"}, {}, id="Berlin"),
        pytest.param("Europe/Berlin", 2028, set(), {"02:30": 1, "03:30": 0}, id="Berlin-02:30-is-03:30-once"),
        pytest.param("Europe/Dublin", 2026, {"01:45"}, {}, id="Dublin", marks=ALIKE),
        pytest.param("America/New_York", 2026, {"02:30"}, {}, id="New-York", marks=ALIKE),
        pytest.param("America/St_Johns", 2026, {"02:30"}, {}, id="St-Johns"),
        pytest.param("America/Havana", 2026, {"00:00", "00:30"}, {}, id="Havana"),
        pytest.param(
            "Australia/Lord_Howe", 2026, {"02:15"}, {"02:00": 1}, id="Lord-Howe-02:00-is-02:30-once"
        ),
        pytest.param("Asia/Kolkata", 2026, set(), {}, id="Kolkata"),
        pytest.param("Asia/Kathmandu", 2026, set(), {}, id="Kathmandu", marks=ALIKE),
        pytest.param("America/Sao_Paulo", 2018, {"00:00", "00:30"}, {}, id="Sao-Paulo", marks=ALIKE),
        pytest.param("Africa/Casablanca", 2024, {"02:30"}, {}, id="Casablanca-leap-year"),
        pytest.param("Antarctica/Troll", 2026, {"01:45", "02:30"}, {}, id="Troll"),
        pytest.param("Asia/Tehran", 2022, {"00:00", "00:30"}, {}, id="Tehran-its-last-changes", marks=ALIKE),
        pytest.param("Pacific/Chatham", 2026, {"03:00"}, {}, id="Chatham", marks=ALIKE),
        pytest.param("Africa/Cairo", 2024, {"00:00", "00:30"}, {}, id="Cairo-leap-year", marks=ALIKE),
        pytest.param("America/Asuncion", 2023, {"00:00", "00:30"}, {}, id="Asuncion", marks=ALIKE),
        pytest.param("America/Nuuk", 2025, set(), {"23:30": 1}, id="Nuuk-23:30-is-00:30-once"),
        pytest.param("Pacific/Apia", 2011, set(), dict.fromkeys(ALL_DAY, 1), id="Apia-without-a-day"),
    ],
)
def test_in_a_whole_year_every_time_of_day_is_counted_once_a_day(
    name: str, year: int, moved: set[str], fewer: dict[str, int]
) -> None:
    zone = ZoneInfo(name)
    wanted = sorted({*ALL_DAY, *moved, *fewer})
    days = 366 if year % 4 == 0 else 365
    first, last = year_of(zone, year)
    ledger = Ledger(At(times(*wanted)), zone)
    live_through(ledger, first, last)

    taken = Counter(key[11:16] for key, found in ledger.settled.items() if found.state == "taken")
    assert len(ledger.takes) == len(set(ledger.takes)), "a slot was counted twice"
    assert {found.state for found in ledger.settled.values()} == {"taken"}
    assert taken == {one: days - fewer.get(one, 0) for one in wanted}
    assert all(0 <= found.late_s <= OWN_LOOK_S for found in ledger.settled.values())
    elsewhere = {key[11:16] for key, found in ledger.settled.items() if not shows(found.due_at, key, zone)}
    assert elsewhere == moved


def shows(instant: datetime, key: str, zone: ZoneInfo) -> bool:
    """Whether clocks in the zone show, at the instant, the local time that the key names."""
    return instant.astimezone(zone).replace(tzinfo=None).isoformat() == key.split("[", maxsplit=1)[0]


@pytest.mark.parametrize("name", ["America/St_Johns", "Antarctica/Troll"])
def test_in_a_whole_year_a_grid_has_every_one_of_its_slots(name: str) -> None:
    first, last = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    ledger = Ledger(Every(7200.0, grid=True), ZoneInfo(name))
    live_through(ledger, first, last)
    assert sorted(ledger.takes) == [
        (first + timedelta(hours=2 * number)).isoformat() for number in range(1, 365 * 12)
    ]


@pytest.mark.parametrize("name", ["Europe/Berlin", "Australia/Lord_Howe", "America/Nuuk"])
def test_in_a_year_with_weekday_times_every_such_day_is_counted(name: str) -> None:
    zone = ZoneInfo(name)
    first, last = year_of(zone, 2025)
    ledger = Ledger(At(times("02:15", "23:30"), frozenset({5, 6})), zone)
    live_through(ledger, first, last)
    weekend_days = sum((date(2025, 1, 1) + timedelta(days=number)).weekday() >= 5 for number in range(365))
    assert len(ledger.takes) == len(set(ledger.takes)) == 2 * weekend_days == 208
