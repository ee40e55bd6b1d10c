"""What people are shown of a poller, as values: panels on a board, in Grafana's words.

A kind of poller makes them. The page, `report`, `status` and `once` render the same values, so that every
number means the same everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Literal, TypeAlias

from tallyd.core.language.messages import mark, tr, translated
from tallyd.core.states import State, Timeline

Unit: TypeAlias = Literal["text", "number", "seconds", "share", "instant", "timeline"]
"""What a cell is: text, a plain number, a duration, a share from 0 to 1, an aware instant, a `Timeline`."""
_NUMERIC: Collection[Unit] = ("number", "seconds", "share")
Shape: TypeAlias = Literal["bars", "dots", "line"]
"""Bars, a line with a dot at each number, or a line alone."""


class Gap(Enum):
    """Why there is no number, in English; renderers translate it. Neither ever counts as zero."""

    HIDDEN = mark("hidden")
    UNKNOWN = mark("not known")


@dataclass(frozen=True)
class Spread:
    """Mean, least and most of the `known` numbers that a cell stands for."""

    mean: float
    low: float
    high: float
    known: int


@dataclass(frozen=True)
class Interval:
    """A share from 0 to 1 of which only the bounds are known, both included. Equal: exact."""

    low: float
    high: float


Cell: TypeAlias = str | int | float | datetime | State | Spread | Interval | Timeline | Gap | None
"""None: an empty cell."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table. `key` names it for programs, `heading` for people, `legend` in a chart.

    `option`: each cell is a value of this option of the board, so that a page can link to it; `is_subject`:
    that value has a view of its own. A narrow terminal and a card keep `is_vital` columns; the terminal
    prints an `is_note` column below its row. Only programs see one that `is_for_programs`.
    """

    key: str
    heading: str
    unit: Unit = "text"
    option: str = ""
    is_subject: bool = False
    is_vital: bool = False
    is_note: bool = False
    is_for_programs: bool = False
    legend: str = ""

    @property
    def is_numeric(self) -> bool:
        """Whether its cells are aligned as numbers."""
        return self.unit in _NUMERIC


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells, in the order of the columns. `nothing` says why there is no row, and when one comes.

    `is_newest_last`: where only some rows have room, they are the last ones, newest first; else the first.
    `fill` reads what costs too much to be read of all rows: it returns these rows with their timelines, which
    are `Gap.UNKNOWN` until then.
    """

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    nothing: str = ""
    is_newest_last: bool = False
    fill: Callable[[tuple[tuple[Cell, ...], ...]], tuple[tuple[Cell, ...], ...]] | None = field(
        default=None, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        """Reject rows that do not fit the columns: the kind that makes them fails, and no renderer."""
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.key}: a row has not as many cells as there are columns")

    @property
    def shown(self) -> tuple[tuple[int, Column], ...]:
        """The columns that people see, each with its place."""
        return tuple((place, each) for place, each in enumerate(self.columns) if not each.is_for_programs)

    def newest(self, most: int | None) -> tuple[tuple[Cell, ...], ...]:
        """Return the rows that have room; None: all of them, in their order."""
        if most is None or len(self.rows) <= most:
            return self.rows
        return self.rows[: -most - 1 : -1] if self.is_newest_last else self.rows[:most]

    def whole(self, rows: tuple[tuple[Cell, ...], ...]) -> tuple[tuple[Cell, ...], ...]:
        """Return some of its rows with all that can be read of them."""
        return self.fill(rows) if self.fill and rows else rows

    def cells(self, key: str) -> tuple[Cell, ...]:
        """Return the cells of a column."""
        place = next(place for place, column in enumerate(self.columns) if column.key == key)
        return tuple(row[place] for row in self.rows)


@dataclass(frozen=True)
class Limit:
    """A level that is drawn across a chart, in the unit of its numbers."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A table that is also drawn: the columns `series` (key and shape) over the column `x`.

    Where `x` holds instants it is a time series; where it holds names, a bar chart. A `Spread` is drawn as
    its mean, with least and most. `top` is the upper end of the axis, if that is fixed. `nothing` says why
    there is no number to draw. Two charts in a row may draw the same table; one then has a `key` and a
    `title` of its own.
    """

    table: Table
    x: str
    series: Mapping[str, Shape]
    limit: Limit | None = None
    top: float | None = None
    nothing: str = ""
    key: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        """Reject a chart of columns that its table does not have."""
        others = {self.x, *self.series} - {column.key for column in self.table.columns}
        if others:
            raise ValueError(f"chart {self.table.key}: its table has no column {min(others)}")

    @property
    def has_numbers(self) -> bool:
        """Whether there is anything to draw besides a limit."""
        return any(
            isinstance(cell, int | float | Spread) for key in self.series for cell in self.table.cells(key)
        )

    @property
    def has_spreads(self) -> bool:
        """Whether a least and a most are drawn."""
        return any(isinstance(cell, Spread) for key in self.series for cell in self.table.cells(key))


