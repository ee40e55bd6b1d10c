"""Inserts ledger rows, passages and minute counts in the fastest way of each database.

Rows go directly to the driver. SQLAlchemy's own insert needs a dict for each row and processes every value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, count, repeat
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import Connection

from tallyd.contract.passages import Count, ToIngest, instant_of, seen_text

Minutes: TypeAlias = "Mapping[tuple[str, str], Count]"
"""Counts by (minute, source)."""

_COLUMNS: Final = "file_id, person_id, direction, seen_at, frame"
_MINUTE: Final = "poller, minute, source, n_in, n_out, n_other, first_at, last_at"

_SQLITE_ROWS: Final = 50
"""Rows per statement. More is not faster."""
_SQLITE_VALUES: Final = 5
"""Values per row."""
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
    """Store the rows of files, each with its ledger id. Exceptions of `rows()` are passed on unchanged."""
    _INSERTS[connection.dialect.name](connection.connection.cursor(), files)


def _into_sqlite(cursor: Any, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Many rows per statement, which takes half as long as `executemany`."""
    insert, row = f"INSERT INTO passage ({_COLUMNS}) VALUES ", "(?, ?, ?, ?, ?)"  # noqa: S608 # constants
    many = insert + ", ".join([row] * _SQLITE_ROWS)
    at_once = _SQLITE_ROWS * _SQLITE_VALUES
    values: list[object] = []
    for file_id, file in files:
        for batch in file.rows():
            columns = (repeat(file_id, len(batch)), batch.people, batch.ways, batch.seen_at, batch.frames)
            values += chain.from_iterable(zip(*columns, strict=True))
            whole = len(values) // at_once * at_once
            for begin in range(0, whole, at_once):
                cursor.execute(many, values[begin : begin + at_once])
            del values[:whole]
    if values:
        cursor.execute(insert + ", ".join([row] * (len(values) // _SQLITE_VALUES)), values)


def _into_postgresql(cursor: Any, files: Sequence[tuple[int, ToIngest]]) -> None:
    """COPY as text that is built here: the driver's own `write_row` takes four times as long."""
    with cursor.copy(f"COPY passage ({_COLUMNS}) FROM STDIN") as copy:
        for file_id, file in files:
            for batch in file.rows():
                frames = [r"\N" if frame is None else frame for frame in batch.frames]
                columns = (batch.people, batch.ways, _texts(batch.seen_at), frames)
                lines = [
                    f"{file_id}\t{person}\t{way}\t{seen_at}\t{frame}\n"
                    for person, way, seen_at, frame in zip(*columns, strict=True)
                ]
                copy.write("".join(lines))


def _into_mysql(cursor: Any, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Many rows per statement. PyMySQL's own `executemany` does the same, but takes twice as long."""
    insert = f"INSERT INTO passage (number, {_COLUMNS}) VALUES "  # noqa: S608 # constants
    values: list[str] = []
    for file_id, file in files:
        numbers = count()
        for batch in file.rows():
            columns = (batch.people, batch.ways, _texts(batch.seen_at), batch.frames)
            values += [
                f"({next(numbers)},{file_id},{person:d},{way:d},'{seen_at}',"
                f"{'NULL' if frame is None else int(frame)})"
                for person, way, seen_at, frame in zip(*columns, strict=True)
            ]
            while len(values) >= _MYSQL_ROWS:
                cursor.execute(insert + ",".join(values[:_MYSQL_ROWS]))
                del values[:_MYSQL_ROWS]
    if values:
        cursor.execute(insert + ",".join(values))


def _texts(seen_at: Sequence[int]) -> list[str]:
    """Return instants as text. Few of them differ."""
    known = {seconds: seen_text(instant_of(seconds)) for seconds in set(seen_at)}
    return [known[seconds] for seconds in seen_at]


_Insert: TypeAlias = Callable[[Any, "Sequence[tuple[int, ToIngest]]"], None]
_INSERTS: Final = cast(
    "Mapping[str, _Insert]",
    MappingProxyType({"sqlite": _into_sqlite, "postgresql": _into_postgresql, "mysql": _into_mysql}),
)
