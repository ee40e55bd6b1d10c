"""Hours, days, weekdays, weeks, months and years: what a reader can ask a table to be put together by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Literal, TypeAlias

from tallyd.core.language.formats import day_text, month_text, offset_if_twice, weekday_text
from tallyd.core.language.messages import mark, tr, translation
from tallyd.core.panels import Cell, Column

By: TypeAlias = Literal["hour", "day", "weekday", "week", "month", "year"]
LABELS: Mapping[By, tuple[str, ...]] = {
    "hour": ("date", "hour", "weekday"),
    "day": ("date", "weekday"),
    "weekday": ("weekday",),
    "week": ("week",),
    "month": ("month",),
    "year": ("year",),
}
"""The labels of a period. A week is that of ISO 8601, from Monday on: `2026-W48`."""
NAMES = (
    *(mark("date"), mark("hour"), mark("day"), mark("weekday")),
    *(mark("week"), mark("month"), mark("year")),
)
"""The names of labels and periods, for the catalogs."""
BEGIN = "begin"
"""The column with the first instant of an hour or a day."""


def weekdays() -> tuple[str, ...]:
    """Return the short names of the weekdays in the reader's language, Monday first."""
    return tuple(weekday_text(date(2024, 1, day)) for day in range(1, 8))  # 1 January 2024 was a Monday


def labels_of(local: datetime, *, by: By) -> dict[str, str]:
    """Return the labels of the period of a local time, in the reader's language.

    An hour that occurs twice is two periods.
    """
    return {label: _SPELLED[label](local) for label in LABELS[by]}


def order_of(labels: Mapping[str, str]) -> int:
    """Return the place of a period among others that are in order of time: weekdays begin with Monday."""
    return weekdays().index(labels["weekday"]) if [*labels] == ["weekday"] else 0


def period_columns(by: By) -> tuple[Column, ...]:
    """Return the columns of a period: its first instant where it has one, and its labels."""
    begin = (Column(key=BEGIN, heading=BEGIN, unit="instant", is_for_programs=True),)
    labels = LABELS[by]
    return (
        *(begin if axis_of(by) == BEGIN else ()),
        *(
            Column(key=each, heading=translation(each), is_vital=each != "weekday" or labels == (each,))
            for each in labels
        ),
    )


def period_cells(local: datetime, *, by: By) -> tuple[Cell, ...]:
    """Return the cells of the columns of the period in which a local time lies."""
    begin = (
        _begin_of_hour(local)
        if by == "hour"
        else local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    )
    return (*((begin,) if axis_of(by) == BEGIN else ()), *labels_of(local, by=by).values())


def _begin_of_hour(local: datetime) -> datetime:
    """Return the first instant of an hour. If clocks change in it, its second part begins then."""
    minutes = (local.replace(minute=minute, second=0, microsecond=0) for minute in range(local.minute + 1))
    return next((each for each in minutes if each.utcoffset() == local.utcoffset()), local)


def axis_of(by: By) -> str:
    """Return the column over which a chart of such periods is drawn: instants, or names."""
    return BEGIN if by in ("hour", "day") else by


def _hour(local: datetime) -> str:
    """Return `02:00`; with the offset (`02:00 UTC+02:00`) in an hour with minutes that occur twice."""
    return f"{local.hour:02}:00{offset_if_twice(local.replace(minute=59))}"


def _week(local: datetime) -> str:
    """Return `2026-W48`. The year is the week's own: 1 January 2027 lies in 2026-W53."""
    year, week, _ = local.isocalendar()
    shown = f"{week:02}"
    return tr("{year}-W{week}", year=str(year), week=shown)


_SPELLED: Mapping[str, Callable[[datetime], str]] = {
    "date": day_text,
    "hour": _hour,
    "weekday": weekday_text,
    "week": _week,
    "month": month_text,
    "year": lambda local: str(local.year),
}
