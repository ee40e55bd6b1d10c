"""What makes the content of a state.db useless."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tallyd.adapters.state import State, StateDamagedError


def expect_damage(state: State, statement: str) -> None:
    """Fail if the check has something to say now, or nothing after the statement."""
    state.check()
    with closing(sqlite3.connect(state.path, isolation_level=None)) as other:
        other.execute(statement)
    with pytest.raises(StateDamagedError, match="is damaged"):
        state.check()
