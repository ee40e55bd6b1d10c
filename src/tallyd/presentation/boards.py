"""Boards on a terminal, as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from typing import Final, cast
from zoneinfo import ZoneInfo

from tallyd.core.alerts.incident_view import IncidentView
from tallyd.core.language.formats import day_text, rounded_bounds
from tallyd.core.language.messages import mark, tr
from tallyd.core.panels import (
    Board,
    Cell,
    Column,
    Heatmap,
    Interval,
    Panel,
    Spread,
    Stat,
    StateTimeline,
    Table,
    Unit,
    main_tables,
    tables_of,
)
from tallyd.core.reading import Json
from tallyd.presentation.cells import NOT_KNOWN, amounts_text, csv_of, json_of, percent_text, text_of
from tallyd.presentation.csv_text import CsvCell, csv_text
from tallyd.presentation.terminal import say, show_prose, show_table


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """What a report says of one poller: `board` is of the local days from `first` to `last`, both included.

    `now` is how things are now, for the forms that show it. `subject` is what both boards are of, such as a
    target; empty: the poller as a whole. `incidents` are those of these days. `words` are the options of
    `tallyd report` for just this.
    """

    poller: str
    subject: str = ""
    kind: str
    zone: ZoneInfo
    first: date
    last: date
    board: Board
    now: Board | None = None
    key: str = ""
    incidents: Sequence[IncidentView] = ()
    words: Sequence[str] = ()

    @property
    def table(self) -> Table:
        """The table with the `key`; without one, the main table: the first that is no timeline."""
        main = main_tables(self.board.panels)[0]
        return next((each for each in self.tables if each.key == self.key), main)

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables of the days."""
        return tables_of((*self.board.panels, *self.board.details))


def period_text(chapters: Sequence[Chapter]) -> str:
    """Return the days of all chapters, and their zones: `2026-11-01 to 2026-11-30 (Europe/Berlin)`."""
    first, last = min(each.first for each in chapters), max(each.last for each in chapters)
    zones = ", ".join(dict.fromkeys(str(each.zone) for each in chapters))
    return tr(
        "{first}[ to {last}] ({zone})",
        first=day_text(first),
        last=day_text(last) if first < last else "",
        zone=zones,
    )


# -- on a terminal ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class BoardPrinter:
    """Prints boards: instants in `zone`, as seen from `now`; None: each with its date.

    Of a longer table it prints only `most_rows`. `see_columns` and `see_rows` say how to see what is left
    out.
    """

    zone: tzinfo
    now: datetime | None
    see_columns: str
    see_rows: str = ""
    most_rows: int | None = None

    def show(self, heading: str, board: Board, panels: Sequence[Panel]) -> None:
        """Print these panels of a board below a heading, then its notes and troubles.

        A table has its title where it does not stand alone.
        """
        if text := tr("[{heading}: ]{text}", heading=heading, text=board.said) if board.said else heading:
            show_prose(text, style="title")
        stats = [panel for panel in panels if isinstance(panel, Stat)]
        shown: dict[str, Table | StateTimeline] = {}  # several charts may show one table
        for panel in panels:
            for table in tables_of([_with_whole_percents(panel) if isinstance(panel, Heatmap) else panel]):
                if table.rows or table.nothing:
                    shown.setdefault(table.key, panel if isinstance(panel, StateTimeline) else table)
        if stats:
            self._show_stats(stats)
        for each in shown.values():
            if stats or len(shown) > 1:
                say(each.title)
            if isinstance(each, StateTimeline):
                self._show_timeline(each)
            else:
                self._show_table(each)
        for note in board.notes:
            show_prose(note)
        for trouble in board.troubles:
            say(trouble, style="warning")

    def _show_stats(self, stats: Sequence[Stat]) -> None:
        rows = [(stat.name, self._text(stat.value, stat.unit), stat.note) for stat in stats]
        width = 3 if any(stat.note for stat in stats) else 2
        show_table(
            (tr("name"), tr("value"), tr("note"))[:width],
            [row[:width] for row in rows],
            right=frozenset({1}),
            prose=frozenset(range(2, width)),
            see=self.see_columns,
        )

    def _show_table(self, table: Table) -> None:
        if not table.rows:
            show_prose(table.nothing, style=None)
            return
        rows = table.newest(self.most_rows)
        # Bars that are not read yet would cost a command the start of a database.
        shown = [each for each in table.shown if not table.fill or each[1].unit != "timeline"]
        columns = [column for _, column in shown]
        show_table(
            [column.heading for column in columns],
            [[self._text(row[place], column.unit) for place, column in shown] for row in rows],
            right=frozenset(place for place, column in enumerate(columns) if column.is_numeric),
            prose=frozenset(place for place, column in enumerate(columns) if column.is_note),
            vital=frozenset(place for place, column in enumerate(columns) if column.is_vital),
            broken=frozenset(
                number
                for number, (place, _) in enumerate(shown)
                if any(isinstance(row[place], Spread | Interval) for row in rows)
            ),
            see=self.see_columns,
        )
        if len(rows) < len(table.rows):
            more = len(table.rows) - len(rows)
            say(tr("{more} more: {command}", more=more, command=self.see_rows), style="quiet")

    def _show_timeline(self, shown: StateTimeline) -> None:
        spans = shown.timeline.spans
        if not spans:
            show_prose(shown.nothing, style=None)
            return
        show_prose(self._text(shown.timeline, "timeline"))
        begin, end = self._text(spans[0].begin, "instant"), self._text(spans[-1].end, "instant")
        amounts = amounts_text(shown.timeline)
        show_prose(tr("{begin} to {end}: {amounts}", begin=begin, end=end, amounts=amounts))

    def _text(self, cell: Cell, unit: Unit) -> str:
        return text_of(cell, unit, zone=self.zone, now=self.now)


