"""Counting by status."""

from __future__ import annotations

from tallyd.core.history import in_order
from tallyd.pollers.divera.counting import count_statuses


def test_every_row_is_counted_even_of_the_same_person() -> None:
    assert count_statuses(["50101", "50101", "none", "7"]) == {"7": 1, "50101": 2, "none": 1}


def test_nobody_gives_no_counts() -> None:
    assert count_statuses([]) == {}


def test_counts_stand_by_ascending_id_and_none_last_whatever_the_numbers() -> None:
    assert list(in_order({"none": 9, "50102": 1, "7": 5, "600": 2})) == ["7", "600", "50102", "none"]
