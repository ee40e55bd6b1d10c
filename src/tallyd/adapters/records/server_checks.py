"""The checks of servers. While the database is unavailable, they wait in memory."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, select

from tallyd.adapters.records.engine.transactions import Access
from tallyd.adapters.records.tables import SERVER_HOUR
from tallyd.contract.lags import MOST_WAITING, TARGET_STATES, HourCount, Hours, LagRow, StoreOutcome
from tallyd.core.errors import RecordsError

_LAG: Final = "poller, checked_at, server, computed_time, lag_s, state, advanced_s"
SECONDS: Final = tuple(f"{state}_s" for state in TARGET_STATES)
_HOUR: Final = ", ".join(("poller", "hour", "server", "checks", "lag_s_max", *SECONDS))
COUNTS: Final = tuple(SERVER_HOUR.c[name] for name in ("checks", "lag_s_max", *SECONDS))
"""The columns of an `HourCount`, in its order."""
_SLOW_S: Final = 1.0
_REST: Final = 5
"""After a failure that took longer than `_SLOW_S`, the wait before the next attempt is so many times as long:
otherwise a database that hangs would make every round late."""


def _upsert(table: str, columns: str, key: int, mark: str, ending: str) -> str:
    """Return an INSERT that replaces a row with the same key. The first `key` columns are the key."""
    names = columns.split(", ")
    news = "VALUES({0})" if "DUPLICATE" in ending else "excluded.{0}"
    changed = ", ".join(f"{name}={news.format(name)}" for name in names[key:])
    marks = ", ".join([mark] * len(names))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks}) {ending} {changed}"  # noqa: S608 # constants


_ENDINGS: Final = MappingProxyType(
    {
        "sqlite": ("?", "ON CONFLICT (poller, {0}, server) DO UPDATE SET"),
        "postgresql": ("%s", "ON CONFLICT (poller, {0}, server) DO UPDATE SET"),
        "mysql": ("%s", "ON DUPLICATE KEY UPDATE"),
    }
)
_PUT_LAG: Final = {
    kind: _upsert("server_lag", _LAG, 3, mark, ending.format("checked_at"))
    for kind, (mark, ending) in _ENDINGS.items()
}
_PUT_HOUR: Final = {
    kind: _upsert("server_hour", _HOUR, 3, mark, ending.format("hour"))
    for kind, (mark, ending) in _ENDINGS.items()
}


class CheckStore:
    """Stores the checks of one poller. Lives as long as the process.

    It writes the totals of hours, not the differences. If the connection is lost during a COMMIT, nobody
    knows whether it happened, and repeating it must not change anything.
    """

    def __init__(
        self,
        access: Access,
        poller: str,
        *,
        most_waiting: int = MOST_WAITING,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._poller = poller
        self._most = most_waiting
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._rows: deque[LagRow] = deque()
        self._counted: dict[tuple[str, str], HourCount] = {}
        self._stored_before: dict[str, Mapping[str, HourCount]] = {}
        self._unwritten: set[tuple[str, str]] = set()
        self._dropped = 0
        self._trouble = ""
        self._rests_until = self._monotonic()

    def note(self, rows: Sequence[LagRow], hours: Hours) -> StoreOutcome:
        """Add rows, and counts to hours. Then store everything that waits in one transaction.

        After a failure that took long, wait before the next attempt.
        """
        with self._lock:
            self._rows.extend(rows)
            for key, count in hours.items():
                known = self._counted.get(key)
                self._counted[key] = count if known is None else known + count
                self._unwritten.add(key)
            begin = self._monotonic()
            try:
                if begin >= self._rests_until:
                    self._trouble = ""
                    self._write()
            except RecordsError as error:
                self._trouble, end = error.text, self._monotonic()
                if end - begin > _SLOW_S:
                    self._rests_until = end + _REST * (end - begin)
            if self._trouble:
                self._drop(self._over(hours))
                waiting = len(self._rows) + len(self._unwritten)
                return StoreOutcome(waiting=waiting, dropped=self._dropped, trouble=self._trouble)
            outcome = StoreOutcome(dropped=self._dropped)
            self._rows.clear()
            self._unwritten.clear()
            self._dropped = 0
            self._forget(self._over(hours))
            return outcome

    @property
    def waiting(self) -> int:
        """How many rows wait for the database."""
        with self._lock:
            return len(self._rows) + len(self._unwritten)

    def _over(self, hours: Hours) -> list[str]:
        """Return the hours that are over, oldest first: all except those that `hours` adds to."""
        going_on = {hour for hour, _ in hours}
        return sorted({hour for hour, _ in self._counted} - going_on)

    def _drop(self, over: Sequence[str]) -> None:
        """Drop rows and hours above the limit, oldest first."""
        while len(self._rows) > self._most:
            self._rows.popleft()
            self._dropped += 1
        ended = set(over)
        waiting = sorted(key for key in self._unwritten if key[0] in ended)
        for key in waiting[: max(0, len(waiting) - self._most)]:
            self._unwritten.discard(key)
            del self._counted[key]
            self._dropped += 1

    def _forget(self, hours: Iterable[str]) -> None:
        gone = set(hours)
        self._counted = {key: count for key, count in self._counted.items() if key[0] not in gone}
        for hour in gone:
            self._stored_before.pop(hour, None)

    def _write(self) -> None:
        """Store everything that waits. After a `RecordsError`, either nothing or everything was stored."""
        if not self._rows and not self._unwritten:
            return
        with self._access.writing() as connection:
            for hour in sorted({hour for hour, _ in self._unwritten} - self._stored_before.keys()):
                # Read them before we write anything: from then on we know the totals.
                self._stored_before[hour] = _stored(connection, self._poller, hour)
            put_checks(
                connection, self._poller, self._rows, {key: self._total(key) for key in self._unwritten}
            )

    def _total(self, key: tuple[str, str]) -> HourCount:
        hour, server = key
        counted, before = self._counted[key], self._stored_before[hour].get(server)
        return counted if before is None else before + counted


def put_checks(connection: Connection, poller: str, rows: Iterable[LagRow], hours: Hours) -> None:
    """Write rows and totals of hours, in the order of their keys, so that two processes can't deadlock."""
    kind = connection.dialect.name
    totals = [
        (poller, hour, server, total.checks, total.lag_s_max, *total.seconds.values())
        for (hour, server), total in sorted(hours.items(), key=lambda each: each[0])
    ]
    if totals:
        connection.exec_driver_sql(_PUT_HOUR[kind], totals)
    lags = [
        (poller, row.checked_at, row.server, row.computed_time, row.lag_s, row.state, row.advanced_s)
        for row in sorted(rows, key=lambda row: (row.checked_at, row.server))
    ]
    if lags:
        connection.exec_driver_sql(_PUT_LAG[kind], lags)


def _stored(connection: Connection, poller: str, hour: str) -> dict[str, HourCount]:
    columns = SERVER_HOUR.c
    rows = connection.execute(
        select(columns.server, *COUNTS).where(columns.poller == poller, columns.hour == hour)
    )
    return {server: HourCount(*count) for server, *count in rows}
