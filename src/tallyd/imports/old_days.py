"""Days of an older program on their way into the database: which are left to tallyd, and which are new."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from datetime import tzinfo
from sqlite3 import Connection, connect
from typing import Final

from tallyd.adapters.records.database import Database
from tallyd.contract.imports import Imported, OldDay
from tallyd.core.language.messages import tr, translated
from tallyd.core.schedule.days import day_of, day_span
from tallyd.imports.values import OldDataError, Target, Totals
from tallyd.imports.wanted import Row
from tallyd.pollers.servers.computed_time import UnreadableTimeError
from tallyd.pollers.visitors.ingest.minute_counts import BadTimeError

_AT_ONCE: Final = 20_000
"""Counts in one transaction."""


def scratch(columns: str) -> Connection:
    """Return a database for a table `old`. SQLite keeps it in memory, or in a file without a name."""
    connection = connect("", isolation_level=None)
    connection.executescript(
        "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16000;"
        f"CREATE TABLE old ({columns}) WITHOUT ROWID"
    )
    return connection


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


def bring_days(days: Iterable[OldDay], target: Target, totals: Totals, *, program: str, zone: tzinfo) -> None:
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
        for some in _batches(days):
            old = [day for day in some if day.begin < border]
            totals.left += sum(sum(day.found.values()) for day in some if day.begin >= border)
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
    totals.known += sum(day.found.values()) - added
    if added:
        totals.saw(day.begin)


def _batches(days: Iterable[OldDay]) -> Iterator[list[OldDay]]:
    some: list[OldDay] = []
    size = 0
    for day in days:
        some.append(day)
        size += len(day.minutes) + len(day.hours) + len(day.rows)
        if size >= _AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some
