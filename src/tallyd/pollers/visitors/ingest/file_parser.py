"""One file of the inbox, from its bytes to the content to store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tallyd.contract.inbox import OpenFile, Waiting
from tallyd.contract.passages import Content, Rows, ToIngest, seconds_of
from tallyd.core.reading import Json
from tallyd.core.texts import span
from tallyd.pollers.visitors.ingest.json_stream import CutShortError, RejectedError
from tallyd.pollers.visitors.ingest.record_parser import BadRecordsError, Broken, Reading
from tallyd.pollers.visitors.ingest.shape import Shape

LARGE_BYTES = 16 * 1024 * 1024
"""A larger file is read twice: once to check it, and once to store it."""
MOST_WEIGHT = 100_000
"""Most rows in memory, some 25 MiB; each minute counts as three rows. A file with more counts as large."""
TOO_LARGE = "is larger than max_bytes"
TOO_OLD = "its newest record is older than"

Through = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Passes on chunks, and so notices each of them."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How to read files.

    `oldest_days`: a file whose newest record is older is rejected. `leaves` says whether a file that is cut
    short stays for its writer to finish.
    """

    shape: Shape
    skips_bad: bool
    max_bytes: int
    oldest_days: int
    through: Through
    leaves: Callable[[Waiting, datetime], bool]


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A file that was read: its `content`, or the `refusal`. `rows` None: it must be read again.

    `opened` is None for a file that was rejected unread. `broken` are the rules that its records broke,
    `ahead` is how far its times are ahead of now, if that is the only fault.
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
        """Its size in memory, in rows."""
        if self.content is None:
            return 0
        return 3 * len(self.content.minutes) + sum(map(len, self.rows or ()))

    @property
    def is_empty(self) -> bool:
        """Whether it has no records and is only a sign of life."""
        return self.content is not None and self.content.records == 0

    def reason(self) -> dict[str, Json]:
        """Return the content of the reason file: which records, which rule, never a value."""
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
    """Reject a file that is too large; None: it is not.

    It is not read for its hash. In the ledger the hash of its name, size and time of change identifies it
    instead. That is enough to find it again. No list of passages has such a text as its content.
    """
    if waiting.size <= reader.max_bytes:
        return None
    which = f"{waiting.name} {waiting.size} {waiting.modified_at.isoformat()}"
    return Parsed(
        waiting=waiting,
        opened=None,
        sha256=hashlib.sha256(which.encode("utf-8", "surrogateescape")).hexdigest(),
        now=now,
        refusal=f"{TOO_LARGE} ({reader.max_bytes}): {waiting.size} bytes",
    )


def parse(waiting: Waiting, opened: OpenFile, reader: Reader, now: datetime) -> Parsed | None:
    """Read an open file to its end; None: its writer has not finished it. Raises `InboxError`."""
    reading = Reading(shape=reader.shape, now=now, skips_bad=reader.skips_bad)
    chunks = reader.through(opened.chunks())
    try:
        rows = _rows(reading, chunks, most=MOST_WEIGHT if waiting.size <= LARGE_BYTES else 0)
    except RejectedError as error:
        if isinstance(error, CutShortError) and reader.leaves(waiting, now):
            return None
        for _ in chunks:
            pass  # the hash is that of the whole file
        parsed = Parsed(waiting=waiting, opened=opened, sha256=opened.sha256, now=now, refusal=str(error))
        return _with_records(parsed, error) if isinstance(error, BadRecordsError) else parsed
    content = reading.content
    parsed = Parsed(waiting=waiting, opened=opened, sha256=opened.sha256, now=now, content=content, rows=rows)
    if content.span is None or content.span[1] >= seconds_of(now) - reader.oldest_days * 86400:
        return parsed
    text = (
        f"{TOO_OLD} {span(reader.oldest_days * 86400)}, so tallyd cannot tell whether it was counted before"
    )
    return replace(parsed, content=None, rows=(), refusal=text)


def to_ingest(parsed: Parsed, reader: Reader) -> ToIngest:
    """Return a file in the form to store. If its rows are not in memory, it is read again."""

    def rows() -> Iterable[Rows]:
        if parsed.rows is not None or parsed.opened is None:
            return parsed.rows or ()
        # With the same `now`, so that the result about times ahead is the same.
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
    """Read all records; return them if there are at most `most`, else None."""
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
