"""A chart as plain values, which `plots.js` draws."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final, TypeAlias

from tallyd.core.language.formats import rounded_share
from tallyd.core.language.messages import mark, translation
from tallyd.core.panels import Cell, Chart, Spread, Unit
from tallyd.core.reading import Json
from tallyd.core.texts import visible
from tallyd.presentation.cells import text_of

MOST_BARS: Final = 2000
"""Of more rows, a chart with bars shows the newest; of names, the first."""
MOST_POINTS: Final = 400
"""Of more rows, lines have only the least and the most number of each stretch of time: nobody sees more."""
_DURATIONS: Final = (
    (86400.0, mark("days")),
    (3600.0, mark("hours")),
    (60.0, mark("minutes")),
    (1.0, mark("seconds")),
)
_PERCENT: Final = 0.01
_Numbers: TypeAlias = "list[float | None]"


def chart_json(chart: Chart, zone: tzinfo) -> dict[str, Json]:
    """Return what is drawn of a table, from left to right. None is a gap.

    Times are seconds since 1970, to be shown in `zone`. Durations are in the largest unit that fits, shares
    in percent; `unit` says so. `low` and `high` are empty without a `Spread`. A single instant is drawn under
    its name: nobody knows how long an axis of times should be.
    """
    places = chart.table.cells(chart.x)
    times = [each for each in places if isinstance(each, datetime)]
    is_time = len(times) == len(places) != 1
    columns = {column.key: column for column in chart.table.columns}
    cells = {key: chart.table.cells(key) for key in chart.series}
    order: Sequence[int] = range(len(places))[:MOST_BARS]
    if is_time:
        order = sorted(range(len(places)), key=times.__getitem__)
        has_bars = "bars" in chart.series.values()
        order = order[-MOST_BARS:] if has_bars else _thinned(order, [*cells.values()])
    found = {key: [cells[key][number] for number in order] for key in chart.series}
    numbers = [number for cells in found.values() for cell in cells for number in _parts(cell) or ()]
    limits = [chart.limit.value] if chart.limit else []
    kind = columns[next(iter(chart.series))].unit
    size, unit = _unit(kind, [*numbers, *limits] if chart.top is None else [chart.top])
    return {
        "times": [int(times[number].timestamp()) for number in order] if is_time else [],
        "zone": str(zone),
        "names": [] if is_time else [visible(_name(chart, number, zone)) for number in order],
        "columns": [
            {
                "name": visible(columns[key].legend or columns[key].heading),
                "shape": shape,
                "values": [*_scaled(_part(found[key], 0), size)],
                "low": [*_scaled(_part(found[key], 1), size)],
                "high": [*_scaled(_part(found[key], 2), size)],
            }
            for key, shape in chart.series.items()
        ],
        "limit": {
            "name": visible(f"{chart.limit.name} {text_of(chart.limit.value, kind, zone=zone, now=None)}"),
            "value": chart.limit.value / size,
        }
        if chart.limit
        else None,
        "unit": unit,
        "top": None if chart.top is None else chart.top / size,
        "is_whole": size == 1 and all(isinstance(number, int) for number in numbers),
    }


def _name(chart: Chart, number: int, zone: tzinfo) -> str:
    """Return what people read below a place: of an instant, its date and its time."""
    place = chart.table.cells(chart.x)[number]
    if not isinstance(place, datetime):
        return str(place)
    named = zip(chart.table.columns, chart.table.rows[number], strict=True)
    texts = [str(cell) for column, cell in named if column.is_vital and column.unit == "text"]
    return " ".join(texts) or text_of(place, "instant", zone=zone, now=None)


def _thinned(order: Sequence[int], columns: Sequence[Sequence[Cell]]) -> Sequence[int]:
    """Return at most `MOST_POINTS` of these rows, and gaps.

    Of each stretch of rows, it keeps the least and the most number of each column, and the first gap.
    """
    if len(order) <= MOST_POINTS:
        return order
    size = -(-len(order) * 2 * len(columns) // MOST_POINTS)
    kept: set[int] = set()
    for first in range(0, len(order), size):
        stretch = range(first, min(first + size, len(order)))
        for column in columns:
            parts = {place: _parts(column[order[place]]) for place in stretch}
            known = {place: numbers for place, numbers in parts.items() if numbers is not None}
            if known:
                kept |= {
                    min(known, key=lambda place: known[place][1]),
                    max(known, key=lambda place: known[place][2]),
                }
            kept |= {*[place for place in stretch if place not in known][:1]}
    return [order[place] for place in sorted(kept)]


def _parts(cell: Cell) -> tuple[float, float, float] | None:
    """Return the number, the least and the most of a cell; None: no number is known."""
    if isinstance(cell, Spread):
        return cell.mean, cell.low, cell.high
    return (cell, cell, cell) if isinstance(cell, int | float) else None


def _part(cells: Sequence[Cell], part: int) -> _Numbers:
    """Return one part of each cell. Without a `Spread`, there is no least and no most."""
    if part and not any(isinstance(cell, Spread) for cell in cells):
        return []
    return [numbers and numbers[part] for numbers in map(_parts, cells)]


def _unit(unit: Unit, numbers: Sequence[float]) -> tuple[float, str]:
    """Return the size of one unit of the axis, in the unit of the cells, and its name for the reader."""
    if unit == "share":
        return _PERCENT, "%"
    if unit != "seconds":
        return 1, ""
    longest_s = max(numbers, default=0.0)
    size, name = next((each for each in _DURATIONS if longest_s >= 2 * each[0]), _DURATIONS[-1])
    return size, translation(name)


def _scaled(numbers: _Numbers, size: float) -> _Numbers:
    if size == _PERCENT:
        numbers = [None if each is None else rounded_share(each) for each in numbers]
    return numbers if size == 1 else [None if each is None else round(each / size, 2) for each in numbers]
