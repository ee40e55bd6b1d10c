"""What a report as one file shows: a chapter for each poller, with plots and the tables behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tallyd.core.texts import number_text
from tallyd.web.drawing import Drawing
from tallyd.web.plots import Chart, Column

MOST_ROWS = 5000
"""Of one table. A file for a mail stays one."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under headings, the first cell of each naming it. `numbers` are columns of numbers.

    `cut` says which of too many rows are shown; empty where all are.
    """

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    cut: str = ""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A plot with its heading and its numbers as a table; `nothing` says why there is no drawing."""

    heading: str
    drawing: Drawing | None
    table: Table
    nothing: str


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One poller. `said` is in a line what its days come to, `notes` what is to be known beside the numbers.

    `before` and `after` are tables of their own, without a plot.
    """

    poller: str
    kind: str
    zone: str
    first: date
    last: date
    said: str
    notes: tuple[str, ...] = ()
    before: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()
    after: tuple[Table, ...] = ()

    @property
    def period(self) -> str:
        return period_text(self.first, self.last)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The whole file. `troubles` say what is missing in it, and why."""

    name: str
    period: str
    zone: str
    made: str
    version: str
    chapters: tuple[Chapter, ...]
    troubles: tuple[str, ...] = ()


def period_text(first: date, last: date) -> str:
    """Return days as people write them: `2026-11-01 to 2026-11-30`."""
    return f"{first}" if first == last else f"{first} to {last}"


def table(
    caption: str,
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    texts: Sequence[str],
    is_ranked: bool = False,
) -> Table:
    """Return a table; None is an empty cell. `texts` are the headings of columns that hold no numbers.

    Of too many rows the last are shown, which are the newest; the first where they are `is_ranked`.
    """
    shown = rows[:MOST_ROWS] if is_ranked else rows[-MOST_ROWS:]
    which = "first" if is_ranked else "last"
    return Table(
        caption=caption,
        headings=tuple(headings),
        rows=tuple(tuple("" if cell is None else str(cell) for cell in row) for row in shown),
        numbers=frozenset(number for number, heading in enumerate(headings) if heading not in texts),
        cut=f"the {which} {MOST_ROWS} of {len(rows)}" if len(shown) < len(rows) else "",
    )


def table_of(caption: str, first: str, means: Chart) -> Table:
    """Return the means of a plot with their least and most: `12.5 (10 to 14)`."""
    columns = means.columns
    rows = [
        [name, *(_cell(column, number) for column in columns)] for number, name in enumerate(means.places)
    ]
    return table(caption, (first, *(column.name for column in columns)), rows, texts=(first,))


def _cell(column: Column, number: int) -> str | None:
    mean, low, high = column.values[number], column.low[number], column.high[number]
    return None if mean is None or low is None or high is None else mean_text(mean, low, high)


def mean_text(mean: float, low: float, high: float) -> str:
    """Return a mean with the least and the most: `12.5 (10 to 14)`."""
    shown = f"{mean:.1f}" if mean == round(mean, 1) else number_text(mean)
    return f"{shown} ({number_text(low)} to {number_text(high)})"
