"""Numbers by weekday and time of day: what is hidden or not known is no zero, and no slot is lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.history import Value
from tallyd.core.panels import Cell, Gap, Spread, Table
from tallyd.core.weekly import MOST_TIMES, names_of_times, spread_or_why, weekly_table

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
HIDDEN, UNKNOWN = Gap.HIDDEN, Gap.UNKNOWN


def at(day: int, clock: str = "08:00") -> datetime:
    """Return a time of day; day 0 is a Monday."""
    hour, _, minute = clock.partition(":")
    return MONDAY + timedelta(days=day, hours=int(hour), minutes=int(minute))


def weekly(*values: tuple[datetime, Value]) -> Table:
    return weekly_table(values, spread_or_why, title="People")


def test_rows_are_times_of_day_and_columns_are_weekdays_from_monday_on() -> None:
    found = weekly((at(6, "20:00"), 3), (at(0, "20:00"), 5), (at(7, "20:00"), 6), (at(0, "07:30"), 1))
    assert [column.heading for column in found.columns] == ["time", "Mon", "Sun"]
    assert found.rows == (
        ("07:30", Spread(1.0, 1, 1, 1), None),
        ("20:00", Spread(5.5, 5, 6, 2), Spread(3.0, 3, 3, 1)),
    )


@pytest.mark.parametrize(
    ("values", "cell"),
    [
        pytest.param([4, HIDDEN, 8], Spread(6.0, 4, 8, 2), id="of-the-known-ones-alone"),
        pytest.param([UNKNOWN, 0, 3], Spread(1.5, 0, 3, 2), id="a-true-zero-counts"),
        pytest.param([HIDDEN, HIDDEN], HIDDEN, id="all-hidden"),
        pytest.param([UNKNOWN], UNKNOWN, id="a-missed-slot"),
        pytest.param([UNKNOWN, HIDDEN], HIDDEN, id="there-was-a-number"),
    ],
)
def test_what_is_hidden_or_not_known_is_no_zero(values: Sequence[Value], cell: Cell) -> None:
    found = weekly(*((at(7 * week), value) for week, value in enumerate(values)))
    assert found.rows == (("08:00", cell),)


def test_without_a_slot_there_is_no_row() -> None:
    assert weekly().rows == ()


@pytest.mark.parametrize(("count", "name"), [(MOST_TIMES, "00:10"), (MOST_TIMES + 1, "00:00")])
def test_too_many_times_of_day_are_named_by_their_hour(count: int, name: str) -> None:
    times = [MONDAY + timedelta(minutes=10 * number) for number in range(count)]
    assert names_of_times(times)(times[1]) == name


VALUES = st.sampled_from([HIDDEN, UNKNOWN, 0, 1, 7])


@given(st.lists(st.tuples(st.integers(0, 60 * 24 * 30), VALUES), max_size=60))
def test_every_known_number_is_in_one_cell(written: list[tuple[int, Value]]) -> None:
    values = [(MONDAY + timedelta(minutes=minutes), value) for minutes, value in written]
    found = weekly(*values)
    known = [value for _, value in values if not isinstance(value, Gap)]
    spreads = [cell for row in found.rows for cell in row if isinstance(cell, Spread)]
    assert sum(each.known for each in spreads) == len(known)
    assert min((each.low for each in spreads), default=None) == min(known, default=None)
    assert max((each.high for each in spreads), default=None) == max(known, default=None)
    assert len(found.rows) <= max(MOST_TIMES, 24)
    times = [row[0] for row in found.rows]
    assert times == sorted({str(time) for time in times})
