"""How a board is shown: what its cells say, which rows of a table have room, and where links lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from markupsafe import Markup

from tallyd.contract.board import AskedError
from tallyd.core.language.formats import span
from tallyd.core.language.messages import english, tr
from tallyd.core.naming import local_text
from tallyd.core.panels import Cell, Chart, Column, Heatmap, Interval, Spread, Table, Unit
from tallyd.core.reading import Json
from tallyd.core.states import WORST_FIRST, State, Timeline
from tallyd.core.texts import visible
from tallyd.presentation.cells import amounts_text, percent_text, spread_texts, text_of
from tallyd.presentation.html.bars import Bars, bars_of
from tallyd.presentation.html.charts import chart_json

ROWS_A_PAGE: Final = 50
STEPS: Final = 5
"""Colors of a heatmap."""
LONGEST_WORD: Final = 16
"""In the name of a row, in characters: one that is longer would push other columns out of sight."""
_BEGIN_ROW: Final = Markup('<th scope="row">')
_BEGIN_LONG: Final = Markup('<th scope="row" class="long">')
_BEGIN: Final = Markup('<td data-label="{label}">')
_BEGIN_OF_KIND: Final = Markup('<td data-label="{label}" class="{kind}">')
_Row: TypeAlias = "tuple[Cell, ...]"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of a table that are shown: a page of them, counted from 1. `sort` is the column's key."""

    shown: tuple[_Row, ...]
    page: int = 1
    pages: int = 1
    sort: str = ""
    is_down: bool = False


