"""The port to the database of the state: what the rest of this folder needs of SQLite or PostgreSQL.

All statements keep to the SQL that both understand: values as `?` or `:name`, `ON CONFLICT (...) DO UPDATE`
with the names of tables, text and integers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from tallyd.core.language.messages import english, mark
from tallyd.core.leader import Leader

ALL: Final = 2**62
"""As a LIMIT: all rows."""

Value: TypeAlias = "str | int | None"
Values: TypeAlias = "Sequence[Value] | Mapping[str, Value]"


class StateError(Exception):
    """The state can't be opened, read or written now. The text says why. Nothing was changed."""


class StateTooNewError(StateError):
    """A newer tallyd wrote the state."""


class StateDamagedError(StateError):
    """state.db is not a database, or what is stored makes no sense."""


class TablesError(StateError):
    """A table is not there, or not as tallyd made it."""


class DeposedError(StateError):
    """Another daemon is the leader now: this one may change nothing any more, and tell nobody anything."""

    def __init__(self, place: str) -> None:
        super().__init__(english("{place}: {why}", place=place, why=mark("another daemon has taken over")))


class ConflictError(Exception):
    """A value that must be unique exists already: a bug in tallyd, or a damaged index."""


def damaged(place: object, why: object) -> StateDamagedError:
    """Return the exception for a database that makes no sense."""
    return StateDamagedError(english("{file} is damaged: {why}", file=place, why=why))


def too_new(place: object) -> StateTooNewError:
    """Return the exception for a database of a newer version."""
    text = english(
        "{file} was written by a newer tallyd; install that version again, or restore a backup", file=place
    )
    return StateTooNewError(text)


class Rows(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def __iter__(self) -> Iterator[Any]: ...


class Statements(Protocol):
    """Executes statements, within a transaction or outside of one."""

    def execute(self, statement: str, values: Values = (), /) -> Rows: ...

    def executemany(self, statement: str, rows: Iterable[Values], /) -> Rows: ...


class StateConnection(Protocol):
    """One connection to the state. The threads of this process share it and a lock.

    `place` is what people call the database. Everything raises `StateError`.
    """

    @property
    def place(self) -> str: ...

    def transaction(self) -> AbstractContextManager[Statements]:
        """All changes of this block, or none. Nobody else changes anything meanwhile.

        Any exception rolls it back. Within another transaction it is a part of that one.
        """
        ...

    def reading(self) -> AbstractContextManager[Statements]:
        """The connection, for queries only."""
        ...

    @property
    def is_changing(self) -> bool:
        """Whether a transaction is open: what is read now may be rolled back."""
        ...

    def version(self) -> tuple[int, int]:
        """Return what differs after each change: one number for other connections, one for this one."""
        ...

    def confirm(self) -> None:
        """Raise `DeposedError` if another daemon has taken over, `StateError` if nobody can say now."""
        ...

    def leader(self) -> Leader | None:
        """Return which daemon works, or worked last, if several share the state; None: nobody does."""
        ...

    def is_in_place(self) -> bool:
        """Whether nobody has deleted or replaced the database since it was opened."""
        ...

    def close(self) -> None:
        """Close the connection. A further call does nothing."""
        ...


T = TypeVar("T")


class Unchanged(Generic[T]):
    """What was read last, as long as nothing in the state has changed: many ask, and it may be long."""

    def __init__(self, connection: StateConnection, read: Callable[[Statements], T]) -> None:
        self._connection = connection
        self._read = read
        self._found: tuple[tuple[int, int], T] | None = None

    def get(self) -> T:
        """Return it. Nobody may change it. Raises `StateError`."""
        with self._connection.reading() as db:
            # First the version: what changes in between is read again.
            version = self._connection.version()
            if self._found is not None and self._found[0] == version:
                return self._found[1]
            found = self._read(db)
            if not self._connection.is_changing:
                self._found = version, found
            return found
