"""Boards on a terminal, as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import cast

from tallyd.core.panels import Board, Column, Panel, Stat, Table, tables_of
from tallyd.core.reading import Json
from tallyd.presentation.cells import NOT_KNOWN, csv_of, json_of, text_of
from tallyd.presentation.csv_text import Cell, csv_text
from tallyd.presentation.terminal import say, show_table

# -- on a terminal ------------------------------------------------------------------------------------------


def show_panels(
    panels: Sequence[Panel], *, zone: tzinfo, now: datetime, see: str, most_rows: int | None = None
) -> None:
    """Print stats and tables; of a longer table `most_rows`. `see` says how to see what is left out."""
    stats = [panel for panel in panels if isinstance(panel, Stat)]
    if stats:
        rows = [(stat.name, text_of(stat.value, stat.unit, zone=zone, now=now)) for stat in stats]
        show_table(("name", "value"), rows, right=frozenset({1}), see=see)
    for table in tables_of(panels):
        _show_table(table, zone=zone, now=now, see=see, most_rows=most_rows)


def _show_table(table: Table, *, zone: tzinfo, now: datetime, see: str, most_rows: int | None) -> None:
    if not table.rows:
        if table.nothing:
            say(table.nothing)
        return
    rows = table.newest(most_rows)
    columns = [column for _, column in table.shown]
    show_table(
        [column.heading for column in columns],
        [
            [text_of(row[place], column.unit, zone=zone, now=now) for place, column in table.shown]
            for row in rows
        ],
        right=frozenset(place for place, column in enumerate(columns) if column.is_numeric),
        prose=frozenset(place for place, column in enumerate(columns) if column.is_note),
        vital=frozenset(place for place, column in enumerate(columns) if column.is_vital),
        see=see,
    )
    if len(rows) < len(table.rows):
        say(f"{len(table.rows) - len(rows)} more: {see}", style="quiet")


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


def boards_csv(boards: Sequence[tuple[str, Board, tzinfo]], *, excel: bool, name_pollers: bool) -> str:
    """Return the main table of each (poller, board, zone) as one CSV with one line of headings.

    A column that a table does not have is empty there. `name_pollers`: the first column is the poller. The
    tables must be of one key.
    """
    found = [(poller, tables_of(board.panels)[0], zone) for poller, board, zone in boards]
    columns: dict[str, Column] = {}
    for _, table, _ in found:
        for _, column in table.shown:
            known = columns.get(column.key)
            # A number whose poller knows no name for it takes the name that another one knows.
            if known is None or known.heading == known.key:
                columns[column.key] = column
    ordered = sorted(columns.values(), key=lambda column: column.is_note)
    headings = [f"{each.heading} (s)" if each.unit == "seconds" else each.heading for each in ordered]
    lines: list[list[Cell]] = [["poller", *headings] if name_pollers else [*headings]]
    for poller, table, zone in found:
        for row in table.rows:
            cells = {
                column.key: csv_of(cell, column.unit, zone)
                for column, cell in zip(table.columns, row, strict=True)
            }
            line = [cells.get(each.key) for each in ordered]
            lines.append([poller, *line] if name_pollers else line)
    return csv_text(lines, excel=excel)
