"""The page reads beside the daemon: it changes nothing, and nobody waits for it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.past import Past
from tallyd.adapters.state import State, StateError

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)


def test_a_state_that_is_opened_to_be_read_can_not_be_written_and_sees_what_is(tmp_path: Path) -> None:
    Past(tmp_path).taken("2026-11-20T08:00", {"50101": 3})
    path = tmp_path / "state" / "state.db"
    with closing(State(path)) as writing, closing(State(path, reads_only=True)) as reads:
        with pytest.raises(StateError, match="readonly"):
            reads.set_note("a", "b")
        writing.set_note("a", "b")
        assert reads.note("a") == "b"
        assert len(reads.readings.history(poller="divera")) == 1
        assert reads.is_in_place()


def test_a_read_under_way_holds_up_no_write(tmp_path: Path) -> None:
    Past(tmp_path).taken("2026-11-20T08:00", {"50101": 3})
    path = tmp_path / "state" / "state.db"
    with closing(State(path)) as writing, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM reading").fetchone()
        writing.set_note("a", "b")  # held up, it would give up with an error
        assert writing.note("a") == "b"


def test_none_is_made_where_none_is(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="no such file"):
        State(tmp_path / "state.db", reads_only=True)
    assert list(tmp_path.iterdir()) == []
