"""Inserts ledger rows, passages and minute counts in the fastest way of each database.

Rows go directly to the driver. SQLAlchemy's own insert needs a dict for each row and processes every value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, groupby, repeat
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import Connection

from tallyd.adapters.records.tables import IDS_A_FILE
from tallyd.contract.passages import Count, Rows, ToIngest

Minutes: TypeAlias = "Mapping[tuple[str, str], Count]"
"""Counts by (minute, source)."""

_COLUMNS: Final = "id, person_id, direction, seen_at, frame, poller, source, file_id"
_MINUTE: Final = "poller, minute, source, n_in, n_out, n_other, first_at, last_at"

_SQLITE_ROWS: Final = 50
"""Rows per statement. More is not faster."""
_SQLITE_VALUES: Final = 6
"""Values per row."""
_COPY_ESCAPES: Final = MappingProxyType(
    {ord(char): f"\\{name}" for char, name in zip("\\\t\n\r", "\\tnr", strict=True)}
)
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

    The values go to the driver as they are. An instant is text, which every database accepts.
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


def add_rows(connection: Connection, poller: str, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Store the rows of files, each with its ledger id. Exceptions of `rows()` are passed on unchanged."""
    _INSERTS[connection.dialect.name](connection.connection.cursor(), poller, files)


def _numbered(file_id: int, file: ToIngest) -> Iterator[tuple[range, Rows]]:
    """Yield the batches of a file with the ids of their rows."""
    first = file_id * IDS_A_FILE
    for batch in file.rows():
        yield range(first, first + len(batch)), batch
        first += len(batch)


def _into_sqlite(cursor: Any, poller: str, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Many rows per statement, which takes half as long as `executemany`.

    Values that are the same for all rows of a source are part of the statement.
    """
    for source, some in groupby(files, key=lambda each: each[1].source):
        constants = cursor.execute("SELECT quote(?) || ', ' || quote(?)", (poller, source)).fetchone()[0]
        insert = f"INSERT INTO passage ({_COLUMNS}) VALUES "  # noqa: S608 # quoted by SQLite itself
        row = f"(?, ?, ?, ?, ?, {constants}, ?)"
        many = insert + ", ".join([row] * _SQLITE_ROWS)
        at_once = _SQLITE_ROWS * _SQLITE_VALUES
        values: list[object] = []
        for file_id, file in some:
            for ids, batch in _numbered(file_id, file):
                files_id = repeat(file_id, len(ids))
                columns = (ids, batch.people, batch.ways, batch.seen_at, batch.frames, files_id)
                values += chain.from_iterable(zip(*columns, strict=True))
                whole = len(values) // at_once * at_once
                for begin in range(0, whole, at_once):
                    cursor.execute(many, values[begin : begin + at_once])
                del values[:whole]
        if values:
            cursor.execute(insert + ", ".join([row] * (len(values) // _SQLITE_VALUES)), values)


def _into_postgresql(cursor: Any, poller: str, files: Sequence[tuple[int, ToIngest]]) -> None:
    """COPY as text that is built here: the driver's own `write_row` takes four times as long."""
    with cursor.copy(f"COPY passage ({_COLUMNS}) FROM STDIN") as copy:
        for file_id, file in files:
            ending = f"{_copied(poller)}\t{_copied(file.source)}\t{file_id}\n"
            for ids, batch in _numbered(file_id, file):
                frames = [r"\N" if frame is None else frame for frame in batch.frames]
                columns = (ids, batch.people, batch.ways, batch.seen_at, frames)
                lines = [
                    f"{number}\t{person}\t{way}\t{seen_at}\t{frame}\t{ending}"
                    for number, person, way, seen_at, frame in zip(*columns, strict=True)
                ]
                copy.write("".join(lines))


def _copied(text: str) -> str:
    """Escape text for COPY (PostgreSQL documentation, COPY, "File Formats", "Text Format")."""
    return text.translate(_COPY_ESCAPES)


def _into_mysql(cursor: Any, poller: str, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Many rows per statement. PyMySQL's own `executemany` does the same, but takes twice as long."""
    quoted = cursor.connection.escape
    for file_id, file in files:
        ending = f"{quoted(poller)}, {quoted(file.source)}, {file_id})"
        for ids, batch in _numbered(file_id, file):
            values = [
                f"({number}, {person:d}, {quoted(direction)}, {quoted(seen_at)},"
                f" {'NULL' if frame is None else int(frame)}, {ending}"
                for number, (person, direction, seen_at, frame) in zip(ids, batch, strict=True)
            ]
            for begin in range(0, len(values), _MYSQL_ROWS):
                some = ", ".join(values[begin : begin + _MYSQL_ROWS])
                cursor.execute(f"INSERT INTO passage ({_COLUMNS}) VALUES {some}")  # noqa: S608 # escaped above


_Insert: TypeAlias = Callable[[Any, str, "Sequence[tuple[int, ToIngest]]"], None]
_INSERTS: Final = cast(
    "Mapping[str, _Insert]",
    MappingProxyType({"sqlite": _into_sqlite, "postgresql": _into_postgresql, "mysql": _into_mysql}),
)
