"""Counting by status, and minimum strengths."""

from __future__ import annotations

import pytest

from tallyd.core.history import in_order
from tallyd.pollers.divera.counting import Minimum, Shortage, count_statuses, shortages


def test_every_row_is_counted_even_of_the_same_person() -> None:
    assert count_statuses(["50101", "50101", "none", "7"]) == {"7": 1, "50101": 2, "none": 1}


def test_nobody_gives_no_counts() -> None:
    assert count_statuses([]) == {}


def test_counts_stand_by_ascending_id_and_none_last_whatever_the_numbers() -> None:
    assert list(in_order({"none": 9, "50102": 1, "7": 5, "600": 2})) == ["7", "600", "50102", "none"]


COUNTS = {"1": 4, "2": 1, "none": 2}


@pytest.mark.parametrize(
    ("statuses", "count", "found"),
    [
        pytest.param(("1",), 5, 4, id="below"),
        pytest.param(("1",), 4, None, id="exactly-enough"),
        pytest.param(("1",), 3, None, id="more-than-enough"),
        pytest.param(("1", "2"), 6, 5, id="a-sum-below"),
        pytest.param(("1", "2"), 5, None, id="a-sum-that-is-enough"),
        pytest.param(("none",), 3, 2, id="people-without-a-status"),
        pytest.param(("9",), 1, 0, id="a-status-without-a-count-is-nobody"),
    ],
)
def test_a_shortage_is_a_sum_below_its_minimum(
    statuses: tuple[str, ...], count: int, found: int | None
) -> None:
    minimum = Minimum(statuses, count)
    expected = () if found is None else (Shortage(minimum, found),)
    assert shortages(COUNTS, [minimum]) == expected


def test_shortages_come_in_the_order_of_the_minimums() -> None:
    second, first = Minimum(("2",), 9), Minimum(("1",), 9)
    assert [short.minimum for short in shortages(COUNTS, [second, first])] == [second, first]
