"""Rows of a table of an older program: from its database, from a dump of mysqldump, or from a CSV file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, Select, column, inspect, text
from sqlalchemy import table as sql_table
from sqlalchemy.exc import SQLAlchemyError

from tallyd.adapters.records.engine.engines import PATIENCE_S, engine_of
from tallyd.adapters.records.engine.errors import explained
from tallyd.config.secrets import SecretFiles
from tallyd.core.errors import RecordsError
from tallyd.core.language.messages import tr, translated
from tallyd.core.texts import listed
from tallyd.imports.sql_dump import dumped_rows
from tallyd.imports.values import OldDataError, open_text

Row: TypeAlias = "Sequence[object]"
"""The values of the wanted columns, in their order; None: it has none."""

_AT_ONCE: Final = 5000
_MOST_NAMED: Final = 10
_UNLIMITED: Final = {
    # Ten million rows take minutes. A TIMESTAMP has the time that its program saw: in the server's zone.
    "mysql": "SET /*M!100108 max_statement_time=0, */ /*!50708 max_execution_time=0, */"
    " time_zone=@@global.time_zone",
    "postgresql": "SET statement_timeout=0",
}
_DRIVERS: Final = ("mysql", "mysql+mysqlconnector", "mysql+mysqldb", "mariadb", "mariadb+mariadbconnector")
_OURS: Final = "mysql+pymysql"


@dataclass(kw_only=True)
class Wanted:
    """Which table is read, and which of its columns, each by the names that it may have (in lower case).

    `needed` are groups of columns: a table must have one of each. `names`: how the table is called, in lower
    case; empty: any table that has the columns. `only`: the name that a person gave.
    """

    columns: Mapping[str, Sequence[str]]
    needed: Sequence[Sequence[str]]
    names: frozenset[str] = frozenset()
    only: str = ""
    place: str = ""
    seen: list[str] = field(default_factory=list)
    fitting: dict[str, Sequence[int | None]] = field(default_factory=dict)

    def choose(self, name: str, columns: Sequence[str]) -> Sequence[int | None] | None:
        """Return where the wanted columns are in a table; None: another table is wanted.

        Raises `OldDataError` for a second table that fits, and for the wanted one without the columns.
        """
        if name not in self.seen:
            self.seen.append(name)
        is_named = name == self.only if self.only else name.casefold() in self.names
        if not is_named and (self.only or self.names):
            return None
        places = self._places(columns)
        lacking = [group for group in self.needed if not any(places[key] is not None for key in group)]
        if lacking:
            if is_named:
                raise self._lacks(name, lacking)
            return None
        self.fitting[name] = list(places.values())
        if len(self.fitting) > 1:
            raise OldDataError(
                tr(
                    "{place}: the data may be in the tables {tables}; choose one with --table",
                    place=self.place,
                    tables=listed(list(self.fitting)),
                )
            )
        return self.fitting[name]

    def check(self) -> None:
        """Raise `OldDataError` if there is no such table."""
        if not self.fitting:
            raise OldDataError(
                tr(
                    "{place}: there is no table with the columns {columns}[; its tables: {tables}]",
                    place=self.place,
                    columns=self._named(self.needed),
                    tables=listed(self.seen[:_MOST_NAMED], more=max(0, len(self.seen) - _MOST_NAMED)),
                )
            )

    def _places(self, columns: Sequence[str]) -> dict[str, int | None]:
        at = {name.casefold(): place for place, name in reversed([*enumerate(columns)])}
        return {
            key: next((at[name] for name in names if name in at), None) for key, names in self.columns.items()
        }

    def _lacks(self, name: str, lacking: Sequence[Sequence[str]]) -> OldDataError:
        return OldDataError(
            tr(
                "{place}: the table {table} lacks the columns {columns}",
                place=self.place,
                table=name,
                columns=self._named(lacking),
            )
        )

    def _named(self, groups: Sequence[Sequence[str]]) -> str:
        return listed(["/".join(self.columns[key][0] for key in group) for group in groups])


def read_rows(old: str, wanted: Wanted) -> Iterator[Row | None]:
    """Yield the rows; None: one with another number of columns than its table.

    `old` is the URL of a database (or `env:NAME`, `file:PATH` with the URL), a dump (.sql) or another file,
    which is read as CSV. Raises `OldDataError`; its text has no value and no URL.
    """
    if "://" in old or old.startswith(("env:", "file:", "credential:")):
        yield from _from_database(tallyds_url(_revealed(old)), wanted)
    elif old.lower().endswith(".sql"):
        wanted.place = old
        yield from dumped_rows(Path(old), wanted.choose)
    else:
        wanted.place = old
        yield from _from_csv(Path(old), wanted)
    wanted.check()


def tallyds_url(url: str) -> str:
    """Return the URL of a database with the driver that tallyd has for MariaDB and MySQL."""
    scheme, mark, rest = url.partition("://")
    return f"{_OURS}{mark}{rest}" if scheme in _DRIVERS else url


def _revealed(old: str) -> str:
    try:
        return SecretFiles(folder=Path.cwd(), environ=os.environ).read(old)
    except PydanticCustomError as error:
        raise OldDataError(error.message()) from None


def _from_database(url: str, wanted: Wanted) -> Iterator[Row | None]:
    try:
        engine, wanted.place = engine_of(url, patience_s=PATIENCE_S, reads_only=True)
    except RecordsError as error:
        raise OldDataError(translated(error.text)) from None
    try:
        with engine.connect() as connection:
            if statement := _UNLIMITED.get(engine.dialect.name):
                connection.execute(text(statement))
            yield from _of_table(connection, wanted)
    except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
        raise OldDataError(translated(explained(wanted.place, error).text)) from None
    finally:
        engine.dispose()


def _of_table(connection: Connection, wanted: Wanted) -> Iterator[Row]:
    tables = inspect(connection)
    columns: dict[str, list[str]] = {}
    for name in tables.get_table_names():
        columns[name] = [str(each["name"]) for each in tables.get_columns(name)]
        wanted.choose(name, columns[name])
    wanted.check()
    ((name, places),) = wanted.fitting.items()
    chosen = [place for place in places if place is not None]
    query = Select[Any](*(column(columns[name][place]) for place in chosen)).select_from(sql_table(name))
    found = connection.execution_options(stream_results=True, max_row_buffer=_AT_ONCE).execute(query)
    at = [None if place is None else chosen.index(place) for place in places]
    for row in found:
        yield [None if place is None else row[place] for place in at]


def _from_csv(path: Path, wanted: Wanted) -> Iterator[Row | None]:
    with open_text(path) as file:
        heading = file.readline(csv.field_size_limit())
        delimiter = max(",;\t", key=heading.count)
        columns = [name.strip() for name in next(csv.reader([heading], delimiter=delimiter), [])]
        wanted.only = path.stem
        places = wanted.choose(path.stem, columns) or ()
        rows = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
        try:
            for row in rows:
                if len(row) == len(columns):
                    yield [None if place is None else row[place] for place in places]
                elif row:
                    yield None
        except csv.Error:
            line = rows.line_num + 1
            raise OldDataError(
                tr("{file}: line {line} cannot be read as CSV", file=path, line=line)
            ) from None
