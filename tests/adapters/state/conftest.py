"""A state of its own for each test, of each kind of database in turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeAlias

import pytest

from adapters.records.conftest import postgresql  # noqa: F401 # a fixture, found by its name
from adapters.records.servers import Server
from tallyd.adapters.state import State
from tallyd.adapters.state.sqlite import StateFile

KINDS = ("sqlite", "postgresql")
Reopen: TypeAlias = Callable[[State], State]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a new state may be made."""
    if request.param == "sqlite":
        return tmp_path / "state.db"
    url: str = request.getfixturevalue("empty_postgresql")
    return url


@pytest.fixture(scope="session")
def state_database(postgresql: Server) -> str:  # noqa: F811 # see above
    return postgresql.new_database()


@pytest.fixture
def empty_postgresql(postgresql: Server, state_database: str) -> str:  # noqa: F811 # see above
    """The URL of a database without a state."""
    postgresql.execute("DROP SCHEMA IF EXISTS tallyd_state CASCADE", state_database)
    return postgresql.url(state_database)


@pytest.fixture
def state(place: Path | str) -> Iterator[State]:
    with closing(State(place)) as state:
        yield state


@pytest.fixture
def watcher(state: State, place: Path | str) -> Iterator[State]:
    """Another one, which reads beside it."""
    with closing(State(place, reads_only=True)) as watcher:
        yield watcher


@pytest.fixture
def state_file(tmp_path: Path) -> Iterator[State]:
    """In SQLite, whose plans a test looks at."""
    with closing(State(tmp_path / "state.db")) as state:
        yield state


@pytest.fixture
def reopened(place: Path | str) -> Iterator[Reopen]:
    """Closes a state and opens it again, so that only what is stored counts."""
    with ExitStack() as stack:

        def reopen(state: State) -> State:
            state.close()
            return stack.enter_context(closing(State(place)))

        yield reopen


def sqlite_of(state: State) -> sqlite3.Connection:
    connection = state._connection
    assert isinstance(connection, StateFile)
    return connection._db
