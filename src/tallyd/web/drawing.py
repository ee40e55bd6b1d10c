"""The plots of `plots.py` as shapes that need no script. On the page plotly draws them; this is for a file.

Shapes are paths on a sheet of SIZE times SIZE that is stretched to whatever room there is; texts are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html import unescape
from itertools import pairwise
from typing import Any, cast

from tallyd.web.plots import Figure, has_numbers
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
class _Trace:
    """One name of a figure: its points from left to right, None where there is no number."""

    name: str
    is_bar: bool
    has_dots: bool
    is_limit: bool
    x: tuple[str, ...]
    y: tuple[float | None, ...]
    up: tuple[float, ...]
    down: tuple[float, ...]

    @property
    def numbers(self) -> list[float]:
        """All that must find room on the axis."""
        known = [
            (y, up, down) for y, up, down in zip(self.y, self.up, self.down, strict=True) if y is not None
        ]
        return [y + up for y, up, _ in known] + [y - down for y, _, down in known]


@dataclass(frozen=True)
class _Across:
    """Where names or times lie from left to right, from 0 to 1; `slot` is the room of one."""

    places: dict[str, float]
    slot: float
    ticks: tuple[Tick, ...]


def drawing(figure: Figure) -> Drawing | None:
    """Return a figure drawn; None where it holds no number."""
    if not has_numbers(figure):
        return None
    traces = [_trace(each) for each in cast("list[dict[str, Any]]", figure["data"])]
    layout = cast("dict[str, Any]", figure["layout"])
    x_axis, y_axis = layout["xaxis"], layout["yaxis"]
    names = list(dict.fromkeys(x for trace in traces for x in trace.x))
    is_broad = any(trace.is_bar or any(trace.up + trace.down) for trace in traces)
    across = _dates(names, is_broad=is_broad) if x_axis["type"] == "date" else _categories(names)
    up = amounts(
        [number for trace in traces for number in trace.numbers],
        whole="tickformat" in y_axis,
        at_most=y_axis["range"][1] if "range" in y_axis else None,
    )
    return Drawing(
        series=_all_series(traces, across, up),
        x_ticks=across.ticks,
        y_ticks=up.ticks(),
        unit=y_axis.get("title", {}).get("text", ""),
    )


def _trace(data: dict[str, Any]) -> _Trace:
    error = data.get("error_y", {})
    nothing = [0.0] * len(data["x"])
    return _Trace(
        name=unescape(data["name"]),  # escaped for plotly; templates escape by themselves
        is_bar=data["type"] == "bar",
        has_dots="markers" in data.get("mode", ""),
        is_limit="dash" in data.get("line", {}),
        x=tuple(data["x"]),
        y=tuple(data["y"]),
        up=tuple(error.get("array", nothing)),
        down=tuple(error.get("arrayminus", nothing)),
    )


# -- from left to right -------------------------------------------------------------------------------------


def _categories(names: Sequence[str]) -> _Across:
    slot = 1 / len(names)
    places = {name: (number + 0.5) * slot for number, name in enumerate(names)}
    return _Across(places, slot, category_ticks(names))


def _dates(names: Sequence[str], *, is_broad: bool) -> _Across:
    """Return where times lie; `is_broad`: what stands there needs room on both sides."""
    at = {name: datetime.fromisoformat(name) for name in names}
    ordered = sorted(set(at.values()))
    gap = min((after - before for before, after in pairwise(ordered)), default=_DAY)
    first, last = ordered[0], ordered[-1]
    if is_broad or first == last:
        first, last = first - gap / 2, last + gap / 2
    length = last - first
    least_s = 86400 if all(len(name) == len("2026-11-20") for name in names) else 1
    places = {name: (moment - first) / length for name, moment in at.items()}
    return _Across(places, gap / length, date_ticks(first, last, least_s=least_s))


# -- shapes -------------------------------------------------------------------------------------------------


def _all_series(traces: Sequence[_Trace], across: _Across, up: Amounts) -> tuple[Series, ...]:
    n_bars = sum(trace.is_bar for trace in traces)
    found = []
    for number, trace in enumerate(traces):
        # Bars around means would cover each other: each name stands a little to the right of the one before.
        aside = (number / len(traces) - 0.5) * 0.3 * across.slot if any(trace.up + trace.down) else 0.0
        points = [
            ((across.places[x] + aside) * SIZE, None if y is None else _height(y, up))
            for x, y in zip(trace.x, trace.y, strict=True)
        ]
        known = [point for point in points if point[1] is not None]
        shapes = Series(
            name=trace.name,
            color=number % COLORS + 1,
            stroke=0 if trace.is_limit else number // COLORS % STROKES + 1,
        )
        if trace.is_bar:  # bars come first in a figure
            found.append(replace(shapes, bars=_bars(points, across.slot * SIZE, (number, n_bars), up)))
            continue
        dots = known if trace.has_dots and len(known) <= _MOST_DOTS else _lonely(points)
        found.append(
            replace(
                shapes,
                line=_line([*_thinned(points)]),
                dots=_dots(dots),
                whiskers=_whiskers(trace, [x for x, _ in points], up),
            )
        )
    return tuple(found)


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


def _whiskers(trace: _Trace, places: Sequence[float], up: Amounts) -> str:
    return "".join(
        f"M{x:.4g} {_height(y + more, up):.4g}V{_height(y - less, up):.4g}"
        for x, y, more, less in zip(places, trace.y, trace.up, trace.down, strict=True)
        if y is not None and (more or less)
    )
