"""A timeline as bars, which need no script and no style of their own: plain values for an SVG.

A bar tells its level by colour and by height, so that nobody has to tell colours apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final

from tallyd.core.language.formats import span
from tallyd.core.language.messages import tr, translation
from tallyd.core.states import NO_DATA, Level, State, StateSpan, Timeline
from tallyd.core.texts import visible
from tallyd.presentation.cells import amounts_text

HEIGHT: Final = 8
_HEIGHTS: Final[Mapping[Level, int]] = {"error": HEIGHT, "warning": 6, "fine": 4, "unknown": 2}
_MOST_CUTS: Final = 100
"""Of more spans, lines between them would cover the bars."""
_WHOLE_S: Final = 60.0
"""A span in which nothing else is known for longer than this is one state all the time."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One or more spans with nothing to tell them apart. `x` and `width` are in spans.

    `kind` is the level of the worst state, or `no-data`: such a bar is clear, so that the ground shows.
    """

    x: int
    width: int
    height: int
    kind: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Bars:
    """All bars of a timeline that are as long as `width` spans. `label` is what a screen reader says.

    `known` and `cuts` are SVG paths: the area in which something is known, and the lines between spans.
    """

    width: int
    bars: tuple[Bar, ...]
    known: str
    cuts: str
    label: str


def bars_of(timeline: Timeline, written: Callable[[datetime], str]) -> Bars:
    """Return the bars of a timeline; `written` writes an instant."""
    found: list[Bar] = []
    known = ""
    place = 0
    for (worst, is_whole, _), group in groupby(enumerate(timeline.spans), key=_kind):
        spans = [each for _, each in group]
        first, last = spans[0], spans[-1]
        title = _title(first, last, written, is_whole=is_whole)
        is_known = worst is not NO_DATA
        height = _HEIGHTS[worst.level] if is_known else HEIGHT
        kind = worst.level if is_known else "no-data"
        found.append(Bar(x=place, width=len(spans), height=height, kind=kind, title=title))
        if is_known:
            known += f"M{place} 0h{len(spans)}v{HEIGHT}h-{len(spans)}z"
        place += len(spans)
    has_cuts = 1 < place <= _MOST_CUTS
    return Bars(
        width=place,
        bars=tuple(found),
        known=known,
        cuts=f"M1 0v{HEIGHT}" + f"m1-{HEIGHT}v{HEIGHT}" * (place - 2) if has_cuts else "",
        label=amounts_text(timeline),
    )


def _title(first: StateSpan, last: StateSpan, written: Callable[[datetime], str], *, is_whole: bool) -> str:
    begin, end = written(first.begin), written(last.end)
    state = visible(translation(first.worst.word))
    if is_whole:
        return tr("{begin} to {end}: {state} all the time", begin=begin, end=end, state=state)
    return tr(
        "{begin} to {end}: {state} {span}[, no data {no_data}]",
        begin=begin,
        end=end,
        state=state,
        span=span(round(first.worst_s, 1)),
        no_data=span(round(first.no_data_s, 1)) if first.no_data_s >= _WHOLE_S else "",
    )


def _kind(numbered: tuple[int, StateSpan]) -> tuple[State, bool, int]:
    """Return what makes a span another one than its neighbour: its number, if it is not of one state."""
    number, each = numbered
    is_whole = each.length_s - each.worst_s < _WHOLE_S
    return each.worst, is_whole, 0 if is_whole else number
