"""Deletes old rows, a few in each transaction, so that other transactions do not wait long."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, TextClause, TextualSelect, bindparam, delete, select, text, update

from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.tables import INGESTED_FILE, WholeSeconds

_ROWS: Final = 1000
_FILES: Final = 100

# CROSS JOIN: SQLite begins with the file, and finds its rows by their numbers.
_OF_FILE: Final = (
    "FROM ingested_file AS file CROSS JOIN passage ON passage.id >= file.first_passage"
    " AND passage.id < file.first_passage + file.records AND passage.file_id = file.id WHERE file.id = :file"
)
_BEFORE: Final = bindparam("before", type_=WholeSeconds)


def _forget(statement: str) -> TextClause:
    return text(f"DELETE FROM passage WHERE {statement}").bindparams(_BEFORE)  # noqa: S608 # constants


def _first_at(rows: str) -> TextualSelect:
    return text(f"SELECT min(seen_at) AS first_at {rows}").columns(first_at=WholeSeconds)


_FORGET: Final[Mapping[str, TextClause]] = MappingProxyType(
    {
        "sqlite": _forget(f"id IN (SELECT passage.id {_OF_FILE} AND seen_at < :before LIMIT :most)"),
        "postgresql": _forget(
            "ctid = ANY(ARRAY("
            "SELECT ctid FROM passage WHERE file_id = :file AND seen_at < :before LIMIT :most))"
        ),
        "mysql": _forget("file_id = :file AND seen_at < :before LIMIT :most"),
    }
)
_FIRST_AT: Final[Mapping[str, TextualSelect]] = MappingProxyType(
    {
        "sqlite": _first_at(_OF_FILE),
        "postgresql": _first_at("FROM passage WHERE file_id = :file"),
        "mysql": _first_at("FROM passage WHERE file_id = :file"),
    }
)
_NOTE: Final = (
    update(INGESTED_FILE).where(INGESTED_FILE.c.id == bindparam("file")).values(first_at=bindparam("first"))
)


def forget_passages(access: Access, poller: str, before: str, *, most: int) -> int:
    """Delete at most `most` passages seen before an instant; return how many."""
    forgotten, has_more = 0, True
    while has_more and forgotten < most:
        with access.writing() as connection:
            count, has_more = _some_passages(connection, poller, before, most=min(_ROWS, most - forgotten))
        forgotten += count
    return forgotten


def forget_files(access: Access, poller: str, before: str, *, most: int) -> int:
    """Delete at most `most` ledger rows written before an instant; return how many.

    A file with stored passages keeps its row.
    """
    columns = INGESTED_FILE.c
    forgotten = 0
    for state in ("done", "rejected"):
        has_more = True
        while has_more and forgotten < most:
            wanted = min(_ROWS, most - forgotten)
            with access.writing() as connection:
                ids = connection.scalars(
                    select(columns.id)
                    .where(
                        columns.poller == poller,
                        columns.state == state,
                        columns.ingested_at < before,
                        columns.first_at.is_(None),
                    )
                    .order_by(columns.ingested_at)
                    .limit(wanted)
                ).all()
                if ids:
                    done = connection.execute(delete(INGESTED_FILE).where(columns.id.in_(ids)))
                    forgotten += done.rowcount
            has_more = len(ids) == wanted
    return forgotten


def _some_passages(connection: Connection, poller: str, before: str, *, most: int) -> tuple[int, bool]:
    """Return how many were deleted, and whether there may be more."""
    columns = INGESTED_FILE.c
    files = connection.scalars(
        select(columns.id)
        .where(columns.poller == poller, columns.first_at < before)
        .order_by(columns.first_at)
        .limit(_FILES)
    ).all()
    kind, count = connection.dialect.name, 0
    for file in files:
        left = most - count
        done = connection.execute(_FORGET[kind], {"file": file, "before": before, "most": left}).rowcount
        count += done
        if done == left:
            return count, True  # there may be more rows of this file
        first = connection.scalar(_FIRST_AT[kind], {"file": file})
        connection.execute(_NOTE, {"file": file, "first": first})
    return count, len(files) == _FILES
