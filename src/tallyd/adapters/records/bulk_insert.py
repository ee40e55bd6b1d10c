"""Inserts ledger rows, passages and minute counts in the fastest way of each database.

Rows go directly to the driver. SQLAlchemy's own insert needs a dict for each row and processes every value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import Connection

from tallyd.contract.passages import MinuteCount, ToIngest, instant_of, seen_text

Minutes: TypeAlias = "Mapping[tuple[int, str], MinuteCount]"
"""Counts by (minute, source)."""

_COLUMNS: Final = "file_id, person_id, direction, seen_at, frame"
_MINUTE: Final = "poller, minute, source, n_in, n_out, n_other, first_at, last_at"

_SQLITE_ROWS: Final = 50
"""Rows per statement. More is not faster."""
_COPY_ROWS: Final = 5000
"""Rows per piece of text."""
_MYSQL_ROWS: Final = 1000
"""Rows per statement. It stays below a megabyte, the smallest usual limit for a statement."""

_ADDED: Final = MappingProxyType(
    {
        "sqlite": f"INSERT INTO passage_minute ({_MINUTE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 # constants
        " ON CONFLICT (poller, minute, source) DO UPDATE SET n_in=n_in+excluded.n_in,"
        " n_out=n_out+excluded.n_out, n_other=n_other+excluded.n_other,"
        " first_at=min(first_at, excluded.first_at), last_at=max(last_at, excluded.last_at)",
        "postgresql": f"INSERT INTO passage_minute AS m ({_MINUTE}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"  # noqa: S608 # constants
        " ON CONFLICT (poller, minute, source) DO UPDATE SET n_in=m.n_in+excluded.n_in,"
        " n_out=m.n_out+excluded.n_out, n_other=m.n_other+excluded.n_other,"
        " first_at=least(m.first_at, excluded.first_at), last_at=greatest(m.last_at, excluded.last_at)",
        "mysql": f"INSERT INTO passage_minute ({_MINUTE}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"  # noqa: S608 # constants
        " ON DUPLICATE KEY UPDATE n_in=n_in+VALUES(n_in), n_out=n_out+VALUES(n_out),"
        " n_other=n_other+VALUES(n_other), first_at=least(first_at, VALUES(first_at)),"
        " last_at=greatest(last_at, VALUES(last_at))",
    }
)


def mark_of(connection: Connection) -> str:
    """Return the placeholder for a value in the driver's own statements."""
    return "?" if connection.dialect.name == "sqlite" else "%s"


def add_many(connection: Connection, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows.

    The values go to the driver as they are.
    """
    marks = ", ".join([mark_of(connection)] * len(rows[0]))
    connection.exec_driver_sql(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(rows))  # noqa: S608 # constants


def add_minutes(connection: Connection, poller: str, minutes: Minutes) -> None:
    """Add to the stored counts, in the order of the key, so that two transactions can't deadlock."""
    values = [
        (poller, second_text(minute), source, n_in, n_out, n_other, second_text(first), second_text(last))
        for (minute, source), (n_in, n_out, n_other, first, last) in sorted(minutes.items())
    ]
    if values:
        connection.exec_driver_sql(_ADDED[connection.dialect.name], values)


def add_rows(connection: Connection, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Store the rows of files, each with its ledger id. Exceptions of `rows` are passed on unchanged."""
    _INSERTS[connection.dialect.name](connection.connection.cursor(), files)


def _into_sqlite(cursor: Any, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Many rows per statement, which takes half as long as `executemany`."""
    insert = f"INSERT INTO passage ({_COLUMNS}) VALUES "  # noqa: S608 # constants
    many = insert + ",".join(["(?,?,?,?,?)"] * _SQLITE_ROWS)
    for *columns, _ in _blocks(files, at_once=100 * _SQLITE_ROWS):
        values = list(chain.from_iterable(zip(*columns, strict=True)))
        for begin in range(0, len(values), 5 * _SQLITE_ROWS):
            some = values[begin : begin + 5 * _SQLITE_ROWS]
            is_full = len(some) == 5 * _SQLITE_ROWS
            cursor.execute(many if is_full else insert + ",".join(["(?,?,?,?,?)"] * (len(some) // 5)), some)


def _into_postgresql(cursor: Any, files: Sequence[tuple[int, ToIngest]]) -> None:
    """COPY as text that is built here: the driver's own `write_row` takes four times as long."""
    with cursor.copy(f"COPY passage ({_COLUMNS}) FROM STDIN") as copy:
        for ids, people, ways, seen_at, frames, _ in _blocks(files, at_once=_COPY_ROWS):
            columns = zip(ids, people, ways, _texts(seen_at), _frames(frames, r"\N"), strict=True)
            copy.write("%d\t%d\t%d\t%s\t%s\n" * len(ids) % tuple(chain.from_iterable(columns)))


def _into_mysql(cursor: Any, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Many rows per statement. PyMySQL's own `executemany` does the same, but takes three times as long."""
    insert = f"INSERT INTO passage ({_COLUMNS}, number) VALUES "  # noqa: S608 # constants
    for ids, people, ways, seen_at, frames, numbers in _blocks(files, at_once=_MYSQL_ROWS):
        columns = zip(ids, people, ways, _texts(seen_at), _frames(frames, "NULL"), numbers, strict=True)
        rows = ",".join(["(%d,%d,%d,'%s',%s,%d)"] * len(ids))
        cursor.execute(insert + rows % tuple(chain.from_iterable(columns)))


def _blocks(files: Sequence[tuple[int, ToIngest]], *, at_once: int) -> Iterator[list[list[Any]]]:
    """Yield the rows of files as columns, `at_once` rows at a time, and at the end the rest.

    The columns are the id of the file, those of `Rows`, and the number of the row in its file.
    """
    columns: list[list[Any]] = [[] for _ in range(6)]
    for file_id, file in files:
        number = 0
        for rows in file.rows:
            many = len(rows)
            new = (
                repeat(file_id, many),
                rows.people,
                rows.ways,
                rows.seen_at,
                rows.frames,
                range(number, number + many),
            )
            number += many
            for column, values in zip(columns, new, strict=True):
                column.extend(values)
            while len(columns[0]) >= at_once:
                yield [column[:at_once] for column in columns]
                for column in columns:
                    del column[:at_once]
    if columns[0]:
        yield columns


def _texts(seen_at: Sequence[int]) -> Iterator[str]:
    """Return instants as text. Few of them differ."""
    known = {seconds: second_text(seconds) for seconds in set(seen_at)}
    return map(known.__getitem__, seen_at)


def second_text(seconds: int) -> str:
    """Return whole seconds since 1970 as text, as most databases store instants."""
    return seen_text(instant_of(seconds))


def _frames(frames: Sequence[int | None], null: str) -> list[int | str]:
    return [null if frame is None else int(frame) for frame in frames]


_Insert: TypeAlias = Callable[[Any, "Sequence[tuple[int, ToIngest]]"], None]
_INSERTS: Final = cast(
    "Mapping[str, _Insert]",
    MappingProxyType({"sqlite": _into_sqlite, "postgresql": _into_postgresql, "mysql": _into_mysql}),
)
