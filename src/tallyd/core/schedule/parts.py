"""Parts of the calendar: days, weeks (from Monday on), months, quarters and years."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final, Literal, TypeAlias

Part: TypeAlias = Literal["day", "week", "month", "quarter", "year"]
MOST_DAYS: Final[Mapping[Part, int]] = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}


def first_day(part: Part, day: date) -> date:
    """Return the first day of the part in which a day lies."""
    if part == "day":
        return day
    if part == "week":
        return day - timedelta(days=day.weekday())
    months = {"month": 1, "quarter": 3, "year": 12}[part]
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def part_before(part: Part, day: date) -> tuple[date, date]:
    """Return the first and the last day of the part before the one in which a day lies."""
    last = first_day(part, day) - timedelta(days=1)
    return first_day(part, last), last
