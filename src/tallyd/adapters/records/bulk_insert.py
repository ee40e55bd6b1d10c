"""Inserts ledger rows, passages and minute counts in the fastest way of each database.

Rows go directly to the driver. SQLAlchemy's own insert needs a dict for each row and processes every value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, count, islice, repeat
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import Connection

from tallyd.contract.passages import Count, Rows, ToIngest, instant_of, seen_text

Minutes: TypeAlias = "Mapping[tuple[str, str], Count]"
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
        (poller, minute, source, each.n_in, each.n_out, each.n_other, each.first_at, each.last_at)
        for (minute, source), each in sorted(minutes.items(), key=lambda item: item[0])
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
    for values in _values(files, _numbers, at_once=5 * _SQLITE_ROWS):
        is_full = len(values) == 5 * _SQLITE_ROWS
        cursor.execute(many if is_full else insert + ",".join(["(?,?,?,?,?)"] * (len(values) // 5)), values)


def _into_postgresql(cursor: Any, files: Sequence[tuple[int, ToIngest]]) -> None:
    """COPY as text that is built here: the driver's own `write_row` takes four times as long."""
    with cursor.copy(f"COPY passage ({_COLUMNS}) FROM STDIN") as copy:
        for values in _values(files, partial(_texts, null=r"\N"), at_once=5 * _COPY_ROWS):
            copy.write("%d\t%d\t%d\t%s\t%s\n" * (len(values) // 5) % tuple(values))


def _into_mysql(cursor: Any, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Many rows per statement. PyMySQL's own `executemany` does the same, but takes three times as long."""
    insert = f"INSERT INTO passage ({_COLUMNS}, number) VALUES "  # noqa: S608 # constants
    for values in _values(files, partial(_texts, null="NULL"), at_once=6 * _MYSQL_ROWS, is_numbered=True):
        rows = ",".join(["(%d,%d,%d,'%s',%s,%d)"] * (len(values) // 6))
        cursor.execute(insert + rows % tuple(values))


def _values(
    files: Sequence[tuple[int, ToIngest]],
    columns_of: Callable[[Rows], Iterable[Iterable[object]]],
    *,
    at_once: int,
    is_numbered: bool = False,
) -> Iterator[list[object]]:
    """Yield the values of the rows, one after the other, `at_once` at a time, and at the end the rest."""
    values: list[object] = []
    for file_id, file in files:
        numbers = count()
        for batch in file.rows:
            many = len(batch)
            number = [islice(numbers, many)] if is_numbered else []
            columns = (repeat(file_id, many), *columns_of(batch), *number)
            values += chain.from_iterable(zip(*columns, strict=True))
            whole = len(values) // at_once * at_once
            for begin in range(0, whole, at_once):
                yield values[begin : begin + at_once]
            del values[:whole]
    if values:
        yield values


def _numbers(batch: Rows) -> tuple[Iterable[object], ...]:
    return batch.people, batch.ways, batch.seen_at, batch.frames


def _texts(batch: Rows, *, null: str) -> tuple[Iterable[object], ...]:
    """Return the columns with instants as text. Few of them differ."""
    known = {seconds: seen_text(instant_of(seconds)) for seconds in set(batch.seen_at)}
    frames = [null if frame is None else int(frame) for frame in batch.frames]
    return batch.people, batch.ways, map(known.__getitem__, batch.seen_at), frames


_Insert: TypeAlias = Callable[[Any, "Sequence[tuple[int, ToIngest]]"], None]
_INSERTS: Final = cast(
    "Mapping[str, _Insert]",
    MappingProxyType({"sqlite": _into_sqlite, "postgresql": _into_postgresql, "mysql": _into_mysql}),
)
