"""How commands show things: tables by rich on a terminal, plain aligned text in a pipe.

Foreign text (names of statuses, pollers, people's mistakes) is shown as text: no control character acts,
and no markup is read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from tallyd.core.reading import Json
from tallyd.core.texts import visible

Row: TypeAlias = "Sequence[object]"

STYLES = {"error": "bold red", "warning": "yellow", "fine": "green", "quiet": "dim"}


def say(text: str = "", *, style: str | None = None) -> None:
    """Print a line to stdout; `style` is one of STYLES and is dropped in a pipe."""
    _print(text, style, sys.stdout)


def complain(text: str, *, style: str | None = "error") -> None:
    """Print a line to stderr."""
    _print(text, style, sys.stderr)


def _print(text: str, style: str | None, stream: object) -> None:
    if stream is None:  # closed; rich would take the other one
        return
    # soft_wrap: a long line is the terminal's to wrap, and is never cut in a pipe.
    console = Console(file=stream, highlight=False, soft_wrap=True)  # type: ignore[arg-type] # a text stream
    console.print(
        Text("\n".join(visible(line) for line in text.split("\n")), style=STYLES.get(style or "", ""))
    )


def show_json(content: Json) -> None:
    """Print JSON, readable, UTF-8."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def show_table(headings: Sequence[str], rows: Sequence[Row], *, right: frozenset[int] = frozenset()) -> None:
    """Print a table. `right` are the numbers of the right-aligned columns. None is an empty cell."""
    cells = [["" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(box=None, pad_edge=False, header_style="bold")
        for number, heading in enumerate(headings):
            table.add_column(
                Text(visible(heading)), justify="right" if number in right else "left", overflow="fold"
            )
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        Console(highlight=False).print(table)
    else:
        sys.stdout.write(_plain([[visible(heading) for heading in headings], *cells], right))


@contextmanager
def progress_shown(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal while a long command runs; yield what is told (done, of how many)."""
    if not sys.stderr or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain(rows: list[list[str]], right: frozenset[int]) -> str:
    widths = [max(cell_len(row[number]) for row in rows) for number in range(len(rows[0]))]
    lines = []
    for row in rows:
        padded = [
            " " * (width - cell_len(cell)) + cell
            if number in right
            else cell + " " * (width - cell_len(cell))
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip() + "\n")
    return "".join(lines)
