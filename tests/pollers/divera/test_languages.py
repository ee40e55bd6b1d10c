"""Whatever a person reads of a Divera unit is translated: titles, headings, notes, remarks and choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import get_args

import pytest

from support.toolbox import BERLIN
from support.translations import catalogs_of
from tallyd.contract.board import Asked
from tallyd.core.history import Entry, missed_slot
from tallyd.core.language.languages import reading_in
from tallyd.core.panels import Board, Chart, Heatmap, Limit, Stat, Table, tables_of
from tallyd.core.periods import By
from tallyd.core.reading import Json
from tallyd.core.readings_board import newest_board, readings_board
from tallyd.core.schedule.timetable import WEEKDAYS
from tallyd.pollers.divera.board import chosen_group, entry_of, group_of
from tallyd.pollers.divera.fulfilment import judged
from tallyd.pollers.divera.fulfilment_board import (
    RequirementSlots,
    fulfilment_board,
    with_fulfilment,
    with_requirements,
)
from tallyd.pollers.divera.requirement import Requirement
from tallyd.pollers.divera.vehicles import with_vehicles, with_vehicles_now

MONDAY = datetime(2026, 11, 2, 8, tzinfo=BERLIN)
READY = Requirement.model_validate({"statuses": ["1"], "count": 6, "qualification": "2"})
OF_A_NAME = frozenset({"group", "1", "2", "4", *WEEKDAYS})
"""Columns whose headings are names of the config, or of weekdays, which CLDR has."""


class Marked(Mapping[str, str]):
    """A language in which each message is what it is in English, after an asterisk."""

    def __getitem__(self, message: str) -> str:
        return f"*{message}" if message else ""

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@pytest.fixture(autouse=True)
def _reader() -> Iterator[None]:
    with catalogs_of(lambda _domain, _wanted: Marked()), reading_in("de"):
        yield


def reading(days: int, *, late_s: float = 0, **facts: Json) -> Entry:
    at = (MONDAY + timedelta(days=days)).astimezone(UTC)
    body: dict[str, Json] = {
        "source": "monitor",
        "counts": {"1": 5, "2": 3},
        "vehicles": {"2": 1, "4": 2},
        **facts,
    }
    return entry_of(at, taken_at=at + timedelta(seconds=late_s), body=body)


ENTRIES = [
    reading(0, total=8, names={"1": "Ready"}),
    reading(1, total=8, late_s=240, origin="late"),
    missed_slot((MONDAY + timedelta(days=2)).astimezone(UTC), reason=None),
    reading(3, counts={"1": 5, "2": None}, total=None, hide_below=3, clock_suspect=True),
    reading(7, total=8),
    reading(8, total=8, origin="once"),
]


def texts_of(board: Board) -> Iterator[str]:
    """Yield all texts of a board for people that are not names of statuses."""
    yield from filter(None, (board.said, *board.notes, *(each.label for each in board.choices)))
    panels = (*board.panels, *board.details)
    for panel in panels:
        if isinstance(panel, Stat) and panel.key not in OF_A_NAME:
            yield panel.name
        if isinstance(panel, Chart) and panel.limit:
            yield panel.limit.name
        if isinstance(panel, Chart) and panel.title:
            yield panel.title
        if isinstance(panel, Heatmap):
            yield panel.note
    for table in tables_of(panels):
        yield table.title
        yield from filter(None, [table.nothing])
        yield from texts_of_columns(table)


def texts_of_columns(table: Table) -> Iterator[str]:
    for place, column in table.shown:
        if column.key not in OF_A_NAME:
            yield column.heading
        if column.is_note or column.key == "meaning":
            yield from (str(row[place]) for row in table.rows if row[place])


def slots(entries: Sequence[Entry] = ENTRIES) -> RequirementSlots:
    judged_ones = judged(READY, entries, (time(8),), BERLIN)
    return RequirementSlots(id=READY.id, name="Ready", slots=judged_ones)


@pytest.mark.parametrize("by", [None, *get_args(By)])
def test_readings_and_vehicles(by: By | None) -> None:
    group = group_of(READY, "Ready")
    board = readings_board(ENTRIES, {}, by=by, zone=BERLIN, next_at=None, group=group)
    timetable = [each.local for each in slots().slots]
    board = with_fulfilment(board, [slots()], timetable, "")
    board = with_vehicles(board, ENTRIES, by=by, zone=BERLIN)
    assert [text for text in texts_of(board) if "*" not in text] == []


@pytest.mark.parametrize("entries", [[], ENTRIES[2:3], ENTRIES[-1:]], ids=["none", "missed", "by-hand"])
@pytest.mark.parametrize("by", [None, "day"])
def test_days_without_a_number(entries: Sequence[Entry], by: By | None) -> None:
    board = readings_board(entries, {}, by=by, zone=BERLIN, next_at=MONDAY)
    assert [text for text in texts_of(board) if "*" not in text] == []


def test_the_newest_reading() -> None:
    board = with_vehicles_now(newest_board(ENTRIES[3], {}), ENTRIES[3])
    board = with_requirements(board, ENTRIES[3], [READY], {}, BERLIN)
    assert [text for text in texts_of(board) if "*" not in text] == []
    requirements = next(each for each in tables_of(board.panels) if each.key == "requirements")
    assert requirements.cells("requirement") == ("*1 with qualification 2",)


@pytest.mark.parametrize("by", [None, *get_args(By)])
@pytest.mark.parametrize("entries", [ENTRIES, ENTRIES[2:3], []], ids=["some", "unknown", "none"])
def test_fulfilment(by: By | None, entries: Sequence[Entry]) -> None:
    asked = Asked(first=date(2026, 11, 1), last=date(2026, 11, 30), by=by, options={"fulfilment": "yes"})
    found = slots(entries)
    board = fulfilment_board([found], [each.local for each in found.slots], asked)
    assert [text for text in texts_of(board) if "*" not in text] == []


def test_a_group_of_statuses_has_the_limit_of_its_requirement() -> None:
    together = Requirement.model_validate({"statuses": ["1", "2"], "count": 6})
    group, _ = chosen_group("2+1", [], [together])
    assert group is not None
    assert group.limit == Limit("*minimum", 6)
