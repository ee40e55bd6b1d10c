"""Rows of a table of an older program: from its database, from a dump of mysqldump, or from a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, Select, column, inspect, null, text
from sqlalchemy import table as sql_table
from sqlalchemy.exc import SQLAlchemyError

from tallyd.adapters.records.engine.engines import PATIENCE_S, engine_of
from tallyd.adapters.records.engine.errors import explained
from tallyd.config.secrets import SecretFiles
from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import tr, translated
from tallyd.imports.sql_dump import dumped_rows
from tallyd.imports.values import OldDataError, open_text
from tallyd.imports.wanted import Row, Wanted

_AT_ONCE: Final = 5000
_UNLIMITED: Final = {
    # Ten million rows take minutes. A TIMESTAMP has the time that its program saw: in the server's zone.
    "mysql": "SET /*M!100108 max_statement_time=0, */ /*!50708 max_execution_time=0, */"
    " time_zone=@@global.time_zone",
    "postgresql": "SET statement_timeout=0",
}
_DRIVERS: Final = {
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}


def read_rows(old: str, wanted: Wanted) -> Iterator[Row | None]:
    """Yield the rows; None: one with another number of columns than its table.

    `old` is the URL of a database (or `env:NAME`, `file:PATH` with the URL), a dump (.sql) or another file,
    which is read as CSV. Raises `OldDataError`; its text has no value and no URL.
    """
    if "://" in old or old.startswith(("env:", "file:", "credential:")):
        yield from _from_database(tallyds_url(_revealed(old)), wanted)
    elif old.lower().endswith(".sql"):
        yield from dumped_rows(Path(old), wanted)
    else:
        yield from _from_csv(Path(old), wanted)


def tallyds_url(url: str) -> str:
    """Return the URL of a database with the driver that tallyd has for its kind."""
    scheme, mark, rest = url.partition("://")
    return f"{_DRIVERS.get(scheme.partition('+')[0], scheme)}{mark}{rest}"


def _revealed(old: str) -> str:
    try:
        return SecretFiles(folder=Path.cwd(), environ=os.environ).read(old)
    except PydanticCustomError as error:
        raise OldDataError(error.message()) from None


def _from_database(url: str, wanted: Wanted) -> Iterator[Row]:
    try:
        engine, place = engine_of(url, patience_s=PATIENCE_S, reads_only=True)
    except RecordsError as error:
        raise OldDataError(translated(error.text)) from None
    try:
        with engine.connect() as connection:
            if statement := _UNLIMITED.get(engine.dialect.name):
                connection.execute(text(statement))
            yield from _of_table(connection, wanted, place)
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise OldDataError(translated(explained(place, error).text)) from None
    finally:
        engine.dispose()


def _of_table(connection: Connection, wanted: Wanted, place: str) -> Iterator[Row]:
    tables = {
        name: [str(each["name"]) for each in columns]
        for (_, name), columns in inspect(connection).get_multi_columns().items()
    }
    name, places = wanted.find(tables, place)
    if not name:
        raise wanted.missing(tables, place)
    columns = [null() if at is None else column(tables[name][at]) for at in places]
    query = Select[Any](*columns).select_from(sql_table(name))
    yield from connection.execution_options(stream_results=True, max_row_buffer=_AT_ONCE).execute(query)


def _from_csv(path: Path, wanted: Wanted) -> Iterator[Row | None]:
    with open_text(path) as file:
        heading = file.readline(csv.field_size_limit())
        delimiter = max(",;\t", key=heading.count)
        columns = [name.strip() for name in next(csv.reader([heading], delimiter=delimiter), [])]
        # A file is a single table, whatever its name is.
        name, places = replace(wanted, only="", names=frozenset()).find({path.stem: columns}, str(path))
        if not name:
            raise OldDataError(
                tr(
                    "{file}: its first line does not name the columns {columns}, as a CSV file must",
                    file=path,
                    columns=wanted.shown(wanted.needed),
                )
            )
        # Strict: a quote that is never closed is no value, but a file that is cut off.
        rows = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
        is_whole, line = True, 2
        try:
            for row in rows:
                line = rows.line_num + 2  # where the next row begins; the heading was read before
                if row:
                    is_whole = len(row) == len(columns)
                    # An empty cell is how most programs write NULL.
                    yield [None if at is None else row[at] or None for at in places] if is_whole else None
        except csv.Error:
            raise OldDataError(
                tr("{file}: line {line} cannot be read as CSV", file=path, line=line)
            ) from None
        if not is_whole and not _ends_a_line(path):
            raise OldDataError(tr("{file} ends too early: its last line is not complete", file=path))


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-2, os.SEEK_END)
        return not {*b"\r\n"}.isdisjoint(file.read())
