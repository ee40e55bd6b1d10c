"""Invented files of passages, and the expected content of each database, in plain Python."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from support.rows import Passage, rows_of
from tallyd.contract.passages import Content, Count, Rows, ToIngest, read_seen, seconds_of

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
DAY = (datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 21, tzinfo=UTC))

IN: Passage = (4711, "in", "2026-11-20 08:15:07", 1)
OUT: Passage = (4712, "out", "2026-11-20 08:15:59", None)
OTHER: Passage = (4713, "other", "2026-11-20 08:16:00", 3)


def minute_counts(rows: Sequence[Passage]) -> dict[str, Count]:
    """Return the expected counts of the rows, minute by minute."""
    counts: dict[str, Count] = {}
    for _, direction, seen_at, _ in rows:
        minute = seen_at[:16] + ":00"
        one = Count(
            int(direction == "in"), int(direction == "out"), int(direction == "other"), seen_at, seen_at
        )
        counts[minute] = counts[minute] + one if minute in counts else one
    return counts


def _seconds(text: str) -> int:
    return seconds_of(read_seen(text))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def visitor_file(
    name: str,
    *rows: Passage,
    source: str = "12",
    read: Callable[[], Iterable[Sequence[Passage]]] | None = None,
    batch: int = 1000,
) -> ToIngest:
    """Return a file with these rows, or those that `read` gives. A name stands for a content."""
    seen_at = sorted(rows_of(rows).seen_at)
    span = (seen_at[0], seen_at[-1]) if rows else None
    minutes = {
        _seconds(minute): (
            each.n_in,
            each.n_out,
            each.n_other,
            _seconds(each.first_at),
            _seconds(each.last_at),
        )
        for minute, each in minute_counts(rows).items()
    }
    content = Content(records=len(rows), minutes=minutes, span=span)
    return ToIngest(
        source=source,
        sha256=sha256(name),
        name=f"{name}.json",
        size=100 * len(rows),
        content=content,
        rows=_Batches(read or (lambda: _pieces(rows, batch))),
    )


@dataclass
class _Batches:
    """The rows of a file, which two kinds of records may read."""

    read: Callable[[], Iterable[Sequence[Passage]]]

    def __iter__(self) -> Iterator[Rows]:
        return map(rows_of, self.read())


def _pieces(rows: Sequence[Passage], most: int) -> Iterator[Sequence[Passage]]:
    for begin in range(0, len(rows), most):
        yield rows[begin : begin + most]


def rejected_file(name: str, *, source: str = "12", reason: str = "not JSON") -> ToIngest:
    return ToIngest(
        source=source, sha256=sha256(name), name=f"{name}.json", size=7, content=None, reason=reason
    )


def many(count: int, *, day: str = "2026-11-20") -> list[Passage]:
    """Return rows, a second apart, from midnight on."""
    directions = ("in", "out", "other")
    return [
        (
            10**12 + number,
            directions[number % 3],
            f"{day} {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}",
            number,
        )
        for number in range(count)
    ]
