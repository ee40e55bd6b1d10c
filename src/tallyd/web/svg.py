"""Small plots that need no script: the points of a line, in the units of the drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 160.0, 32.0
_MARGIN = 2.0


@dataclass(frozen=True)
class Line:
    """A line through `points` (of a `polyline`), and how high a limit lies; None: it lies outside."""

    points: str
    limit_y: float | None
    width: float = WIDTH
    height: float = HEIGHT


def line(
    values: Sequence[tuple[float, float]], *, first: float, last: float, limit: float | None = None
) -> Line | None:
    """Return values (x, y) as a line from `first` to `last`; y begins at 0. None of fewer than two."""
    if len(values) < 2 or last <= first:
        return None
    top = max([y for _, y in values] + ([limit * 1.1] if limit is not None else []) + [1e-9])
    inner = HEIGHT - 2 * _MARGIN

    def place(y: float) -> float:
        return round(HEIGHT - _MARGIN - inner * min(max(y / top, 0.0), 1.0), 1)

    points = " ".join(
        f"{round(WIDTH * min(max((x - first) / (last - first), 0.0), 1.0), 1):g},{place(y):g}"
        for x, y in values
    )
    return Line(points, place(limit) if limit is not None else None)
