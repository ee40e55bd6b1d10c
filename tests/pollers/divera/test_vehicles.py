"""What people are shown of vehicles, beside the people of a unit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from tallyd.core.history import Entry, missed_slot
from tallyd.core.panels import Board, Chart, Spread, Table
from tallyd.pollers.divera.board import entry_of
from tallyd.pollers.divera.vehicles import with_vehicles, with_vehicles_now


def reading(hour: int, vehicles: Mapping[str, int] | None) -> Entry:
    at = datetime(2026, 11, 20, hour, tzinfo=UTC)
    facts = {} if vehicles is None else {"vehicles": dict(vehicles)}
    body = {"origin": "live", "source": "monitor", "total": 9, "counts": {"7": 9}, **facts}
    return entry_of(at, taken_at=at, body=body)  # type: ignore[arg-type] # JSON values


DAY = (
    reading(4, None),
    reading(8, {"2": 3, "6": 1}),
    missed_slot(datetime(2026, 11, 20, 12, tzinfo=UTC), reason=None),
    reading(16, {"2": 1, "7": 2, "none": 1}),
)


def test_the_newest_reading_has_a_row_for_each_radio_status() -> None:
    (table,) = with_vehicles_now(Board(), DAY[-1]).panels
    assert isinstance(table, Table)
    assert table.rows == (
        ("2", "ready, at the station", 1),
        ("7", "", 2),
        ("none", "no radio status", 1),
    )


@pytest.mark.parametrize("entry", [DAY[0], DAY[2], reading(8, {})], ids=["not-counted", "missed", "none"])
def test_without_vehicles_there_is_nothing_of_them(entry: Entry) -> None:
    assert with_vehicles_now(Board(), entry) == Board()
    assert with_vehicles(Board(), [entry], by=None, zone=UTC) == Board()


def test_over_time_they_are_a_chart_of_their_own_where_a_status_not_listed_is_zero() -> None:
    (chart,) = with_vehicles(Board(), DAY, by=None, zone=UTC).panels
    assert isinstance(chart, Chart)
    assert (chart.table.key, chart.table.title) == ("vehicles", "Vehicles by radio status (FMS): readings")
    assert chart.table.cells("time") == ("08:00", "12:00", "16:00")
    assert [chart.table.cells(key) for key in ("2", "6", "7", "none")] == [
        (3, None, 1),
        (1, None, 0),
        (0, None, 2),
        (0, None, 1),
    ]
    assert [column.heading for column in chart.table.columns if column.key in ("2", "7")] == [
        "ready, at the station (2)",
        "7",
    ]


def test_by_day_they_are_means() -> None:
    (chart,) = with_vehicles(Board(), DAY, by="day", zone=UTC).panels
    assert isinstance(chart, Chart)
    assert chart.table.cells("2") == (Spread(2.0, 1, 3, 2),)
