"""Stores files. It decides which of them are new inside the transaction that stores them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from sqlalchemy import Connection, delete

from tallyd.adapters.records.bulk_insert import add_many, add_minutes, add_rows, mark_of
from tallyd.adapters.records.tables import INGESTED_FILE
from tallyd.contract.passages import Count, Fingerprint, Outcome, ToIngest, seen_text

_AT_ONCE: Final = 500
_LONGEST_NAME: Final = 255
_LEDGER: Final = "poller, source, sha256, name, size, records, state, reason, ingested_at"


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
        if file.fingerprint in done:
            made.outcomes.append("repeat")
            continue
        if file.fingerprint in ledger:
            made.replaced.add(ledger[file.fingerprint][0])
        made.entries.pop(file.fingerprint, None)
        if file.content is None:
            made.outcomes.append("rejected")
            made.entries[file.fingerprint] = file
            continue
        made.outcomes.append("done")
        if file.content.records:
            made.entries[file.fingerprint] = file
            done.add(file.fingerprint)
    return made


def in_ledger(
    connection: Connection, poller: str, files: Collection[Fingerprint]
) -> dict[Fingerprint, tuple[int, str]]:
    """Return the files that the ledger has, as (id, state) by fingerprint."""
    found: dict[Fingerprint, tuple[int, str]] = {}
    wanted, mark = set(files), mark_of(connection)
    hashes = iter({sha256 for _, sha256 in wanted})
    while some := list(islice(hashes, _AT_ONCE)):
        rows = connection.exec_driver_sql(
            "SELECT source, sha256, id, state FROM ingested_file"  # noqa: S608 # marks only
            f" WHERE poller = {mark} AND sha256 IN ({', '.join([mark] * len(some))})",
            (poller, *some),
        )
        found |= {(source, sha256): (id_, state) for source, sha256, id_, state in rows.all()}
    return {fingerprint: one for fingerprint, one in found.items() if fingerprint in wanted}


def write_ledger(
    connection: Connection, poller: str, made: Plan, *, now: datetime
) -> list[tuple[int, ToIngest]]:
    """Write the ledger. Return the files to count, with their ids.

    If two processes have the same file, the second one waits here for the first one, and then fails.
    """
    for some in _pieces(sorted(made.replaced)):
        connection.execute(delete(INGESTED_FILE).where(INGESTED_FILE.c.id.in_(some)))
    # Always in the same order, so that two transactions can't deadlock.
    fingerprints = sorted(made.entries)
    if fingerprints:
        at = seen_text(now)
        rows = [_ledger_row(poller, made.entries[fingerprint], at) for fingerprint in fingerprints]
        add_many(connection, "ingested_file", _LEDGER, rows)
    stored = [fingerprint for fingerprint in fingerprints if made.entries[fingerprint].content]
    ids = in_ledger(connection, poller, stored)
    return [(ids[fingerprint][0], made.entries[fingerprint]) for fingerprint in stored]


def write_counts(connection: Connection, poller: str, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Add the minute counts of the files."""
    summed: dict[tuple[str, str], Count] = {}
    for _, file in files:
        for minute, count in (file.content.minutes if file.content else {}).items():
            key = (minute, file.source)
            summed[key] = summed[key] + count if key in summed else count
    add_minutes(connection, poller, summed)


def write_rows(connection: Connection, poller: str, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Store the rows of the files, and the time of each file's oldest row."""
    spans = [
        (file_id, poller, min(count.first_at for count in file.content.minutes.values()))
        for file_id, file in files
        if file.content and file.content.minutes
    ]
    if spans:
        add_many(connection, "passage_span", "file_id, poller, oldest_at", spans)
    if files:
        add_rows(connection, poller, files)


def _ledger_row(poller: str, file: ToIngest, at: str) -> tuple[object, ...]:
    """Return the values of `_LEDGER`."""
    return (
        poller,
        file.source,
        file.sha256,
        _shown(file.name)[:_LONGEST_NAME],
        file.size,
        file.content.records if file.content else None,
        "done" if file.content else "rejected",
        None if file.content else _shown(file.reason or ""),
        at,
    )


def _shown(text: str) -> str:
    """Return text that every database accepts: a name on disk may contain bytes that are not text."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _pieces(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for begin in range(0, len(ids), _AT_ONCE):
        yield ids[begin : begin + _AT_ONCE]
