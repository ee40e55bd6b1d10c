"""Stores files. It decides which of them are new inside the transaction that stores them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate, islice
from typing import Final

from sqlalchemy import Connection, delete

from tallyd.adapters.records.bulk_insert import add_many, add_minutes, mark_of, second_text
from tallyd.adapters.records.tables import INGESTED_FILE
from tallyd.contract.passages import (
    Fingerprint,
    MinuteCount,
    Outcome,
    ToIngest,
    added,
    seconds_of,
)

_AT_ONCE: Final = 500
_LONGEST_NAME: Final = 255
_LEDGER: Final = "poller, source, sha256, name, size, records, state, reason, ingested_at, first_at, last_at"

_NEXT: Final = (
    "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'ingested_file'), 0) + 1,"
    " (SELECT coalesce(max(id), 0) + 1 FROM passage)"
)


@dataclass
class Plan:
    """The outcome of each file, and the ledger rows to write and to delete."""

    outcomes: list[Outcome] = field(default_factory=list)
    entries: dict[Fingerprint, ToIngest] = field(default_factory=dict)
    replaced: set[int] = field(default_factory=set)


def plan(files: Sequence[ToIngest], ledger: Mapping[Fingerprint, tuple[int, str]]) -> Plan:
    """Decide what to do with files. `ledger` has those that are known: (id, state) by fingerprint."""
    made = Plan()
    done = {fingerprint for fingerprint, (_, state) in ledger.items() if state == "done"}
    for file in files:
        fingerprint = file.fingerprint
        if fingerprint in done:
            made.outcomes.append("repeat")
            continue
        if fingerprint in ledger:
            made.replaced.add(ledger[fingerprint][0])
        made.entries.pop(fingerprint, None)
        if file.content is None:
            made.outcomes.append("rejected")
            made.entries[fingerprint] = file
            continue
        made.outcomes.append("done")
        if file.content.records:
            made.entries[fingerprint] = file
            done.add(fingerprint)
    return made


def in_ledger(
    connection: Connection, poller: str, files: Collection[Fingerprint]
) -> dict[Fingerprint, tuple[int, str]]:
    """Return the files that the ledger has, as (id, state) by fingerprint."""
    found: dict[Fingerprint, tuple[int, str]] = {}
    wanted, mark = set(files), mark_of(connection)
    hashes = iter({bytes.fromhex(sha256) for _, sha256 in wanted})
    while some := list(islice(hashes, _AT_ONCE)):
        rows = connection.exec_driver_sql(
            "SELECT source, sha256, id, state FROM ingested_file"  # noqa: S608 # marks only
            f" WHERE poller = {mark} AND sha256 IN ({', '.join([mark] * len(some))})",
            (poller, *some),
        )
        found |= {(source, bytes(sha256).hex()): (id_, state) for source, sha256, id_, state in rows.all()}
    return {fingerprint: one for fingerprint, one in found.items() if fingerprint in wanted}


def write_ledger(
    connection: Connection, poller: str, made: Plan, *, now: datetime, keep_rows: bool
) -> list[tuple[int, ToIngest]]:
    """Write the ledger. Return the files to count, with their ids.

    If two processes have the same file, the second one waits here for the first one, and then fails.
    """
    for some in _pieces(sorted(made.replaced)):
        connection.execute(delete(INGESTED_FILE).where(INGESTED_FILE.c.id.in_(some)))
    # Always in the same order, so that two transactions can't deadlock.
    fingerprints = sorted(made.entries)
    if not fingerprints:
        return []
    files = [made.entries[fingerprint] for fingerprint in fingerprints]
    ids: Iterable[int]
    if connection.dialect.name == "sqlite":
        # Nobody else writes now. So files and passages get the next numbers, in the order of the files.
        first, passage = connection.exec_driver_sql(_NEXT).one()
        ids = range(first, first + len(files))
        passages = accumulate((_records(file) or 0 for file in files), initial=passage)
        rows = _ledger_rows(poller, files, int, now=now, keep_rows=keep_rows)
        numbered = [(*row, *numbers) for row, *numbers in zip(rows, ids, passages, strict=False)]
        add_many(connection, "ingested_file", f"{_LEDGER}, id, first_passage", numbered)
    else:
        rows = _ledger_rows(poller, files, second_text, now=now, keep_rows=keep_rows)
        add_many(connection, "ingested_file", _LEDGER, list(rows))
        ledger = in_ledger(connection, poller, fingerprints)
        ids = [ledger[fingerprint][0] for fingerprint in fingerprints]
    return [(id_, file) for id_, file in zip(ids, files, strict=True) if file.content]


def write_counts(connection: Connection, poller: str, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Add the minute counts of the files."""
    summed: dict[tuple[int, str], MinuteCount] = {}
    for _, file in files:
        for minute, count in (file.content.minutes if file.content else {}).items():
            key = (minute, file.source)
            summed[key] = added(summed[key], count) if key in summed else count
    add_minutes(connection, poller, summed)


def _ledger_rows(
    poller: str,
    files: Iterable[ToIngest],
    stored: Callable[[int], object],
    *,
    now: datetime,
    keep_rows: bool,
) -> Iterator[tuple[object, ...]]:
    """Yield the values of `_LEDGER`. `stored` makes the database's form of an instant."""
    at = stored(seconds_of(now))
    for file in files:
        content = file.content
        span = content.span if content and keep_rows else None
        yield (
            poller,
            file.source,
            bytes.fromhex(file.sha256),
            _shown(file.name)[:_LONGEST_NAME],
            file.size,
            _records(file),
            "done" if content else "rejected",
            None if content else _shown(file.reason or ""),
            at,
            *(map(stored, span) if span else (None, None)),
        )


def _records(file: ToIngest) -> int | None:
    return file.content.records if file.content else None


def _shown(text: str) -> str:
    """Return text that every database accepts: a name on disk may contain bytes that are not text."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _pieces(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for begin in range(0, len(ids), _AT_ONCE):
        yield ids[begin : begin + _AT_ONCE]
