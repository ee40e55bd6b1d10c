"""Weeks, months, quarters and years: which days they have, and a job that runs once in each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta

import pytest

from tallyd.core.schedule.parts import MOST_DAYS, Part, first_day, part_before
from tallyd.core.schedule.timetable import EVERY_DAY, At, next_slots, open_slots, slots, slots_a_year

WORKDAYS = frozenset(range(5))
_NAMES: Mapping[Part, Callable[[date], object]] = {
    "day": lambda day: day,
    "week": lambda day: day.isocalendar()[:2],
    "month": lambda day: (day.year, day.month),
    "quarter": lambda day: (day.year, (day.month + 2) // 3),
    "year": lambda day: day.year,
}


@pytest.mark.parametrize(
    ("part", "first", "last"),
    [
        ("day", "2026-12-31", "2026-12-31"),
        ("week", "2026-12-21", "2026-12-27"),
        ("month", "2026-12-01", "2026-12-31"),
        ("quarter", "2026-10-01", "2026-12-31"),
        ("year", "2026-01-01", "2026-12-31"),
    ],
)
def test_the_part_before_a_new_year_is_over(part: Part, first: str, last: str) -> None:
    assert part_before(part, date(2027, 1, 1)) == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize("part", list(MOST_DAYS))
@pytest.mark.parametrize("days", [EVERY_DAY, WORKDAYS, frozenset({2}), frozenset({0, 6})])
def test_there_is_one_slot_in_each_part_on_the_first_of_its_days(part: Part, days: frozenset[int]) -> None:
    when, begin = At((time(7),), days, part), datetime(2026, 12, 31, 12, tzinfo=UTC)
    found = [due.at.date() for due in slots(when, UTC, after=begin, until=begin + timedelta(days=1500))]
    expected: dict[object, date] = {}
    for ahead in range(-400, 1501):
        day = begin.date() + timedelta(days=ahead)
        if day.weekday() in days:
            expected.setdefault(_NAMES[part](day), day)
            assert first_day(part, day) <= day
    assert found == [day for day in expected.values() if begin.date() < day <= found[-1]]
    assert len(found) == pytest.approx(slots_a_year(when) * 1500 / 365, abs=2)


def test_a_yearly_job_knows_its_next_slots_and_those_that_it_has_missed() -> None:
    when, now = At((time(7),), WORKDAYS, "year"), datetime(2026, 6, 1, tzinfo=UTC)
    assert next_slots(when, UTC, after=now, count=2) == (
        datetime(2027, 1, 1, 7, tzinfo=UTC),
        datetime(2028, 1, 3, 7, tzinfo=UTC),
    )
    (mark,) = {due.watermark for due in slots(when, UTC, after=now, until=now + timedelta(days=400))}
    missed, _ = open_slots(when, UTC, now=now, marks={mark: now - timedelta(days=800)}, most=1)
    assert [due.at.date() for due in missed] == [date(2026, 1, 1)]
    older, _ = open_slots(when, UTC, now=now, marks={mark: now - timedelta(days=3000)}, most=100)
    assert len(older) == 8