@dataclass(frozen=True, kw_only=True)
class Heatmap:
    """A table of spreads, or of shares as intervals: the larger its number, the stronger a cell's color.

    The first column names the rows. All others are on one scale: of spreads, from the least mean to the most;
    of shares, from 0 to 1. `note` says what a cell has.
    """

    table: Table
    note: str = field(default_factory=lambda: tr("Mean, and below it the least and the most."))

    @property
    def scale(self) -> tuple[float, float] | None:
        """The numbers with the weakest and the strongest color; None: there is no number."""
        cells = [cell for row in self.table.rows for cell in row]
        if any(isinstance(cell, Interval) for cell in cells):
            return 0.0, 1.0
        means = [cell.mean for cell in cells if isinstance(cell, Spread)]
        return (min(means), max(means)) if means else None


@dataclass(frozen=True, kw_only=True)
class StateTimeline:
    """A timeline with a name, drawn as bars; its table has a row for each span.

    `nothing` says why there is no span.
    """

    key: str
    title: str
    timeline: Timeline
    nothing: str = ""

    @property
    def table(self) -> Table:
        """The spans: the worst state of each, how long that held, and for how long there is no data."""
        spans = self.timeline.spans
        return Table(
            key=self.key,
            title=self.title,
            columns=(
                Column(key="from", heading=tr("from"), unit="instant", is_vital=True),
                Column(key="to", heading=tr("to"), unit="instant"),
                Column(key="state", heading=tr("worst state"), is_vital=True),
                Column(key="state_s", heading=tr("for"), unit="seconds", is_vital=True),
                Column(key="no_data_s", heading=tr("no data"), unit="seconds"),
            ),
            rows=tuple((each.begin, each.end, each.worst, each.worst_s, each.no_data_s) for each in spans),
            nothing=self.nothing,
            is_newest_last=True,
        )


@dataclass(frozen=True, kw_only=True)
class Stat:
    """One number with its name. `key` names it for programs, `note` says what it means."""

    key: str
    name: str
    value: Cell
    unit: Unit = "number"
    note: str = ""

    @property
    def is_numeric(self) -> bool:
        """Whether it is a number, and no text, instant or state."""
        return self.unit in _NUMERIC and not isinstance(self.value, State)


Panel: TypeAlias = Stat | Table | Chart | Heatmap | StateTimeline


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A choice that a board offers: the values of one option, each with its label. The value "" is all."""

    option: str
    label: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """All panels of one poller. `said` is one line of what they come to.

    `notes` are sentences that a reader of the numbers must know, `troubles` why some cannot be read now.
    `details` are further panels: a page of its own, `status` and JSON have them, an overview, a table on a
    terminal and CSV do not.
    """

    panels: tuple[Panel, ...] = ()
    said: str = ""
    notes: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    details: tuple[Panel, ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def stats(self) -> tuple[Stat, ...]:
        """All stats."""
        return tuple(panel for panel in (*self.panels, *self.details) if isinstance(panel, Stat))


def unreadable(reason: str) -> str:
    """Return the trouble of a board whose numbers cannot be read."""
    return tr("The numbers can't be read now: {reason}.", reason=translated(reason))


def filled(board: Board) -> Board:
    """Return a board with all that can be read of its rows."""
    panels, details = (
        tuple(
            replace(panel, rows=panel.whole(panel.rows), fill=None) if isinstance(panel, Table) else panel
            for panel in panels
        )
        for panels in (board.panels, board.details)
    )
    return replace(board, panels=panels, details=details)


def main_tables(panels: Sequence[Panel]) -> tuple[Table, ...]:
    """Return the tables that are no timelines."""
    return tables_of([panel for panel in panels if not isinstance(panel, StateTimeline)])


def tables_of(panels: Sequence[Panel]) -> tuple[Table, ...]:
    """Return the tables in the order of the panels, also those of charts and heatmaps; each once."""
    shown = (panel for panel in panels if not isinstance(panel, Stat))
    tables = (panel if isinstance(panel, Table) else panel.table for panel in shown)
    return tuple({table.key: table for table in tables}.values())
