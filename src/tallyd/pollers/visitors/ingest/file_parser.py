"""One file of the inbox, from its bytes to what is to be stored of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tallyd.contract.inbox import OpenFile, Waiting
from tallyd.core.passages import Content, Rows, ToIngest, read_seen
from tallyd.core.reading import Json
from tallyd.core.texts import span
from tallyd.pollers.visitors.ingest.json_stream import CutShortError, RejectedError
from tallyd.pollers.visitors.ingest.record_parser import BadRecordsError, Broken, Reading, Shape

LARGE_BYTES = 16 * 1024 * 1024
"""A larger file is read twice, once to know that it is fine, and once while it is stored."""
MOST_WEIGHT = 100_000
"""So many rows, each minute counting as three, are held in memory: some 25 MiB. A file with more is large."""
TOO_LARGE = "is larger than max_bytes"
TOO_OLD = "its newest record is older than"

Through = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Passes chunks on, and is told of each by that."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How files are read.

    `oldest_days`: a file whose newest record is older is refused. `leaves` tells whether one that is cut
    short is left to its writer.
    """

    shape: Shape
    skips_bad: bool
    max_bytes: int
    oldest_days: int
    through: Through
    leaves: Callable[[Waiting, datetime], bool]


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A file that was read: `content`, or the `refusal`. `rows` are None where it must be read again.

    `opened` is None for one that was refused unread. `broken` are the rules that its records broke, `ahead`
    is how far its times are ahead of now, where that is all that is wrong with it.
    """

    waiting: Waiting
    opened: OpenFile | None
    sha256: str
    now: datetime
    content: Content | None = None
    rows: Sequence[Rows] | None = ()
    refusal: str | None = None
    ahead: timedelta | None = None
    broken: tuple[Broken, ...] = ()

    @property
    def weight(self) -> int:
        """What it costs in memory, in rows."""
        if self.content is None:
            return 0
        return 3 * len(self.content.minutes) + sum(map(len, self.rows or ()))

    @property
    def is_empty(self) -> bool:
        """Whether it is a sign of life and nothing else."""
        return self.content is not None and self.content.records == 0

    def reason(self) -> dict[str, Json]:
        """Return what is written beside a refused file: which records, which rule, never a value."""
        records: list[Json] = [
            {"rule": one.rule, "records": list(one.records), "count": one.count} for one in self.broken
        ]
        return {
            "reason": self.refusal,
            "records": records,
            "name": self.waiting.name,
            "source": self.waiting.source,
            "size": self.waiting.size,
            "sha256": self.sha256,
            "refused_at": self.now.isoformat(timespec="seconds"),
        }


def rejected_unread(waiting: Waiting, reader: Reader, now: datetime) -> Parsed | None:
    """Refuse a file that is too large; None for one that is not.

    It is not read to know its hash: in the ledger it goes by its name, size and time of change instead. That
    is enough to find it again, and is never taken for the hash of a content.
    """
    if waiting.size <= reader.max_bytes:
        return None
    which = f"{waiting.name} {waiting.size} {waiting.modified_at.isoformat()}"
    return Parsed(
        waiting=waiting,
        opened=None,
        sha256="unread-" + hashlib.sha256(which.encode("utf-8", "surrogateescape")).hexdigest()[:57],
        now=now,
        refusal=f"{TOO_LARGE} ({reader.max_bytes}): {waiting.size} bytes",
    )


def parse(waiting: Waiting, opened: OpenFile, reader: Reader, now: datetime) -> Parsed | None:
    """Read an open file to its end; None where it is left to its writer. Raises `InboxError`."""
    reading = Reading(shape=reader.shape, now=now, skips_bad=reader.skips_bad)
    chunks = reader.through(opened.chunks())
    try:
        rows = _rows(reading, chunks, most=MOST_WEIGHT if waiting.size <= LARGE_BYTES else 0)
    except RejectedError as error:
        if isinstance(error, CutShortError) and reader.leaves(waiting, now):
            return None
        for _ in chunks:
            pass  # its hash is that of all of it
        parsed = Parsed(waiting=waiting, opened=opened, sha256=opened.sha256, now=now, refusal=str(error))
        return _with_records(parsed, error) if isinstance(error, BadRecordsError) else parsed
    content = reading.content
    parsed = Parsed(waiting=waiting, opened=opened, sha256=opened.sha256, now=now, content=content, rows=rows)
    if not _is_too_old(content, reader.oldest_days, now):
        return parsed
    text = (
        f"{TOO_OLD} {span(reader.oldest_days * 86400)}, so tallyd cannot tell whether it was counted before"
    )
    return replace(parsed, content=None, rows=(), refusal=text)


def to_ingest(parsed: Parsed, reader: Reader) -> ToIngest:
    """Return a file as it is stored. One whose rows are not in memory is read again for them."""

    def rows() -> Iterable[Rows]:
        if parsed.rows is not None or parsed.opened is None:
            return parsed.rows or ()
        # With the same now: what was not ahead of it at first is not now.
        reading = Reading(shape=reader.shape, now=parsed.now, skips_bad=reader.skips_bad)
        return reading.rows(reader.through(parsed.opened.chunks()))

    return ToIngest(
        source=parsed.waiting.source,
        sha256=parsed.sha256,
        name=parsed.waiting.name,
        size=parsed.waiting.size,
        content=parsed.content,
        reason=parsed.refusal,
        rows=rows,
    )


def _rows(reading: Reading, chunks: Iterable[bytes], *, most: int) -> list[Rows] | None:
    """Read all records; return them where they are no more than `most`, else None."""
    kept: list[Rows] | None = []
    left = most
    for batch in reading.rows(chunks):
        left -= len(batch)
        if left < 0:
            kept = None
        elif kept is not None:
            kept.append(batch)
    return kept


def _with_records(parsed: Parsed, error: BadRecordsError) -> Parsed:
    return replace(parsed, ahead=error.ahead, broken=error.broken)


def _is_too_old(content: Content, days: int, now: datetime) -> bool:
    return content.newest_at is not None and now - read_seen(content.newest_at) > timedelta(days=days)
