"""The readings of some days as charts and tables: one by one, their means, and their weeks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from functools import cached_property

from tallyd.core.history import Entry, Group, Status, Value, remarks, spread, why_no_number
from tallyd.core.language.formats import day_text, weekday_text
from tallyd.core.language.messages import mark, tr, translated, translation
from tallyd.core.panels import Cell, Chart, Column, Gap, Panel, Shape, Table
from tallyd.core.periods import (
    BEGIN,
    LABELS,
    By,
    axis_of,
    labels_of,
    order_of,
    period_cells,
    period_columns,
)
from tallyd.core.schedule.timetable import WEEKDAYS
from tallyd.core.texts import items_text, remarks_text
from tallyd.core.weekly import TIME, names_of_times, time_column, weekly_heatmap

_OWN_KEYS = frozenset(
    {
        *("at", "time", "total", "group", "note", "origin", "taken_at", "readings", "missed", BEGIN),
        *(label for labels in LABELS.values() for label in labels),
    }
)
"""The keys of the columns that are no numbers of a reading."""
_TITLES: Mapping[By | None, tuple[str, str]] = {
    None: (mark("Readings"), mark("readings")),
    "hour": (mark("By hour: mean, least and most"), mark("by hour: mean, least and most")),
    "day": (mark("By day: mean, least and most"), mark("by day: mean, least and most")),
    "weekday": (mark("By weekday: mean, least and most"), mark("by weekday: mean, least and most")),
    "week": (mark("By week: mean, least and most"), mark("by week: mean, least and most")),
    "month": (mark("By month: mean, least and most"), mark("by month: mean, least and most")),
    "year": (mark("By year: mean, least and most"), mark("by year: mean, least and most")),
}
"""The title of the readings; and how it goes on after `NAME: `."""


def title_of(by: By | None, *, of: str = "") -> str:
    """Return the title of readings one by one (None) or of their means, for those `of` something."""
    alone, after = _TITLES[by]
    return tr("{what}: {readings}", what=of, readings=translation(after)) if of else translation(alone)


def hidden_of(entry: Entry, columns: Sequence[Status]) -> list[str]:
    """Return what names the numbers that are hidden."""
    values = [(tr("total"), entry.total), *((each.id, entry.count(each.id)) for each in columns)]
    return [name for name, value in values if value is Gap.HIDDEN]


def key_of(status: Status) -> str:
    """Return the key of a number's column, which is no other column's."""
    return f"{status.id}_" if status.id in _OWN_KEYS else status.id


@dataclass(frozen=True)
class Readings:
    """Readings and missed slots, oldest first, and the columns of their numbers."""

    entries: Sequence[Entry]
    statuses: Sequence[Status]
    zone: tzinfo
    group: Group | None

    @cached_property
    def _days(self) -> int:
        """The number of days with a slot or a reading."""
        return len({entry.at.astimezone(self.zone).date() for entry in self.entries})

    @cached_property
    def _has_total(self) -> bool:
        return bool(self.entries) and all(entry.has_total for entry in self.entries)

    @property
    def _numbers(self) -> tuple[Column, ...]:
        total = Column(key="total", heading=tr("total"), unit="number", is_vital=True)
        sums = [Column(key="group", heading=each.name, unit="number", is_vital=True) for each in self._sums]
        return (*([total] if self._has_total else []), *sums, *self._of_statuses)

    @property
    def _sums(self) -> tuple[Group, ...]:
        """The group, if it is a number of its own: all people of a single status are that of the status."""
        return (self.group,) if self.group and not self._status_of_group else ()

    @property
    def _status_of_group(self) -> Status | None:
        if self.group is None or self.group.qualification:
            return None
        return next((each for each in self.statuses if (each.id,) == self.group.statuses), None)

    def _values(self, entry: Entry) -> list[Value]:
        """Return the numbers of a reading, in the order of their columns."""
        total = [entry.total] if self._has_total else []
        return [*total, *(each.count(entry) for each in self._sums), *map(entry.count, self._ids)]

    @cached_property
    def _of_statuses(self) -> tuple[Column, ...]:
        names = Counter(each.label for each in self.statuses)
        return tuple(
            Column(
                key=key_of(each),
                heading=each.heading,
                unit="number",
                is_vital=True,
                legend=each.label if names[each.label] == 1 else "",
            )
            for each in self.statuses
        )

    @property
    def _series(self) -> Mapping[str, Shape]:
        return {key_of(each): "dots" for each in self.statuses}

    @property
    def _no_mean(self) -> str:
        why = why_no_number(self.entries, in_timetable=True)
        return tr("No number in these days: {why}.", why=why)

    def one_by_one(self, nothing: str) -> Chart:
        """Return a row for each reading and missed slot."""
        table = Table(
            key="readings",
            title=title_of(None),
            columns=(
                Column(key="at", heading="at", unit="instant", is_for_programs=True),
                Column(key="date", heading=tr("date"), is_vital=True),
                Column(key="time", heading=tr("time"), is_vital=True),
                Column(key="weekday", heading=tr("weekday")),
                *self._numbers,
                Column(key="note", heading=tr("note"), is_note=True),
                Column(key="origin", heading="origin", is_for_programs=True),
                Column(key="taken_at", heading="taken at", unit="instant", is_for_programs=True),
            ),
            rows=tuple(self._row(entry) for entry in self.entries),
            nothing=nothing,
            is_newest_last=True,
        )
        return Chart(table=table, x="at", series=self._series, nothing=nothing)

    def _row(self, entry: Entry) -> tuple[Cell, ...]:
        local = entry.at.astimezone(self.zone)
        notes, hidden = [*remarks(entry, self.zone)], hidden_of(entry, self.statuses)
        if hidden:
            limit = str(entry.hide_below)
            notes.append(tr("hidden (hide_below {limit}): {names}", limit=limit, names=items_text(hidden)))
        numbers = self._values(entry)
        return (
            entry.at,
            day_text(local),
            f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}",
            weekday_text(local),
            *([None] * len(numbers) if entry.is_missed else numbers),
            remarks_text(notes),
            entry.origin,
            entry.taken_at,
        )

    @cached_property
    def _ids(self) -> tuple[str, ...]:
        return tuple(each.id for each in self.statuses)

    def means(self, by: By) -> Chart:
        """Return the means by period. Readings by `once` are left out: a mean is over the slots."""
        groups = self._groups(lambda local: tuple(labels_of(local, by=by).values()))
        ordered = sorted(groups, key=lambda labels: order_of(dict(zip(LABELS[by], labels, strict=True))))
        rows = tuple(
            (
                *period_cells(groups[labels][0].at.astimezone(self.zone), by=by),
                sum(not entry.is_missed for entry in groups[labels]),
                sum(entry.is_missed for entry in groups[labels]),
                *_spreads(groups[labels], self._values),
            )
            for labels in ordered
        )
        counted = (
            Column(key="readings", heading=tr("readings"), unit="number"),
            Column(key="missed", heading=tr("missed"), unit="number"),
        )
        table = Table(
            key="readings",
            title=title_of(by),
            columns=(*period_columns(by), *counted, *self._numbers),
            rows=rows,
            nothing=self._no_mean,
            is_newest_last=True,
        )
        return Chart(table=table, x=axis_of(by), series=self._series, nothing=self._no_mean)

    def time_of_day(self) -> tuple[Chart, ...]:
        """Return the mean of each time of day, if there are several days."""
        if self._days < 2:  # one day is its own mean
            return ()
        name = names_of_times(entry.at.astimezone(self.zone) for entry in self._in_timetable)
        groups = self._groups(lambda local: (name(local),))
        rows = tuple(
            (*time, *_spreads(group, lambda entry: map(entry.count, self._ids)))
            for time, group in sorted(groups.items())
        )
        table = Table(
            key="time_of_day",
            title=tr("By time of day: mean, least and most"),
            columns=(time_column(), *self._of_statuses),
            rows=rows,
        )
        return (Chart(table=table, x=TIME, series=self._series, nothing=self._no_mean),)

    def with_course(self, chart: Chart, by: By | None) -> tuple[Panel, ...]:
        """Return the chart of all statuses and, before it, one of the group alone, with its minimum.

        The chart has the readings one by one (`by` None) or their means.
        """
        group = self.group
        if group is None or not chart.has_numbers:
            return (chart,)
        status = self._status_of_group
        course = replace(
            chart,
            series={key_of(status) if status else "group": "dots"},
            limit=group.limit,
            key="course",
            title=title_of(by, of=group.name),
        )
        if not course.has_numbers:
            return (chart,)
        if course.series == chart.series:
            return (replace(chart, limit=group.limit),)
        return (course, replace(chart, title=title_of(by, of=tr("All statuses"))))

    def weekly(self) -> tuple[Panel, ...]:
        """Return the group by weekday and time of day, if a weekday comes twice and there are numbers."""
        if self.group is None or self._days <= len(WEEKDAYS):
            return ()
        found = weekly_heatmap(self._in_timetable, self.group, self.zone)
        return (found,) if found.scale else ()

    def missed(self) -> tuple[Table, ...]:
        """Return the slots without a reading, and why: where readings are put together, no row says so."""
        rows = tuple((entry.at, translated(entry.reason or "")) for entry in self.entries if entry.is_missed)
        columns = (
            Column(key="at", heading=tr("slot"), unit="instant", is_vital=True),
            Column(key="reason", heading=tr("reason"), is_note=True),
        )
        return (Table(key="missed", title=tr("Missed slots"), columns=columns, rows=rows),) if rows else ()

    def _groups(self, name: Callable[[datetime], tuple[str, ...]]) -> dict[tuple[str, ...], list[Entry]]:
        groups: dict[tuple[str, ...], list[Entry]] = {}
        for entry in self._in_timetable:
            groups.setdefault(name(entry.at.astimezone(self.zone)), []).append(entry)
        return groups

    @cached_property
    def _in_timetable(self) -> Sequence[Entry]:
        """All but readings by `once`: a mean is over the slots."""
        return [entry for entry in self.entries if entry.origin != "once"]


def _spreads(group: Sequence[Entry], numbers: Callable[[Entry], Iterable[Value]]) -> list[Cell]:
    """Return the spread of each number of some readings; one that is never known has none."""
    rows = [[*numbers(entry)] for entry in group]
    return [spread(column) for column in zip(*rows, strict=True)]
