"""Days of an older program on their way into the database: which are left to tallyd, and which are new."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from datetime import tzinfo
from itertools import groupby, islice
from sqlite3 import connect
from typing import Any, Final

from tallyd.adapters.records.database import Database
from tallyd.contract.imports import Imported, OldDay
from tallyd.contract.passages import instant_of
from tallyd.core.language.messages import tr, translated
from tallyd.core.schedule.days import day_of, day_span
from tallyd.imports.values import OldDataError, Target, Totals
from tallyd.imports.wanted import Row
from tallyd.pollers.servers.computed_time import UnreadableTimeError
from tallyd.pollers.visitors.ingest.minute_counts import BadTimeError

_ROWS_AT_ONCE: Final = 20_000
_DAYS_AT_ONCE: Final = 7
"""Days in one transaction: a disk syncs a few times a second, and some hosts count each minute."""


class Scratch:
    """Rows of a table `old` that is gone when it is closed. SQLite keeps it in memory, or on disk if large.

    `repeats` is how many rows had the key of another one; the first one stays.
    """

    def __init__(self, columns: str) -> None:
        self._connection = connect("", isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000;"
            f"CREATE TABLE old ({columns}); BEGIN"
        )
        self._waiting: list[tuple[object, ...]] = []
        self.repeats = 0

    def add(self, *row: object) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= _ROWS_AT_ONCE:
            self._store()

    def rows(self, query: str) -> Iterator[Any]:
        """Return the rows of a query on all that was added."""
        self._store()
        return self._connection.execute(query)

    def close(self) -> None:
        self._connection.close()

    def _store(self) -> None:
        if self._waiting:
            marks = ", ".join("?" * len(self._waiting[0]))
            done = self._connection.executemany(f"INSERT OR IGNORE INTO old VALUES ({marks})", self._waiting)  # noqa: S608 # constants
            self.repeats += len(self._waiting) - done.rowcount
            self._waiting.clear()


def read_all(rows: Iterable[Row | None], add: Callable[[Row], None], totals: Totals) -> None:
    """Call `add` with each row; those that it cannot read are in the totals, by their numbers."""
    for number, row in enumerate(rows, start=1):
        if row is None:
            totals.reject(tr("row {number}", number=number), tr("another number of columns"))
            continue
        try:
            add(row)
        except (BadTimeError, UnreadableTimeError) as error:
            totals.reject(tr("row {number}", number=number), translated(str(error)))


def by_day(rows: Iterable[Any], zone: tzinfo) -> Iterator[tuple[OldDay, Iterator[Any]]]:
    """Group rows, which begin with a second and come in its order, by the local days that have any."""
    day: OldDay | None = None

    def day_of_row(row: Any) -> OldDay:
        nonlocal day
        at = instant_of(row[0])
        if day is None or at >= day.end:
            begin, end = day_span(day_of(at, zone), zone)
            day = OldDay(begin=begin, end=end)
        return day

    return groupby(rows, day_of_row)


def bring_days(days: Iterator[OldDay], target: Target, totals: Totals, *, program: str, zone: tzinfo) -> None:
    """Store days, which come in order, up to the first day on which tallyd itself has counted, or today.

    That day is left whole: nobody could tell whose counts are whose. Raises `OldDataError`, `RecordsError`.
    """
    with closing(Database(target.config.database_url, prepares=not target.dry_run)) as database:
        is_there = not target.dry_run or database.has_tables()
        imports = database.imports(target.task.poller) if is_there else None
        if imports and (before := imports.imported()):
            _check_zone(before.zone, str(target.zone))
        own_since = imports.own_since() if imports else None
        border = day_span(day_of(min(target.now, own_since or target.now), zone), zone)[0]
        while some := list(islice(days, _DAYS_AT_ONCE)):
            old = [day for day in some if day.begin < border]
            totals.left += sum(day.found.total() for day in some if day.begin >= border)
            if not old:
                continue
            imported = Imported(program=program, zone=str(target.zone), since=old[0].begin, until=border)
            new = (
                imports.bring(old, imported, writes=not target.dry_run)
                if imports
                else [frozenset(day.found) for day in old]
            )
            for day, names in zip(old, new, strict=True):
                _count(totals, day, names)


def _check_zone(before: str, now: str) -> None:
    """Raise `OldDataError` if they differ: rows would be of other days, and some would come a second time."""
    if before != now:
        raise OldDataError(
            tr(
                "an earlier import was in another time zone than {zone}; set `timezone` to {old} again",
                zone=now,
                old=before,
            )
        )


def _count(totals: Totals, day: OldDay, new: Collection[str]) -> None:
    added = sum(day.found[name] for name in new)
    totals.added += added
    totals.known += day.found.total() - added
    if added:
        totals.saw(day.begin)
