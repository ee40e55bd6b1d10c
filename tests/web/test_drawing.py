"""Plots as shapes: where points, bars and ticks lie, and that a gap stays one."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.contract.lags import HourCount
from tallyd.core.history import Entry, Gap, Status, Value, missed_slot
from tallyd.pollers.visitors.visit_history import Visits
from tallyd.web.drawing import COLUMNS, SIZE, Drawing, drawing
from tallyd.web.plots import day_plot, lags_plot, readings_plot, shares_plot, visits_by_plot, visits_plot
from tallyd.web.scales import amounts, category_ticks, date_ticks

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)


def entry(hour: float, value: Value) -> Entry:
    at = BEGIN + timedelta(hours=hour)
    return Entry(at=at, taken_at=at, origin="live", counts={"1": value})


def drawn(values: Sequence[Value], name: str | None = None) -> Drawing | None:
    entries = [entry(hour, value) for hour, value in enumerate(values)]
    return drawing(readings_plot(entries, [Status("1", name)], zone=UTC, most=max(1, len(entries))))


def heights(path: str) -> list[float]:
    return [float(y) for y in re.findall(r"[ML]\S+ (\S+?)(?=[MLVh]|$)", path)]


def test_a_line_goes_from_left_to_right_and_zero_lies_at_the_bottom() -> None:
    found = drawn([0, 5, 10])
    assert found is not None
    (series,) = found.series
    assert series.line == "M0 1000L500 500L1000 0"
    assert [tick.text for tick in found.y_ticks] == ["0", "2", "4", "6", "8", "10"]


@pytest.mark.parametrize("gap", [Gap.HIDDEN, Gap.UNKNOWN])
def test_what_is_hidden_or_not_known_is_a_gap_and_no_zero(gap: Gap) -> None:
    found = drawn([5, gap, 10, 10])
    assert found is not None
    (series,) = found.series
    assert series.line == "M0 500M666.7 0L1000 0"
    assert heights(series.line) == [500, 0, 0]


def test_a_missed_slot_is_a_gap() -> None:
    entries = [entry(0, 4), missed_slot(BEGIN + timedelta(hours=1), reason="x"), entry(2, 4)]
    found = drawing(readings_plot(entries, [Status("1")], zone=UTC))
    assert found is not None
    assert found.series[0].line.count("M") == 2
    assert found.series[0].dots.count("M") == 2


@pytest.mark.parametrize("values", [[], [Gap.HIDDEN], [Gap.HIDDEN, Gap.UNKNOWN]])
def test_without_a_number_nothing_is_drawn(values: list[Value]) -> None:
    assert drawn(values) is None


def test_a_single_reading_is_a_dot_in_the_middle() -> None:
    found = drawn([7])
    assert found is not None
    assert found.series[0].dots.startswith("M500 ")


def test_a_name_stays_the_text_that_it_is() -> None:
    found = drawn([1], "<b>&amp;")
    assert found is not None
    assert found.series[0].name == "<b>&amp; (1)"


@pytest.mark.parametrize("seed", range(8))
def test_a_long_line_keeps_its_peaks_and_its_gaps_in_few_points(seed: int) -> None:
    chance = random.Random(seed)
    one_in = chance.choice((2, 50, 1000))
    values: list[Value] = [
        chance.randrange(900) if chance.randrange(one_in) else Gap.UNKNOWN for _ in range(4000)
    ]
    found = drawn(values)
    numbers = [value for value in values if isinstance(value, int)]
    assert found is not None
    (series,) = found.series
    runs = sum(
        isinstance(value, int) and not (number and isinstance(values[number - 1], int))
        for number, value in enumerate(values)
    )
    assert series.line.count("M") == runs
    assert len(heights(series.line)) <= 4 * (COLUMNS + 1 + runs)
    top = (1 - max(numbers) / _top(found)) * SIZE
    assert min(heights(series.line)) == pytest.approx(top, abs=0.5)


def _top(found: Drawing) -> float:
    return float(found.y_ticks[-1].text.replace(",", ""))


def test_means_stand_side_by_side_with_the_least_and_the_most_around_them() -> None:
    entries = [entry(8, 4), entry(32, 8), entry(9, 1)]
    found = drawing(day_plot(entries, [Status("1"), Status("2")], zone=UTC))
    assert found is not None
    first, second = found.series
    assert [tick.text for tick in found.x_ticks] == ["08:00", "09:00"]
    assert first.whiskers == "M175 0V500"  # from 8 to 4, and none around the one reading at nine
    assert (second.line, second.dots) == ("", "")  # nothing is known of it


def visits(label: str, value: str, n_in: int, inside: int | None) -> Visits:
    return Visits(
        labels={label: value}, days=1, n_in=n_in, n_out=1, n_other=0, inside=inside, most_inside=n_in
    )


def test_who_came_and_left_are_bars_side_by_side_and_who_is_inside_is_a_line() -> None:
    found = drawing(visits_plot([visits("hour", "08:00", 4, 3), visits("hour", "09:00", 0, 2)]))
    assert found is not None
    came, left, inside = found.series
    assert came.bars == "M50 1000V0h200V1000z"  # nobody came at nine: no bar
    assert left.bars == "M250 1000V750h200V1000zM750 1000V750h200V1000z"
    assert inside.line == "M250 250L750 500"


def test_days_without_records_keep_their_room() -> None:
    days = [visits("date", f"2026-11-{day}", 4, 3) for day in ("01", "02", "05")]
    found = drawing(visits_by_plot(days, by="day"))
    assert found is not None
    assert [tick.text for tick in found.x_ticks] == ["1 Nov", "2 Nov", "3 Nov", "4 Nov", "5 Nov"]
    assert found.series[0].bars.count("M") == 3


def test_of_months_nobody_is_said_to_be_inside() -> None:
    found = drawing(visits_by_plot([visits("month", "2026-11", 4, None)], by="month"))
    assert found is not None
    assert [series.name for series in found.series] == ["in", "out"]


def test_a_lag_has_its_unit_its_limit_and_gaps() -> None:
    at = [BEGIN + timedelta(hours=hour) for hour in range(4)]
    points = [(at[0], 0.0), (at[1], 3600.0), (at[2], None), (at[3], 7200.0)]
    found = drawing(lags_plot(points, stale_after_s=7200.0, zone=UTC))
    assert found is not None
    assert (found.unit, [series.stroke for series in found.series]) == ("hours", [1, 0])
    assert found.series[0].line.count("M") == 2
    without = drawing(lags_plot(points, stale_after_s=None, zone=UTC))
    assert without is not None
    assert len(without.series) == 1
    assert drawing(lags_plot([], stale_after_s=60.0, zone=UTC)) is None


def test_shares_within_the_limit_and_fresh_stand_side_by_side_and_reach_up_to_a_hundred_percent() -> None:
    counts = [HourCount(4, 1, 1, 9.0), HourCount(4, 0, 1, 9.0)]
    found = drawing(shares_plot([{"weekday": "Mon"}, {"weekday": "Tue"}], counts, by="weekday"))
    assert found is not None
    assert [series.name for series in found.series] == ["within the limit", "fresh"]
    assert (found.y_ticks[-1].text, found.unit) == ("100", "%")
    assert "V500h" in found.series[0].bars


# -- axes ---------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e6, 1e9), max_size=5), st.booleans())
def test_every_number_and_zero_lie_on_the_axis(values: list[float], whole: bool) -> None:
    axis = amounts(values, whole=whole)
    for value in [*values, 0.0]:
        assert -1e-6 <= axis.place(value) <= 1 + 1e-6
    assert 2 <= len(axis.ticks()) <= 9
    if whole:
        assert all("." not in tick.text for tick in axis.ticks())


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        pytest.param([1], ["0", "1"], id="whole"),
        pytest.param([0], ["0", "1"], id="nothing"),
        pytest.param([4200], ["0", "1,000", "2,000", "3,000", "4,000", "5,000"], id="thousands"),
        pytest.param([-3, 4], ["-4", "-2", "0", "2", "4"], id="below zero"),
    ],
)
def test_round_numbers_stand_beside_the_axis(values: list[float], texts: list[str]) -> None:
    assert [tick.text for tick in amounts(values, whole=True).ticks()] == texts


@pytest.mark.parametrize(
    ("first", "last", "texts"),
    [
        pytest.param("2026-11-20T08:00:00", "2026-11-20T08:00:40", "08:00:00 08:00:05", id="seconds"),
        pytest.param("2026-11-19T22:10:00", "2026-11-20T04:00:00", "23:00 20 Nov 01:00", id="hours"),
        pytest.param("2026-11-20T08:00:00", "2026-12-19T08:00:00", "23 Nov 30 Nov 7 Dec", id="weeks"),
        pytest.param("2026-01-20T08:00:00", "2026-09-19T08:00:00", "2026-02 2026-03", id="months"),
        pytest.param("1990-01-20T08:00:00", "1999-09-19T08:00:00", "1991 1992", id="years"),
    ],
)
def test_times_stand_where_they_are_round(first: str, last: str, texts: str) -> None:
    ticks = date_ticks(datetime.fromisoformat(first), datetime.fromisoformat(last))
    assert " ".join(tick.text for tick in ticks).startswith(texts)


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 # local times
    st.integers(1, 4_000_000_000),
)
def test_ticks_are_few_and_within(first: datetime, length_s: int) -> None:
    ticks = date_ticks(first, first + timedelta(seconds=length_s))
    assert len(ticks) <= 14
    assert all(0 <= tick.place <= 1 for tick in ticks)
    on_a_phone = [tick.text for tick in ticks if not tick.is_minor]
    assert sum(map(len, on_a_phone)) <= 36 + 8


def test_of_many_names_some_are_written_and_on_a_phone_fewer() -> None:
    ticks = category_ticks([f"{hour:02}:00" for hour in range(24)])
    assert [tick.text for tick in ticks][:3] == ["00:00", "02:00", "04:00"]
    assert [tick.text for tick in ticks if not tick.is_minor][:3] == ["00:00", "04:00", "08:00"]
    assert not any(tick.is_minor for tick in category_ticks(["Mon", "Tue", "Wed"]))
