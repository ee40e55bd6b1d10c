"""What the database has of the checks of servers: their hours and their changes, read and deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, select

from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.server_checks import COUNTS, SECONDS
from tallyd.adapters.records.tables import SERVER_HOUR, SERVER_LAG
from tallyd.contract.lags import HourCount, LagRow, hour_of
from tallyd.contract.passages import read_seen, seen_text

_HOURS_A_QUERY: Final = 5000
"""Most hours that a query names: SQLite takes 32,766 values."""
_HOUR_LONG: Final = timedelta(hours=1)
_ROWS: Final = 1000


def read_hours(
    access: Access, poller: str, first: str, end: str, *, servers: Collection[str] | None
) -> tuple[tuple[str, str, HourCount], ...]:
    """Return (server, hour, count) of the hours with first <= hour < end, in that order.

    `servers` None: of all of them.
    """
    columns = SERVER_HOUR.c
    query = select(columns.server, columns.hour, *COUNTS).where(columns.poller == poller)
    queries = (
        [query.where(columns.hour >= first, columns.hour < end)]
        if servers is None
        else [query.where(*each) for each in _named(first, end, servers)]
    )
    with access.reading() as connection:
        found = [
            (server, hour, HourCount(*count))
            for each in queries
            for server, hour, *count in connection.execute(each)
        ]
    # Sort here: each database orders texts differently.
    return tuple(sorted(found, key=lambda each: each[:2]))


def _named(first: str, end: str, servers: Collection[str]) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Yield conditions that together are true for these servers in these hours.

    They name each hour. So the database looks up single rows; a range would read those of all servers.
    """
    columns = SERVER_HOUR.c
    hours = _hours_between(first, end)
    for begin in range(0, len(hours), _HOURS_A_QUERY):
        yield columns.hour.in_(hours[begin : begin + _HOURS_A_QUERY]), columns.server.in_(servers)


def _hours_between(first: str, end: str) -> list[str]:
    begin, until = read_seen(first), read_seen(end)
    hour = read_seen(hour_of(begin))
    hour = hour if hour == begin else hour + _HOUR_LONG
    return [
        seen_text(hour + number * _HOUR_LONG) for number in range(max(0, -(-(until - hour) // _HOUR_LONG)))
    ]


def sum_hours(access: Access, poller: str, first: str, end: str) -> dict[str, HourCount]:
    """Return the sums of each server over the hours with first <= hour < end."""
    columns = SERVER_HOUR.c
    query = (
        select(
            columns.server,
            func.sum(columns.checks),
            func.max(columns.lag_s_max),
            *(func.sum(columns[name]) for name in SECONDS),
        )
        .where(columns.poller == poller, columns.hour >= first, columns.hour < end)
        .group_by(columns.server)
    )
    with access.reading() as connection:
        return {
            server: HourCount(int(checks), *others)  # of whole numbers, a sum may be Decimal
            for server, checks, *others in connection.execute(query)
        }


def read_lags(
    access: Access, poller: str, first: str, end: str, *, servers: Collection[str], most: int
) -> tuple[LagRow, ...]:
    """Return the newest `most` rows of these servers with first <= checked_at < end, oldest first."""
    columns = SERVER_LAG.c
    query = (
        select(
            columns.server,
            columns.checked_at,
            columns.computed_time,
            columns.lag_s,
            columns.state,
            columns.advanced_s,
        )
        .where(
            columns.poller == poller,
            columns.checked_at >= first,
            columns.checked_at < end,
            columns.server.in_(servers),
        )
        .order_by(columns.checked_at.desc())
        .limit(most)
    )
    with access.reading() as connection:
        return tuple(LagRow(*row) for row in reversed(connection.execute(query).all()))


def forget_lags(access: Access, poller: str, before: str, *, most: int) -> int:
    """Delete about `most` rows of checks from before an instant, oldest first; return how many.

    It deletes a few rows per transaction. All rows of the same second go together, even above the limit.
    """
    columns = SERVER_LAG.c
    forgotten = 0
    while forgotten < most:
        wanted = min(_ROWS, most - forgotten)
        old = (columns.poller == poller, columns.checked_at < before)
        some = select(columns.checked_at).where(*old).order_by(columns.checked_at).limit(wanted).subquery()
        with access.reading() as connection:
            last = connection.scalar(select(func.max(some.c.checked_at)))
        if last is None:
            break
        with access.writing() as connection:
            done = connection.execute(SERVER_LAG.delete().where(*old, columns.checked_at <= last))
        forgotten += done.rowcount
    return forgotten
