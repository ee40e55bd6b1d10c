"""A chart as plain values, which `plots.js` draws."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Final, TypeAlias

from tallyd.core.panels import Cell, Chart, Spread, Unit
from tallyd.core.reading import Json
from tallyd.core.texts import rounded_share, visible
from tallyd.presentation.cells import text_of

MOST_POINTS: Final = 2000
"""Of more rows, a chart shows the newest; of names, the first. More could not be told apart."""
_DURATIONS: Final = ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_PERCENT: Final = 0.01
_Numbers: TypeAlias = "list[float | None]"


def chart_json(chart: Chart, zone: tzinfo) -> dict[str, Json]:
    """Return what is drawn of at most `MOST_POINTS` rows, from left to right. None is a gap.

    Times are seconds since 1970, to be shown in `zone`. Durations are in the largest unit that fits, shares
    in percent; `unit` says so. `low` and `high` are empty without a `Spread`.
    """
    places = chart.table.cells(chart.x)
    times = [each for each in places if isinstance(each, datetime)]
    is_time = len(times) == len(places)
    by_time = sorted(range(len(places)), key=times.__getitem__) if is_time else []
    order = by_time[-MOST_POINTS:] or range(len(places))[:MOST_POINTS]
    columns = {column.key: column for column in chart.table.columns}
    cells = {key: chart.table.cells(key) for key in chart.series}
    found = {key: [cells[key][number] for number in order] for key in chart.series}
    numbers = [number for cells in found.values() for cell in cells for number in _parts(cell)]
    limits = [chart.limit.value] if chart.limit else []
    kind = columns[next(iter(chart.series))].unit
    size, unit = _unit(kind, [*numbers, *limits])
    return {
        "times": [int(times[number].timestamp()) for number in order] if is_time else [],
        "zone": str(zone),
        "names": [] if is_time else [visible(str(places[number])) for number in order],
        "columns": [
            {
                "name": visible(columns[key].legend or columns[key].heading),
                "shape": shape,
                "values": [*_scaled([_parts(cell)[0] for cell in found[key]], size)],
                "low": [*_scaled(_ends(found[key], 1), size)],
                "high": [*_scaled(_ends(found[key], 2), size)],
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
        "is_whole": size == 1 and all(number is None or isinstance(number, int) for number in numbers),
    }


def _parts(cell: Cell) -> tuple[float | None, float | None, float | None]:
    """Return the number of a cell; of a spread also the least and the most."""
    if isinstance(cell, Spread):
        return cell.mean, cell.low, cell.high
    return cell if isinstance(cell, int | float) else None, None, None


def _ends(cells: Sequence[Cell], part: int) -> _Numbers:
    return [_parts(cell)[part] for cell in cells] if any(isinstance(cell, Spread) for cell in cells) else []


def _unit(unit: Unit, numbers: Sequence[float | None]) -> tuple[float, str]:
    """Return the size of one unit of the axis, in the unit of the cells, and its name."""
    if unit == "share":
        return _PERCENT, "%"
    if unit != "seconds":
        return 1, ""
    longest_s = max((number for number in numbers if number is not None), default=0.0)
    return next((each for each in _DURATIONS if longest_s >= 2 * each[0]), _DURATIONS[-1])


def _scaled(numbers: _Numbers, size: float) -> _Numbers:
    if size == _PERCENT:
        numbers = [None if each is None else rounded_share(each) for each in numbers]
    return numbers if size == 1 else [None if each is None else round(each / size, 2) for each in numbers]
