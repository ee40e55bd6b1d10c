"""A timeline as bars: light where nothing happens, and readable without colours, scripts or styles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tallyd.core.states import State, StateSpan, Timeline
from tallyd.presentation.html.bars import Bars, bars_of

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
FINE, LATE, STALE = State("fine", "fresh"), State("warning", "late"), State("error", "stale")
HOUR_S = 3600.0


def bars(*seconds: Mapping[State, float]) -> Bars:
    """Return the bars of hours from 13:00 on."""
    hours = [NOW + timedelta(hours=number) for number in range(len(seconds) + 1)]
    spans = (
        StateSpan(begin=begin, end=end, seconds=found)
        for (begin, end), found in zip(pairwise(hours), seconds, strict=True)
    )
    return bars_of(Timeline(tuple(spans)), lambda at: f"{at:%H:%M}")


def test_neighbours_that_are_alike_are_one_bar() -> None:
    found = bars({FINE: HOUR_S}, {FINE: HOUR_S - 1}, {STALE: 60.0, FINE: 3000.0}, {}, {}, {FINE: HOUR_S})
    assert [(each.x, each.width, each.kind, each.title) for each in found.bars] == [
        (0, 2, "fine", "13:00 to 15:00: fresh all the time"),
        (2, 1, "error", "15:00 to 16:00: stale 1 min, no data 9 min"),
        (3, 2, "no-data", "16:00 to 18:00: no data all the time"),
        (5, 1, "fine", "18:00 to 19:00: fresh all the time"),
    ]
    assert found.width == 6


def test_two_hours_with_some_trouble_each_are_two_bars() -> None:
    found = bars({STALE: 60.0, FINE: 3540.0}, {STALE: 60.0, FINE: 3540.0})
    assert [each.width for each in found.bars] == [1, 1]


def test_each_level_has_a_height_of_its_own_and_a_gap_covers_no_ground() -> None:
    found = bars({STALE: HOUR_S}, {LATE: HOUR_S}, {FINE: HOUR_S}, {})
    assert [(each.kind, each.height) for each in found.bars] == [
        ("error", 8),
        ("warning", 6),
        ("fine", 4),
        ("no-data", 8),
    ]
    assert found.known == "M0 0h1v8h-1zM1 0h1v8h-1zM2 0h1v8h-1z"


def test_the_label_says_for_how_long_each_state_held() -> None:
    assert bars({STALE: 900.0, FINE: 2700.0}).label == "stale 15 min (25.00%), fresh 45 min (75.00%)"


@pytest.mark.parametrize(
    ("count", "cuts"),
    [(1, ""), (2, "M1 0v8"), (3, "M1 0v8m1-8v8"), (100, "M1 0v8" + "m1-8v8" * 98), (101, "")],
)
def test_spans_are_parted_by_lines_where_there_is_room(count: int, cuts: str) -> None:
    assert bars(*[{FINE: HOUR_S}] * count).cuts == cuts


def test_a_year_without_trouble_is_one_bar_and_one_without_a_span_is_none() -> None:
    assert len(bars(*[{FINE: HOUR_S}] * 365).bars) == 1
    assert bars() == Bars(width=0, bars=(), known="", cuts="", label="")
