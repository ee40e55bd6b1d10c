"""What makes the content of the state useless."""

from __future__ import annotations

import pytest

from tallyd.adapters.state import State, StateDamagedError


def execute(state: State, statement: str) -> list[tuple[object, ...]]:
    """Execute what tallyd would not, and return the rows."""
    with state._connection.transaction() as db:
        found = db.execute(statement)
        return found.fetchall() if statement.startswith("SELECT") else []


def expect_damage(state: State, statement: str) -> None:
    """Fail if the check has something to say now, or nothing after the statement."""
    state.check()
    execute(state, statement)
    with pytest.raises(StateDamagedError, match="is damaged"):
        state.check()