@dataclass(frozen=True, kw_only=True)
class View:
    """Shows boards in a zone. `now` None: in a file that is read later, so that instants have their date.

    A table has `most_rows`; None: it has pages, and its rows can be sorted, as `query` says. On a card, it
    has only its vital columns. `path` is the address of the poller's page; None: nothing links to it.
    `options` are what was chosen of the board. `csv_command` and the key of a table print that table. If a
    language was asked for, `query` has it as `lang`, and all links keep it.
    """

    zone: ZoneInfo
    now: datetime | None = None
    most_rows: int | None = None
    is_card: bool = False
    path: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    csv_command: str = "{tallyd} report --format csv"

    # -- cells -------------------------------------------------------------------------------------------

    def text(self, cell: Cell, unit: Unit) -> str:
        """Return a cell as people read it."""
        return text_of(cell, unit, zone=self.zone, now=self.now)

    def iso(self, at: datetime) -> str:
        """Return an instant as programs read it."""
        return local_text(at.replace(microsecond=0), self.zone)

    def distance(self, at: datetime) -> str:
        """Return how far an instant lies from now: `5 min ago`; empty without `now`."""
        if self.now is None:
            return ""
        ago_s = round((self.now - at).total_seconds())
        if ago_s >= 0:
            return tr("{span} ago", span=span(ago_s))
        return tr("in {span}", span=span(-ago_s))

    def chart(self, chart: Chart) -> dict[str, Json]:
        """Return what `plots.js` draws."""
        return chart_json(chart, self.zone)

    def bars(self, timeline: Timeline) -> Bars:
        """Return a timeline as bars."""
        return bars_of(timeline, lambda at: self.text(at, "instant"))

    def amounts(self, timeline: Timeline) -> str:
        """Return for how long each state of a timeline held."""
        return amounts_text(timeline)

    # -- heatmaps ----------------------------------------------------------------------------------------

    @property
    def steps(self) -> range:
        """The colors of a heatmap, each a number: the largest is for the largest means."""
        return range(1, STEPS + 1)

    def step(self, cell: Spread | Interval, heatmap: Heatmap) -> int:
        """Return the color of a cell: equal steps on the scale. Of an interval, the lower bound counts."""
        low, high = heatmap.scale or (0.0, 0.0)
        number = cell.mean if isinstance(cell, Spread) else cell.low
        share = (number - low) / (high - low) if high > low else 0.5
        return min(STEPS, 1 + int(share * STEPS))

    def parts(self, cell: Spread | Interval) -> tuple[str, str]:
        """Return the mean, and the least and the most, for a narrow cell; of a share, only its bounds."""
        if isinstance(cell, Spread):
            return spread_texts(cell, "number")
        return percent_text(cell).replace("\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"), ""

    # -- tables ------------------------------------------------------------------------------------------

    def columns(self, table: Table) -> tuple[tuple[int, Column], ...]:
        """Return the columns that are shown, each with its place; on a card, the first and the vital ones."""
        vital = tuple(each for number, each in enumerate(table.shown) if not number or each[1].is_vital)
        return vital if self.is_card and len(vital) > 1 else table.shown

    def begins(self, columns: tuple[tuple[int, Column], ...]) -> Mapping[int, Markup]:
        """Return the tag that begins each cell of a column after the first, by its place in a row."""
        return {place: _begin(column) for place, column in columns[1:]}

    def begin_row(self, name: Cell) -> Markup:
        """Return the tag that begins a row. A very long word in its name may be broken anywhere."""
        is_long = isinstance(name, str) and any(len(word) > LONGEST_WORD for word in name.split())
        return _BEGIN_LONG if is_long else _BEGIN_ROW

    def rows(self, table: Table, name: str) -> Rows:
        """Return the rows that are shown. `name` is that of the table on its page. Raises `AskedError`.

        What is asked for is `sort=NAME.COLUMN`, `down=1` and `page=NAME.NUMBER`.
        """
        if self.most_rows is not None:
            return Rows(shown=table.whole(table.newest(self.most_rows)))
        rows = table.rows[::-1] if table.is_newest_last else table.rows
        sort, is_down = self._asked("sort", name), self.query.get("down") == "1"
        places = {column.key: place for place, column in table.shown}
        if sort in places:
            rows = _sorted(rows, places[sort], is_down=is_down)
        pages = max(1, -(-len(rows) // ROWS_A_PAGE))
        page = self._asked("page", name) or "1"
        if not (page.isascii() and page.isdecimal() and len(page) < 7):
            raise AskedError(english("page must be a table and a number, such as {name}.2", name=name))
        number = min(max(1, int(page)), pages)
        return Rows(
            shown=table.whole(rows[(number - 1) * ROWS_A_PAGE : number * ROWS_A_PAGE]),
            page=number,
            pages=pages,
            sort=sort if sort in places else "",
            is_down=is_down,
        )

    def is_asked(self, name: str) -> bool:
        """Whether somebody sorted a table, or looks at a page of it."""
        return any(self.query.get(what, "").startswith(f"{name}.") for what in ("sort", "page"))

    def _asked(self, what: str, name: str) -> str:
        """Return what is asked for of one table."""
        table, dot, asked = self.query.get(what, "").partition(".")
        if table and not (dot and asked):
            if what == "page":
                raise AskedError(english("page must be a table and a number, such as {name}.2", name=name))
            raise AskedError(english("sort must be a table and a column, such as {name}.COLUMN", name=name))
        return asked if table == name else ""

    # -- links -------------------------------------------------------------------------------------------

    def link(self, **changes: str) -> str:
        """Return the address of this page with some of what is asked for changed; empty: left out."""
        return _link(self.path or "", {**self.query, **self.options, **changes})

    def link_to(self, option: str, value: str) -> str:
        """Return the address of the poller's page with a value of an option chosen."""
        return _link(self.path or "", {**self.query, option: value})

    @property
    def lang(self) -> str:
        """The language that was asked for; empty: none was."""
        return self.query.get("lang", "")

    def to(self, address: str) -> str:
        """Return the address of another page, in the language that was asked for."""
        if not self.lang:
            return address
        return f"{address}{'&' if '?' in address else '?'}lang={self.lang}"


def _begin(column: Column) -> Markup:
    kinds = {"num": column.is_numeric, "note": column.is_note, "over-time": column.unit == "timeline"}
    kind = next((name for name, is_it in kinds.items() if is_it), "")
    begin = _BEGIN_OF_KIND if kind else _BEGIN
    return begin.format(label=visible(column.heading[:1].upper() + column.heading[1:]), kind=kind)


def _link(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode({name: value for name, value in query.items() if value})}"


def _sorted(rows: tuple[_Row, ...], place: int, *, is_down: bool) -> tuple[_Row, ...]:
    """Return rows sorted by a column. Those without a value there come last in both directions."""
    known = [row for row in rows if _rank(row[place]) is not None]
    known.sort(key=lambda row: _rank(row[place]) or (0, 0.0, ""), reverse=is_down)
    return (*known, *(row for row in rows if _rank(row[place]) is None))


def _rank(cell: Cell) -> tuple[int, float, str] | None:
    """Return the place of a cell among others: states by seriousness, numbers, instants, texts."""
    match cell:
        case State():
            return 0, WORST_FIRST.index(cell.level), cell.word
        case Spread(mean=number) | Interval(low=number):
            return 1, number, ""
        case datetime():
            return 1, cell.timestamp(), ""
        case int() | float():
            return 1, cell, ""
        case str():
            return 2, 0.0, cell
    return None
