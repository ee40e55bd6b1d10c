"""A cell of a board as text for people, as JSON and as CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final

from tallyd.core.language.formats import (
    clock,
    comes_twice,
    dated,
    day_text,
    number_text,
    percent,
    rounded_bounds,
    rounded_share,
    share_text,
    span,
    tenths_text,
)
from tallyd.core.language.messages import tr, translation
from tallyd.core.naming import local_text
from tallyd.core.panels import Cell, Gap, Interval, Spread, Unit
from tallyd.core.reading import Json
from tallyd.core.states import NO_DATA, Level, State, StateSpan, Timeline
from tallyd.core.texts import bounds_text, items_text, visible
from tallyd.presentation.csv_text import CsvCell

NOT_KNOWN = object()
"""What `json_of` returns for a number that nobody knows: its key is left out."""
_BARS: Final[Mapping[Level, str]] = {"error": "█", "warning": "▆", "fine": "▃", "unknown": "▁"}
_NO_BAR: Final = "·"


def text_of(cell: Cell, unit: Unit, *, zone: tzinfo, now: datetime | None) -> str:
    """Return a cell as people read it, on one line: `17 min`, `98.06%`, `08:00`, `hidden`.

    `now` None: it is read later, so every instant has its date.
    """
    if cell is None or isinstance(cell, str):
        return visible(cell or "")
    if isinstance(cell, Gap | State):
        return visible(translation(cell.value if isinstance(cell, Gap) else cell.word))
    if isinstance(cell, datetime):
        at = cell.replace(microsecond=0)
        return dated(at, zone) if now is None else clock(at, zone, now=now)
    if isinstance(cell, Spread | Interval):
        return _text_of_range(cell, unit)
    if isinstance(cell, Timeline):
        return "".join(map(_bar, cell.spans))
    return _number(cell, unit)


def _bar(span: StateSpan) -> str:
    return _NO_BAR if span.worst is NO_DATA else _BARS[span.worst.level]


def amounts_text(timeline: Timeline) -> str:
    """Return how long each state held, the worst first: `stale 6 min (10.00%), fresh 54 min (90.00%)`."""
    amounts = [each for each in timeline.amounts if round(each[1], 1)]
    if len(amounts) == 1:
        return tr("{state} all the time", state=visible(translation(amounts[0][0].word)))
    return items_text(
        tr(
            "{state} {span} ({share})",
            state=visible(translation(state.word)),
            span=span(round(held_s, 1)),
            share=share_text(held_s / timeline.length_s),
        )
        for state, held_s in amounts
    )


def _text_of_range(cell: Spread | Interval, unit: Unit) -> str:
    if isinstance(cell, Spread):
        return "{} ({})".format(*spread_texts(cell, unit))
    return bounds_text(cell.low, cell.high)


def spread_texts(cell: Spread, unit: Unit) -> tuple[str, str]:
    """Return the mean, and the least and the most with a dash between them, as people read them."""
    is_tenths = unit == "number" and cell.mean == round(cell.mean, 1)
    mean = tenths_text(cell.mean) if is_tenths else _number(cell.mean, unit)
    return mean, f"{_number(cell.low, unit)}\u2013{_number(cell.high, unit)}"


def percent_text(share: Interval) -> str:
    """Return a share in whole percent: `83%`, `71\u201388%`. Bounds are never narrower than they are known.

    Only nothing is `0%`, and only all of it is `100%`.
    """
    bounds = rounded_bounds(share.low, share.high)
    low, high = math.floor(round(bounds[0] * 100, 2)), math.ceil(round(bounds[1] * 100, 2))
    if share.low == share.high:
        exact = min(max(round(share.low * 100), 1), 99) if 0 < share.low < 1 else low
        return percent(exact / 100, digits=0)
    return f"{low}\u2013{percent(high / 100, digits=0)}"


def _number(value: float, unit: Unit) -> str:
    if unit == "seconds":
        return span(round(value, 1))
    return share_text(value) if unit == "share" else number_text(value)


def json_of(cell: Cell, unit: Unit, zone: tzinfo) -> Json | object:
    """Return a cell for a program: seconds, a share from 0 to 1, an instant with its offset.

    A hidden number is null. One that nobody knows is `NOT_KNOWN`.
    """
    if isinstance(cell, Gap):
        return None if cell is Gap.HIDDEN else NOT_KNOWN
    if isinstance(cell, State):
        return cell.word
    if isinstance(cell, datetime):
        return local_text(cell, zone)
    if isinstance(cell, Spread | Interval):
        return _json_of_range(cell)
    if isinstance(cell, Timeline):
        return timeline_json(cell, zone)
    return _rounded(cell, unit) if isinstance(cell, float) else cell


def _json_of_range(cell: Spread | Interval) -> Json:
    if isinstance(cell, Spread):
        return {"mean": cell.mean, "min": cell.low, "max": cell.high, "known": cell.known}
    low, high = rounded_bounds(cell.low, cell.high)
    return {"min": low, "max": high}


def timeline_json(timeline: Timeline, zone: tzinfo) -> Json:
    """Return each span for a program, with its worst state and for how many minutes that held."""
    return [
        {
            "from": local_text(each.begin, zone),
            "to": local_text(each.end, zone),
            "state": each.worst.word,
            "minutes": round(each.worst_s / 60, 1),
        }
        for each in timeline.spans
    ]


def csv_of(cell: Cell, unit: Unit, zone: tzinfo) -> CsvCell:
    """Return a cell for a spreadsheet. A gap and a timeline are empty; of means it is the mean, of an
    interval the number if it is exact.

    An instant is local, its date as the reader's language writes it. Only one that comes twice has its
    offset: most spreadsheets take that for text.
    """
    if isinstance(cell, Gap | Timeline):
        return None
    if isinstance(cell, State):
        return translation(cell.word)
    if isinstance(cell, datetime):
        local = cell.astimezone(zone)
        offset = local.isoformat(timespec="seconds")[len("2026-11-20T08:00:00") :]
        return f"{day_text(local)} {local:%H:%M:%S}{offset if comes_twice(local) else ''}"
    if isinstance(cell, Spread):
        return cell.mean
    if isinstance(cell, Interval):
        return _rounded(cell.low, unit) if cell.low == cell.high else None
    return _rounded(cell, unit) if isinstance(cell, float) else cell


def _rounded(value: float, unit: Unit) -> float:
    if unit == "share":
        return rounded_share(value)
    return round(value, 1) if unit == "seconds" else value
