"""Storing files: which of them are new is decided here, inside the transaction that stores them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from tallyd.adapters.records.rows import add_minutes, add_rows
from tallyd.adapters.records.tables import INGESTED_FILE, PASSAGE_SPAN
from tallyd.core.passages import Count, Fingerprint, Outcome, ToIngest, seen_text

_AT_ONCE: Final = 500
_LONGEST_NAME: Final = 255


@dataclass
class Plan:
    """What is to become of files: the outcome of each, the ledger rows to write and to delete."""

    outcomes: list[Outcome] = field(default_factory=list)
    entries: dict[Fingerprint, ToIngest] = field(default_factory=dict)
    replaced: set[int] = field(default_factory=set)


def plan(files: Sequence[ToIngest], ledger: Mapping[Fingerprint, tuple[int, str]]) -> Plan:
    """Decide, from what the ledger has of these files: (id, state) by fingerprint."""
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
    """Return those of the files that the ledger has, as (id, state)."""
    found: dict[Fingerprint, tuple[int, str]] = {}
    wanted = set(files)
    hashes = iter({sha256 for _, sha256 in wanted})
    while some := list(islice(hashes, _AT_ONCE)):
        rows = connection.execute(
            select(
                INGESTED_FILE.c.source, INGESTED_FILE.c.sha256, INGESTED_FILE.c.id, INGESTED_FILE.c.state
            ).where(INGESTED_FILE.c.poller == poller, INGESTED_FILE.c.sha256.in_(some))
        )
        found |= {(row[0], row[1]): (row[2], row[3]) for row in rows if (row[0], row[1]) in wanted}
    return found


def write_ledger(
    connection: Connection, poller: str, made: Plan, *, now: datetime
) -> list[tuple[int, ToIngest]]:
    """Write the ledger; return the files whose counts are to be added, with their ids.

    Of two processes with the same file, the second waits here for the first, and then fails.
    """
    for some in _pieces(sorted(made.replaced)):
        connection.execute(delete(INGESTED_FILE).where(INGESTED_FILE.c.id.in_(some)))
    # In one order everywhere: two that wait for each other would be a deadlock.
    fingerprints = sorted(made.entries)
    if fingerprints:
        at = seen_text(now)
        rows = [_ledger_row(poller, made.entries[fingerprint], at) for fingerprint in fingerprints]
        connection.execute(insert(INGESTED_FILE), rows)
    stored = [fingerprint for fingerprint in fingerprints if made.entries[fingerprint].content]
    ids = in_ledger(connection, poller, stored)
    return [(ids[fingerprint][0], made.entries[fingerprint]) for fingerprint in stored]


def write_counts(connection: Connection, poller: str, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Add the files' minute counts."""
    summed: dict[tuple[str, str], Count] = {}
    for _, file in files:
        for minute, count in (file.content.minutes if file.content else {}).items():
            key = (minute, file.source)
            summed[key] = summed[key] + count if key in summed else count
    add_minutes(connection, poller, summed)


def write_rows(connection: Connection, poller: str, files: Sequence[tuple[int, ToIngest]]) -> None:
    """Store the files' rows, and from when on they are."""
    spans = [
        {
            "file_id": file_id,
            "poller": poller,
            "oldest_at": min(count.first_at for count in file.content.minutes.values()),
        }
        for file_id, file in files
        if file.content and file.content.minutes
    ]
    if spans:
        connection.execute(insert(PASSAGE_SPAN), spans)
    if files:
        add_rows(connection, poller, files)


def _ledger_row(poller: str, file: ToIngest, at: str) -> dict[str, object]:
    return {
        "poller": poller,
        "source": file.source,
        "sha256": file.sha256,
        "name": _shown(file.name)[:_LONGEST_NAME],
        "size": file.size,
        "records": file.content.records if file.content else None,
        "state": "done" if file.content else "rejected",
        "reason": None if file.content else _shown(file.reason or ""),
        "ingested_at": at,
    }


def _shown(text: str) -> str:
    """Return text as every database takes it: a name on disk may hold bytes that are no text."""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")


def _pieces(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for begin in range(0, len(ids), _AT_ONCE):
        yield ids[begin : begin + _AT_ONCE]
