"""The instant that a run stands for: its slot if it was in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tallyd.core.reading import LATE_AFTER_S, Slot

DUE = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "late_s", "is_slot"),
    [
        pytest.param("08:00", 0.0, True, id="at once"),
        pytest.param("08:00", LATE_AFTER_S, True, id="just in time"),
        pytest.param("08:00", LATE_AFTER_S + 1, False, id="late"),
        pytest.param(None, 1.0, False, id="outside the timetable"),
    ],
)
def test_a_run_stands_for_its_slot_unless_it_was_late_or_had_none(
    key: str | None, late_s: float, is_slot: bool
) -> None:
    taken_at = DUE + timedelta(seconds=late_s)
    assert Slot(key, DUE).stands_for(taken_at) == (DUE if is_slot else taken_at)
