"""Numbers by weekday and time of day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Final, TypeVar

from tallyd.core.history import Entry, Group, Value, spread
from tallyd.core.language.messages import tr
from tallyd.core.panels import Cell, Column, Gap, Heatmap, Table, Unit
from tallyd.core.periods import weekdays
from tallyd.core.schedule.timetable import WEEKDAYS

T = TypeVar("T")

MOST_TIMES: Final = 24
"""Of more times of day, a reader loses sight."""
TIME: Final = "time"
"""The key of the column with the times of day."""


def time_column() -> Column:
    """Return the column with the times of day."""
    return Column(key=TIME, heading=tr("time"), is_vital=True)


def names_of_times(local: Iterable[datetime]) -> Callable[[datetime], str]:
    """Return what names a local time: by its minute, or by its hour if these minutes are too many."""
    is_by_minute = len({(each.hour, each.minute) for each in local}) <= MOST_TIMES
    return lambda each: f"{each:%H:%M}" if is_by_minute else f"{each:%H}:00"


def weekly_heatmap(entries: Iterable[Entry], group: Group, zone: tzinfo) -> Heatmap:
    """Return how many people of a group there were, by weekday and time of day."""
    values = ((entry.at.astimezone(zone), group.count(entry)) for entry in entries)
    title = tr("{group} by weekday and time of day: mean, least and most", group=group.name)
    return Heatmap(table=weekly_table(values, spread_or_why, title=title))


def weekly_table(
    values: Iterable[tuple[datetime, T]],
    cell: Callable[[Sequence[T]], Cell],
    *,
    title: str,
    key: str = "weekly",
    unit: Unit = "number",
    nothing: str = "",
) -> Table:
    """Return the values at local times by weekday and time of day; `cell` is made of those of one cell.

    A cell is empty if there was nothing at that time. A weekday without anything has no column.
    """
    known = tuple(values)
    name = names_of_times(local for local, _ in known)
    cells: dict[tuple[str, int], list[T]] = {}
    for local, value in known:
        cells.setdefault((name(local), local.weekday()), []).append(value)
    shown, headings = sorted({day for _, day in cells}), weekdays()
    return Table(
        key=key,
        title=title,
        columns=(
            time_column(),
            *(Column(key=WEEKDAYS[day], heading=headings[day], unit=unit, is_vital=True) for day in shown),
        ),
        rows=tuple(
            (time, *(cell(cells[time, day]) if (time, day) in cells else None for day in shown))
            for time in sorted({time for time, _ in cells})
        ),
        nothing=nothing,
    )


def spread_or_why(values: Sequence[Value]) -> Cell:
    """Return mean, least and most of the known numbers; without any, why."""
    return spread(values) or (Gap.HIDDEN if Gap.HIDDEN in values else Gap.UNKNOWN)
