"""One file of the inbox, from its bytes to the content to store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from tallyd.contract.inbox import Waiting
from tallyd.contract.passages import Rows, ToIngest, seconds_of
from tallyd.core.errors import InboxError
from tallyd.core.language.messages import english
from tallyd.core.reading import Json
from tallyd.pollers.visitors.ingest.bad_records import BadRecordsError, Broken
from tallyd.pollers.visitors.ingest.file_pass import Pass
from tallyd.pollers.visitors.ingest.json_stream import CutShortError, RejectedError

SMALL_BYTES = 256 * 1024
"""A file up to this size is read and decoded in one piece."""
LARGE_BYTES = 16 * 1024 * 1024
"""A larger file is read twice: once to check it, and once to store it."""
MOST_WEIGHT = 100_000
"""Most rows in memory, some 25 MiB; each minute counts as three rows. A file with more counts as large."""
Hash: TypeAlias = "hashlib._Hash"
TOO_LARGE = "is larger than max_bytes"
TOO_OLD = "its newest record is older than"
"""How the reasons begin that need other advice."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How to read files.

    `begin` begins a pass over the records of a file; its argument is the time now. `chunks` yields the
    content of a file and adds it to a hash. `oldest_days`: a file whose newest record is older is rejected.
    `leaves` says whether a file that is cut short stays for its writer to finish.
    """

    begin: Callable[[datetime], Pass]
    max_bytes: int
    oldest_days: int
    chunks: Callable[[Waiting, Hash], Iterator[bytes]]
    leaves: Callable[[Waiting, datetime], bool]


class Parsed(NamedTuple):
    """A file that was read, or rejected unread, in the form to store.

    `is_reread`: its rows are not in memory, and are read again to be stored. `broken` are the rules that its
    records broke, `ahead` is how far its times are ahead of now, if that is the only fault.
    """

    waiting: Waiting
    file: ToIngest
    now: datetime
    is_reread: bool = False
    ahead: timedelta | None = None
    broken: tuple[Broken, ...] = ()

    @property
    def weight(self) -> int:
        """Its size in memory, in rows."""
        content = self.file.content
        if content is None:
            return 0
        return 3 * len(content.minutes) + (0 if self.is_reread else content.records)

    @property
    def is_empty(self) -> bool:
        """Whether it has no records and is only a sign of life."""
        return self.file.content is not None and self.file.content.records == 0

    def reason(self) -> dict[str, Json]:
        """Return the content of the reason file: which records, which rule, never a value."""
        records: list[Json] = [
            {"rule": one.rule, "records": list(one.records), "count": one.count} for one in self.broken
        ]
        return {
            "reason": self.file.reason,
            "records": records,
            "name": self.waiting.name,
            "source": self.waiting.source,
            "size": self.waiting.size,
            "sha256": self.file.sha256,
            "refused_at": self.now.isoformat(timespec="seconds"),
        }


def parse(waiting: Waiting, reader: Reader, now: datetime) -> Parsed | None:
    """Read a file to its end; None: its writer has not finished it. Raises `InboxError`."""
    if waiting.size > reader.max_bytes:
        return _too_large(waiting, reader.max_bytes, now)
    reading = reader.begin(now)
    digest = hashlib.sha256()
    chunks = reader.chunks(waiting, digest)
    rows: list[Rows] | None
    try:
        if waiting.size <= SMALL_BYTES:
            rows = reading.whole(b"".join(chunks))
        else:
            rows = _rows(reading, chunks, most=MOST_WEIGHT if waiting.size <= LARGE_BYTES else 0)
    except RejectedError as error:
        if isinstance(error, CutShortError) and reader.leaves(waiting, now):
            return None
        for _ in chunks:
            pass  # the hash is that of the whole file
        parsed = _rejected(waiting, digest.hexdigest(), now, str(error))
        if isinstance(error, BadRecordsError):
            return parsed._replace(ahead=error.ahead, broken=error.broken)
        return parsed
    content, sha256 = reading.content, digest.hexdigest()
    if content.span is not None and content.span[1] < seconds_of(now) - reader.oldest_days * 86400:
        return _rejected(waiting, sha256, now, _too_old(reader.oldest_days))
    return Parsed(
        waiting=waiting,
        file=ToIngest(
            source=waiting.source,
            sha256=sha256,
            name=waiting.name,
            size=waiting.size,
            content=content,
            rows=_read_again(waiting, sha256, reader, now) if rows is None else rows,
        ),
        now=now,
        is_reread=rows is None,
    )


def _too_large(waiting: Waiting, max_bytes: int, now: datetime) -> Parsed:
    """Reject a file unread.

    In the ledger the hash of its name, size and time of change identifies it. That is enough to find it
    again. No list of passages has such a text as its content.
    """
    which = f"{waiting.name} {waiting.size} {waiting.modified_at.isoformat()}"
    sha256 = hashlib.sha256(which.encode("utf-8", "surrogateescape")).hexdigest()
    reason = english("is larger than max_bytes ({most}): {size} bytes", most=max_bytes, size=waiting.size)
    return _rejected(waiting, sha256, now, reason)


def _too_old(oldest_days: int) -> str:
    return english(
        "its newest record is older than {age}, so tallyd cannot tell whether it was counted before",
        age=timedelta(days=oldest_days),
    )


def changed(waiting: Waiting) -> InboxError:
    """Return that a file changed between two readings."""
    return InboxError(english("{name} changed while it was read", name=waiting.name))


def refused(parsed: Parsed, reason: str) -> Parsed:
    """Return a file that was fine when it was read first, but not when it was read again."""
    return _rejected(parsed.waiting, parsed.file.sha256, parsed.now, reason)


def _rejected(waiting: Waiting, sha256: str, now: datetime, reason: str) -> Parsed:
    file = ToIngest(
        source=waiting.source,
        sha256=sha256,
        name=waiting.name,
        size=waiting.size,
        content=None,
        reason=reason,
    )
    return Parsed(waiting=waiting, file=file, now=now)


def _read_again(waiting: Waiting, sha256: str, reader: Reader, now: datetime) -> Iterator[Rows]:
    """Yield the rows of a file that was read before. Raises `InboxError` if its content is another now.

    It takes the same `now`, so that the result about times ahead is the same.
    """
    digest = hashlib.sha256()
    reading = reader.begin(now)
    yield from reading.rows(reader.chunks(waiting, digest))
    if digest.hexdigest() != sha256:
        raise changed(waiting)


def _rows(reading: Pass, chunks: Iterable[bytes], *, most: int) -> list[Rows] | None:
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