def _with_whole_percents(shown: Heatmap) -> Heatmap:
    """Return a heatmap with shares as the page has them: seven columns must fit into one line."""
    rows = tuple(
        tuple(percent_text(cell) if isinstance(cell, Interval) else cell for cell in row)
        for row in shown.table.rows
    )
    return replace(shown, table=replace(shown.table, rows=rows))


# -- as JSON ------------------------------------------------------------------------------------------------


def board_json(board: Board, zone: tzinfo) -> dict[str, Json]:
    """Return a board for programs: its stats by key, and its tables by key.

    A table is `{"columns": {KEY: heading}, "rows": [{KEY: cell}]}`.
    """
    return {
        "said": board.said,
        "notes": list(board.notes),
        "troubles": list(board.troubles),
        "stats": _object([(stat.key, json_of(stat.value, stat.unit, zone)) for stat in board.stats]),
        "tables": {
            table.key: {
                "columns": {column.key: column.heading for column in table.columns},
                "rows": [
                    _object(
                        [
                            (column.key, json_of(cell, column.unit, zone))
                            for column, cell in zip(table.columns, row, strict=True)
                        ]
                    )
                    for row in table.rows
                ],
            }
            for table in tables_of((*board.panels, *board.details))
        },
    }


def _object(cells: Sequence[tuple[str, Json | object]]) -> dict[str, Json]:
    return {key: cast("Json", cell) for key, cell in cells if cell is not NOT_KNOWN}


# -- as CSV -------------------------------------------------------------------------------------------------


def chapters_csv(chapters: Sequence[Chapter], *, excel: bool, name_pollers: bool) -> str:
    """Return the table of each chapter as one CSV with one line of headings.

    A column that a table does not have is empty there. A mean, or a number that is an interval, is followed
    by the least and the most. `name_pollers`: the first column is the poller. The tables must be of one key.
    """
    return _csv(
        [(chapter.poller, chapter.table, chapter.zone) for chapter in chapters],
        excel=excel,
        name_pollers=name_pollers,
    )


_PARTS: Final = ("{heading}", mark("{heading} least"), mark("{heading} most"))
"""The headings of a column of means or intervals."""


def table_csv(table: Table, zone: ZoneInfo, *, excel: bool = False) -> str:
    """Return a table as CSV."""
    return _csv([("", table, zone)], excel=excel, name_pollers=False)


def _csv(tables: Sequence[tuple[str, Table, ZoneInfo]], *, excel: bool, name_pollers: bool) -> str:
    columns: dict[str, Column] = {}
    for _, table, _ in tables:
        for _, column in table.shown:
            known = columns.get(column.key)
            # A number whose poller knows no name for it takes the name that another one knows.
            if known is None or known.heading == known.key:
                columns[column.key] = column
    ordered = sorted(
        (column for column in columns.values() if column.unit != "timeline"), key=lambda each: each.is_note
    )
    parts = {each.key: _PARTS if _has_spreads(each.key, tables) else _PARTS[:1] for each in ordered}
    named = [tr(part, heading=_heading(column)) for column in ordered for part in parts[column.key]]
    lines: list[list[CsvCell]] = [[tr("poller"), *named] if name_pollers else [*named]]
    for poller, table, zone in tables:
        for row in table.rows:
            cells = {column.key: cell for column, cell in zip(table.columns, row, strict=True)}
            line = [
                csv_of(cell, column.unit, zone)
                for column in ordered
                for cell in _split(cells.get(column.key))[: len(parts[column.key])]
            ]
            lines.append([poller, *line] if name_pollers else line)
    return csv_text(lines, excel=excel)


def _heading(column: Column) -> str:
    if column.unit == "seconds":
        return tr("{heading} (s)", heading=column.heading)
    return column.heading


def _has_spreads(key: str, tables: Sequence[tuple[str, Table, ZoneInfo]]) -> bool:
    return any(
        isinstance(cell, Spread | Interval)
        for _, table, _ in tables
        if key in {column.key for column in table.columns}
        for cell in table.cells(key)
    )


def _split(cell: Cell) -> tuple[Cell, Cell, Cell]:
    if isinstance(cell, Interval):
        return (cell, *rounded_bounds(cell.low, cell.high))
    return (cell, cell.low, cell.high) if isinstance(cell, Spread) else (cell, None, None)
