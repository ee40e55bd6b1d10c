"""What is shown of a table: which rows have room, in which order, and with what."""

from __future__ import annotations

import pytest

from tallyd.core.panels import Board, Cell, Column, Stat, Table, filled
from tallyd.core.states import State

ROWS: tuple[tuple[Cell, ...], ...] = ((1,), (2,), (3,))


def table(*, is_newest_last: bool = False) -> Table:
    columns = (Column(key="number", heading="number"),)
    return Table(key="t", title="T", columns=columns, rows=ROWS, is_newest_last=is_newest_last)


@pytest.mark.parametrize(
    ("is_newest_last", "most", "shown"),
    [
        pytest.param(False, 2, ROWS[:2], id="the first have room"),
        pytest.param(True, 2, (ROWS[2], ROWS[1]), id="the last, newest first"),
        pytest.param(True, 3, ROWS, id="all have room and keep their order"),
        pytest.param(True, 4, ROWS, id="more have room"),
        pytest.param(True, None, ROWS, id="no limit"),
    ],
)
def test_where_room_is_scarce_the_newest_rows_are_shown(
    is_newest_last: bool, most: int | None, shown: tuple[tuple[Cell, ...], ...]
) -> None:
    assert table(is_newest_last=is_newest_last).newest(most) == shown


def test_a_filled_board_has_all_that_can_be_read_of_its_rows() -> None:
    def fill(rows: tuple[tuple[Cell, ...], ...]) -> tuple[tuple[Cell, ...], ...]:
        return tuple((f"{number} read",) for (number,) in rows)

    stat = Stat(key="s", name="S", value=1)
    columns = (Column(key="number", heading="number"),)
    board = Board(panels=(stat, Table(key="t", title="T", columns=columns, rows=ROWS, fill=fill)))
    shown, read = filled(board).panels
    assert shown == stat
    assert isinstance(read, Table)
    assert read.rows == (("1 read",), ("2 read",), ("3 read",))
    assert read.fill is None


def test_a_state_is_no_number_whatever_its_unit() -> None:
    assert Stat(key="s", name="S", value=1).is_numeric
    assert not Stat(key="s", name="S", value=State("fine", "well")).is_numeric
