"""A cell as text for people, as JSON and for a spreadsheet: a number that is missing is never zero."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.panels import Cell, Gap, Interval, Spread, Unit
from tallyd.core.states import State, StateSpan, Timeline
from tallyd.core.texts import UNPRINTABLE
from tallyd.presentation.cells import NOT_KNOWN, amounts_text, csv_of, json_of, text_of
from tallyd.presentation.csv_text import CsvCell

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)


def text(cell: Cell, unit: Unit) -> str:
    return text_of(cell, unit, zone=BERLIN, now=NOW)


def spans(*seconds: dict[State, float]) -> Timeline:
    """Return spans of an hour from now on."""
    hours = [NOW + timedelta(hours=number) for number in range(len(seconds) + 1)]
    return Timeline(
        tuple(
            StateSpan(begin=begin, end=end, seconds=found)
            for (begin, end), found in zip(pairwise(hours), seconds, strict=True)
        )
    )


FINE, LATE, STALE = State("fine", "fresh"), State("warning", "late"), State("error", "stale")


@pytest.mark.parametrize(
    ("cell", "unit", "people", "program", "spreadsheet"),
    [
        pytest.param(None, "text", "", None, None, id="empty"),
        pytest.param("Gate\n12", "text", "Gate\\n12", "Gate\n12", "Gate\n12", id="text"),
        pytest.param(12, "number", "12", 12, 12, id="whole-number"),
        pytest.param(21.5, "number", "21.5", 21.5, 21.5, id="number"),
        pytest.param(1 / 3, "number", "0.3333333333", 1 / 3, 1 / 3, id="ten-digits-for-people"),
        pytest.param(0, "number", "0", 0, 0, id="zero"),
        pytest.param(1234.56, "seconds", "20 min 34 s", 1234.6, 1234.6, id="duration"),
        pytest.param(60, "seconds", "1 min", 60, 60, id="whole-seconds"),
        pytest.param(0.98057, "share", "98.06%", 0.9806, 0.9806, id="share"),
        pytest.param(1, "share", "100.00%", 1, 1, id="all-of-it"),
        pytest.param(
            spans({FINE: 3600.0}, {LATE: 60.0}, {STALE: 90.0, FINE: 3000.0}, {}),
            "timeline",
            "▃▆█·",
            [
                {
                    "from": f"2026-11-20T{14 + number}:00:00+01:00",
                    "to": f"2026-11-20T{15 + number}:00:00+01:00",
                }
                | {"state": state, "minutes": minutes}
                for number, (state, minutes) in enumerate(
                    [("fresh", 60.0), ("late", 1.0), ("stale", 1.5), ("no data", 60.0)]
                )
            ],
            None,
            id="timeline",
        ),
        pytest.param(
            datetime(2026, 11, 20, 8, 0, 0, 412000, tzinfo=UTC),
            "instant",
            "09:00",
            "2026-11-20T09:00:00.412+01:00",
            "2026-11-20 09:00:00",
            id="instant-of-today",
        ),
        pytest.param(
            datetime(2026, 11, 1, 8, 0, 5, tzinfo=UTC),
            "instant",
            "2026-11-01 09:00:05",
            "2026-11-01T09:00:05+01:00",
            "2026-11-01 09:00:05",
            id="instant-of-another-day",
        ),
        *(
            pytest.param(
                datetime(2026, 10, 25, hour, 30, tzinfo=UTC),
                "instant",
                f"2026-10-25 02:30 UTC+0{2 - hour}:00",
                f"2026-10-25T02:30:00+0{2 - hour}:00",
                f"2026-10-25 02:30:00+0{2 - hour}:00",
                id=f"instant-that-comes-twice-{hour}",
            )
            for hour in (0, 1)
        ),
        pytest.param(State("error", "sta\nle"), "text", "sta\\nle", "sta\nle", "sta\nle", id="state"),
        pytest.param(Gap.HIDDEN, "number", "hidden", None, None, id="hidden"),
        pytest.param(Gap.UNKNOWN, "number", "not known", NOT_KNOWN, None, id="not-known"),
        pytest.param(
            Spread(14.0, 10, 18, 2),
            "number",
            "14.0 (10\u201318)",
            {"mean": 14.0, "min": 10, "max": 18, "known": 2},
            14.0,
            id="mean",
        ),
        pytest.param(
            Spread(0.0315, 0.031, 0.032, 2),
            "number",
            "0.0315 (0.031\u20130.032)",
            {"mean": 0.0315, "min": 0.031, "max": 0.032, "known": 2},
            0.0315,
            id="mean-with-its-digits",
        ),
        pytest.param(
            Spread(90.0, 60, 120, 2),
            "seconds",
            "1 min 30 s (1 min\u20132 min)",
            {"mean": 90.0, "min": 60, "max": 120, "known": 2},
            90.0,
            id="mean-of-durations",
        ),
        pytest.param(
            Interval(0.506375, 0.587931),
            "share",
            "between 50.63% and 58.80%",
            {"min": 0.5063, "max": 0.588},
            None,
            id="share-between-bounds",
        ),
        pytest.param(Interval(0.5, 0.5), "share", "50.00%", {"min": 0.5, "max": 0.5}, 0.5, id="exact-share"),
    ],
)
def test_each_form_of_a_cell(
    cell: Cell, unit: Unit, people: str, program: object, spreadsheet: CsvCell
) -> None:
    assert text(cell, unit) == people
    assert json_of(cell, unit, BERLIN) == program
    assert csv_of(cell, unit, BERLIN) == spreadsheet


@pytest.mark.parametrize(("second", "shown"), [(0, "2026-11-20 09:00"), (5, "2026-11-20 09:00:05")])
def test_what_is_read_later_has_the_date_of_every_instant(second: int, shown: str) -> None:
    at = datetime(2026, 11, 20, 8, 0, second, 412000, tzinfo=UTC)
    assert text_of(at, "instant", zone=BERLIN, now=None) == shown


def test_what_is_read_later_has_the_offset_of_a_time_that_comes_twice() -> None:
    at = datetime(2026, 10, 25, 1, 30, 5, tzinfo=UTC)
    assert text_of(at, "instant", zone=BERLIN, now=None) == "2026-10-25 02:30:05 UTC+01:00"


CELLS = st.one_of(
    st.none(),
    st.text(max_size=10),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(Gap),
    st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 2), max_value=datetime(9000, 1, 1)),  # noqa: DTZ001 # in UTC
)
UNITS = st.sampled_from(["number", "seconds", "share"])


@given(CELLS, UNITS)
def test_every_cell_has_a_form_on_one_line_and_a_missing_number_is_none(cell: Cell, unit: Unit) -> None:
    assert not UNPRINTABLE.search(text(cell, unit))
    shown, stored = json_of(cell, unit, BERLIN), csv_of(cell, unit, BERLIN)
    assert shown is NOT_KNOWN or json.loads(json.dumps(shown)) == shown
    if isinstance(cell, Gap):
        assert (stored, shown == 0) == (None, False)


@pytest.mark.parametrize(
    ("timeline", "said"),
    [
        pytest.param(
            spans({FINE: 3600.0}, {STALE: 90.0, FINE: 3000.0}),
            "stale 1 min 30 s (1.25%), fresh 1 h 50 min (91.67%), no data 8 min 30 s (7.08%)",
            id="the worst first",
        ),
        pytest.param(spans({FINE: 3600.0}, {FINE: 3600.0}), "fresh all the time", id="one state"),
        pytest.param(spans({FINE: 3599.98}), "fresh all the time", id="a gap that nobody sees"),
        pytest.param(spans({}), "no data all the time", id="nothing is known"),
        pytest.param(Timeline(()), "", id="no span"),
    ],
)
def test_a_timeline_says_for_how_long_each_state_held(timeline: Timeline, said: str) -> None:
    assert amounts_text(timeline) == said
