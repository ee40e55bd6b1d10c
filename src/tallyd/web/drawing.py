"""The plots of `plots.py` as shapes that need no script, for a report. On the page uPlot draws them.

Shapes are paths on a sheet of SIZE times SIZE that is stretched to whatever room there is; texts are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from tallyd.web.plots import Chart, Column
from tallyd.web.scales import Amounts, Tick, amounts, category_ticks, date_ticks

SIZE = 1000
COLORS = 6
STROKES = 4
COLUMNS = 500
"""A line has its first, least, most and last point in each: more could not be told apart."""
_MOST_DOTS = 150
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Series:
    """What is drawn of one name. Each of `line`, `dots`, `bars`, `whiskers` is a path, empty for nothing.

    `color` counts from 1 to COLORS, `stroke` (how its line is broken) from 1 to STROKES; 0 is a limit.
    """

    name: str
    color: int
    stroke: int
    line: str = ""
    dots: str = ""
    bars: str = ""
    whiskers: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A plot. `x_ticks` lie from the left, `y_ticks` from the bottom; `unit` is of the numbers, if any."""

    series: tuple[Series, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    unit: str = ""


@dataclass(frozen=True)
class _Across:
    """Where each name or time lies from left to right, from 0 to 1; `slot` is the room of one."""

    places: tuple[float, ...]
    slot: float
    ticks: tuple[Tick, ...]


def drawing(chart: Chart) -> Drawing | None:
    """Return a plot drawn; None where it holds no number."""
    if not chart.has_numbers:
        return None
    limits = [chart.limit.value] if chart.limit else []
    parts = [part for column in chart.columns for part in (column.values, column.low, column.high)]
    up = amounts(
        [number for part in (*parts, limits) for number in part if number is not None],
        whole=chart.is_whole,
        at_most=chart.top,
    )
    across = _across(chart)
    return Drawing(
        series=tuple(_all_series(chart, across, up)),
        x_ticks=across.ticks,
        y_ticks=up.ticks(),
        unit=chart.unit,
    )


# -- from left to right -------------------------------------------------------------------------------------


def _across(chart: Chart) -> _Across:
    if chart.times:
        is_broad = any(column.shape == "bars" or column.low for column in chart.columns)
        return _times([at.replace(tzinfo=None) for at in chart.times], is_broad=is_broad)
    names = [str(place) for place in chart.places]
    slot = 1 / len(names)
    return _Across(tuple((number + 0.5) * slot for number in range(len(names))), slot, category_ticks(names))


def _times(times: Sequence[datetime], *, is_broad: bool) -> _Across:
    """Return where local times lie; `is_broad`: what stands there needs room on both sides."""
    ordered = sorted(set(times))
    gap = min((after - before for before, after in pairwise(ordered)), default=_DAY)
    first, last = ordered[0], ordered[-1]
    if is_broad or first == last:
        first, last = first - gap / 2, last + gap / 2
    length = last - first
    least_s = 86400 if is_broad and gap >= _DAY else 1
    places = tuple((at - first) / length for at in times)
    return _Across(places, gap / length, date_ticks(first, last, least_s=least_s))


# -- shapes -------------------------------------------------------------------------------------------------


def _all_series(chart: Chart, across: _Across, up: Amounts) -> Iterator[Series]:
    n_bars = sum(column.shape == "bars" for column in chart.columns)
    for number, column in enumerate(chart.columns):
        # Bars around means would cover each other: each name stands a little to the right of the one before.
        aside = (number / len(chart.columns) - 0.5) * 0.3 * across.slot if column.low else 0.0
        places = [(place + aside) * SIZE for place in across.places]
        points = [
            (x, None if value is None else _height(value, up))
            for x, value in zip(places, column.values, strict=True)
        ]
        shapes = Series(name=column.name, color=number % COLORS + 1, stroke=number // COLORS % STROKES + 1)
        if column.shape == "bars":  # bars come first in a plot
            yield replace(shapes, bars=_bars(points, across.slot * SIZE, (number, n_bars), up))
            continue
        known = [point for point in points if point[1] is not None]
        dots = known if column.shape == "dots" and len(known) <= _MOST_DOTS else _lonely(points)
        whiskers = _whiskers(column, places, up)
        yield replace(shapes, line=_line([*_thinned(points)]), dots=_dots(dots), whiskers=whiskers)
    if chart.limit:
        line = f"M0 {_height(chart.limit.value, up):.4g}H{SIZE}"
        yield Series(name=chart.limit.name, color=len(chart.columns) % COLORS + 1, stroke=0, line=line)


_Point = tuple[float, float | None]


def _height(value: float, up: Amounts) -> float:
    return (1 - up.place(value)) * SIZE


def _thinned(points: Sequence[_Point]) -> Iterator[_Point]:
    """Yield a line that looks the same with fewer points; gaps stay."""
    if len(points) <= 2 * COLUMNS:
        yield from points
        return
    column: list[_Point] = []
    for point in points:
        if column and (point[1] is None or int(point[0] * COLUMNS / SIZE) != _column(column)):
            yield from _extremes(column)
            column = []
        if point[1] is None:
            yield point
        else:
            column.append(point)
    yield from _extremes(column)


def _column(points: Sequence[_Point]) -> int:
    return int(points[0][0] * COLUMNS / SIZE)


def _extremes(points: Sequence[_Point]) -> Iterator[_Point]:
    if not points:
        return
    heights = [y if y is not None else 0.0 for _, y in points]
    kept = {0, heights.index(min(heights)), heights.index(max(heights)), len(points) - 1}
    yield from (points[number] for number in sorted(kept))


def _line(points: Sequence[_Point]) -> str:
    parts, is_drawn = [], False
    for x, y in points:
        if y is not None:
            parts.append(f"{'L' if is_drawn else 'M'}{x:.4g} {y:.4g}")
        is_drawn = y is not None
    return "".join(parts)


def _lonely(points: Sequence[_Point]) -> list[_Point]:
    """Return the points with gaps on both sides: a line does not show them."""
    heights = [None, *(y for _, y in points), None]
    return [
        point
        for number, point in enumerate(points)
        if point[1] is not None and heights[number] is None and heights[number + 2] is None
    ]


def _dots(points: Sequence[_Point]) -> str:
    """Return lines without length, whose round ends are the dots."""
    return "".join(f"M{x:.4g} {y:.4g}h0" for x, y in points)


def _bars(points: Sequence[_Point], slot: float, side_by_side: tuple[int, int], up: Amounts) -> str:
    number, count = side_by_side
    width = 0.8 * slot / count
    left, zero = -0.4 * slot + number * width, _height(0.0, up)
    return "".join(
        f"M{x + left:.4g} {zero:.4g}V{y:.4g}h{width:.3g}V{zero:.4g}z"
        for x, y in points
        if y is not None and y != zero
    )


def _whiskers(column: Column, places: Sequence[float], up: Amounts) -> str:
    return "".join(
        f"M{x:.4g} {_height(high, up):.4g}V{_height(low, up):.4g}"
        for x, low, high in zip(places, column.low, column.high, strict=False)
        if low is not None and high is not None and low < high
    )
