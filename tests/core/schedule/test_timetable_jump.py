"""A clock that jumps by decades: what a look then costs, in steps, since no machine is fast by promise."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import product
from types import FrameType
from zoneinfo import ZoneInfo, available_timezones

import pytest

from support.ledger import Ledger
from tallyd.core.schedule.timetable import MOST_MISSED, At, Every

NOW = datetime(2030, 1, 1, 0, 0, 3, tzinfo=UTC)
HALF_HOURS = At(tuple(time(hour, minute) for hour, minute in product(range(24), (0, 30))))
TIMETABLES = [
    pytest.param(HALF_HOURS, id="48-a-day"),
    pytest.param(At((time(8), time(20))), id="2-a-day"),
    pytest.param(At((time(8),), frozenset({3})), id="once-a-week"),
    pytest.param(Every(300.0, grid=True), id="every-5-min"),
    pytest.param(Every(1.0, grid=True), id="every-second"),
]
MOST_STEPS = 40 * MOST_MISSED
"""Calls, of functions of ours and of others: a tenth of a second of a common machine."""


def steps(act: Callable[[], object]) -> int:
    """Return how many functions are called, those written in C included."""
    count = 0

    def called(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count


def a_look_after(years: int, when: At | Every, zone: str = "Europe/Berlin") -> tuple[Ledger, int]:
    """Return a job that was set up so many years before now, and how many steps a look takes now."""
    ledger = Ledger(when, ZoneInfo(zone))
    ledger.look(NOW - timedelta(days=365 * years))
    return ledger, steps(lambda: ledger.plan(NOW))


@pytest.mark.parametrize("when", TIMETABLES)
def test_sixty_years_take_no_more_steps_than_a_look_may_have(when: At | Every) -> None:
    _, taken = a_look_after(60, when)
    assert taken < MOST_STEPS


@pytest.mark.parametrize("zone", sorted(available_timezones())[::100])
def test_no_zone_makes_it_longer(zone: str) -> None:
    _, taken = a_look_after(60, HALF_HOURS, zone)
    assert taken < MOST_STEPS


@pytest.mark.parametrize("when", TIMETABLES)
def test_what_is_missed_then_are_the_newest_slots_and_it_is_said_since_when_there_are_more(
    when: At | Every,
) -> None:
    ledger, _ = a_look_after(60, when)
    first = NOW - timedelta(days=365 * 60)
    ledger.look(NOW)
    missed = [found.due_at for found in ledger.settled.values()]
    assert 0 < len(missed) <= MOST_MISSED
    assert missed == sorted(missed)
    assert ledger.older_since == (first if len(missed) > MOST_MISSED - 2 else None)
    assert NOW - missed[-1] < timedelta(days=8)
    ledger.look(NOW + timedelta(microseconds=1))
    assert ledger.last.missed == (), "once is enough"
