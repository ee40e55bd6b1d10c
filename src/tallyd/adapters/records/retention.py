"""Deletes old rows, a few in each transaction, so that other transactions do not wait long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, and_, bindparam, delete, func, select, update

from tallyd.adapters.records.tables import IDS_A_FILE, INGESTED_FILE, PASSAGE, PASSAGE_SPAN
from tallyd.adapters.records.transactions import Access

_ROWS: Final = 1000
_FILES: Final = 100

# Built once: for small files, building them takes longer than running them.
_RANGE: Final = PASSAGE.c.id.between(bindparam("first"), bindparam("last"))
_OLD: Final = and_(_RANGE, PASSAGE.c.seen_at < bindparam("before"))
_SOME: Final = select(PASSAGE.c.id).where(_OLD).order_by(PASSAGE.c.id).limit(bindparam("most")).subquery()
_LAST: Final = select(func.max(_SOME.c.id))
# A range of the key: with a list of a thousand ids, PostgreSQL takes ten times as long.
_FORGET: Final = delete(PASSAGE).where(_OLD)
_OLDEST: Final = select(func.min(PASSAGE.c.seen_at)).where(_RANGE)
_MOVE: Final = (
    update(PASSAGE_SPAN)
    .where(PASSAGE_SPAN.c.file_id == bindparam("of_file"))
    .values(oldest_at=bindparam("oldest"))
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
    """Delete at most `most` ledger rows written before an instant; return how many."""
    forgotten = 0
    for state in ("done", "rejected"):
        has_more = True
        while has_more and forgotten < most:
            wanted = min(_ROWS, most - forgotten)
            with access.writing() as connection:
                ids = connection.scalars(
                    select(INGESTED_FILE.c.id)
                    .where(
                        INGESTED_FILE.c.poller == poller,
                        INGESTED_FILE.c.state == state,
                        INGESTED_FILE.c.ingested_at < before,
                    )
                    .order_by(INGESTED_FILE.c.ingested_at)
                    .limit(wanted)
                ).all()
                if ids:
                    done = connection.execute(delete(INGESTED_FILE).where(INGESTED_FILE.c.id.in_(ids)))
                    forgotten += done.rowcount
            has_more = len(ids) == wanted
    return forgotten


def _some_passages(connection: Connection, poller: str, before: str, *, most: int) -> tuple[int, bool]:
    """Return how many were deleted, and whether there may be more."""
    files = connection.scalars(
        select(PASSAGE_SPAN.c.file_id)
        .where(PASSAGE_SPAN.c.poller == poller, PASSAGE_SPAN.c.oldest_at < before)
        .order_by(PASSAGE_SPAN.c.oldest_at)
        .limit(_FILES)
    ).all()
    count, finished = 0, []
    for file_id in files:
        count += _old_of_file(connection, file_id, before, most=most - count)
        if count == most:
            break  # there may be more rows of this file
        finished.append(file_id)
    _shorten(connection, finished)
    return count, count == most or len(files) == _FILES


def _old_of_file(connection: Connection, file_id: int, before: str, *, most: int) -> int:
    span = _span_of(file_id)
    last = connection.scalar(_LAST, {**span, "before": before, "most": most})
    if last is None:
        return 0
    return connection.execute(_FORGET, {"first": span["first"], "last": last, "before": before}).rowcount


def _shorten(connection: Connection, file_ids: Sequence[int]) -> None:
    """Update the time of each file's oldest passage, after some were deleted."""
    empty: list[int] = []
    for file_id in file_ids:
        oldest = connection.scalar(_OLDEST, _span_of(file_id))
        if oldest is None:
            empty.append(file_id)
        else:
            connection.execute(_MOVE, {"of_file": file_id, "oldest": oldest})
    if empty:
        connection.execute(delete(PASSAGE_SPAN).where(PASSAGE_SPAN.c.file_id.in_(empty)))


def _span_of(file_id: int) -> dict[str, int]:
    return {"first": file_id * IDS_A_FILE, "last": (file_id + 1) * IDS_A_FILE - 1}
