"""People who walked in and out, as they cross between the inbox, the parser and the database.

Instants of passages and their minutes are whole seconds since 1970: a file may hold millions, and they are
only compared and stored. What is read from the database has text, `YYYY-MM-DD HH:MM:SS` in UTC, as it is
there. This text sorts in the order of the instants.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias

IN: Final = 0
OUT: Final = 1
OTHER: Final = 2
Row: TypeAlias = "tuple[int, int, int, int | None]"
"""person_id, direction (`IN`, `OUT`, `OTHER`), seen_at, frame."""
Fingerprint: TypeAlias = "tuple[str, str]"
"""The source and the SHA-256 (hex) of a file's content: two files with both equal are the same file."""
MinuteCount: TypeAlias = "tuple[int, int, int, int, int]"
"""How many people walked in, out and another way in a minute, and the first and last time."""
Outcome: TypeAlias = Literal["done", "repeat", "rejected"]
"""Result of ingesting a file: its rows were stored; they were stored before; nothing was stored."""


def seen_text(at: datetime) -> str:
    """Return an aware instant in the form of passages, cut to the second."""
    # Not strftime: its %Y does not pad a year before 1000, and such text would not sort as instants do.
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def read_seen(text: str) -> datetime:
    """Undo `seen_text`. Raises ValueError."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)


def seconds_of(at: datetime) -> int:
    """Return an aware instant in whole seconds since 1970, cut to the second."""
    since = at - _1970
    return since.days * 86400 + since.seconds


def instant_of(seconds: int) -> datetime:
    """Undo `seconds_of`. Raises OverflowError for a year before 1 or after 9999."""
    return _1970 + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Rows:
    """Passages as columns, all of one length. Iterating gives `Row`s.

    Not a tuple for each passage: building and unpacking a million tuples takes as long as storing them.
    """

    people: Sequence[int]
    ways: Sequence[int]
    seen_at: Sequence[int]
    frames: Sequence[int | None]

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Rows:
        """Return rows as columns."""
        people, ways, seen_at, frames = list(zip(*rows, strict=True)) or ((), (), (), ())
        return cls(people, ways, seen_at, frames)

    def __len__(self) -> int:
        return len(self.people)

    def __iter__(self) -> Iterator[Row]:
        return zip(self.people, self.ways, self.seen_at, self.frames, strict=True)


@dataclass(frozen=True, slots=True)
class Count:
    """How many people walked each way in a span of time, and the first and last time."""

    n_in: int
    n_out: int
    n_other: int
    first_at: str
    last_at: str

    def __add__(self, other: Count) -> Count:
        return Count(
            self.n_in + other.n_in,
            self.n_out + other.n_out,
            self.n_other + other.n_other,
            min(self.first_at, other.first_at),
            max(self.last_at, other.last_at),
        )


def minute_counts(seen_at: Sequence[int], ways: Sequence[int]) -> dict[int, MinuteCount]:
    """Return the counts of passages by the first second of their minute."""
    if sorted(seen_at) != seen_at:  # rare: a host writes what it sees
        seen_at, ways = zip(*sorted(zip(seen_at, ways, strict=True)), strict=True)
    counts: dict[int, MinuteCount] = {}
    begin = 0
    while begin < len(seen_at):
        first = seen_at[begin]
        minute = first - first % 60
        end = bisect(seen_at, minute + 59, begin)
        some = ways[begin:end]
        n_in, n_out = some.count(IN), some.count(OUT)
        counts[minute] = (n_in, n_out, end - begin - n_in - n_out, first, seen_at[end - 1])
        begin = end
    return counts


def added(one: MinuteCount, other: MinuteCount) -> MinuteCount:
    """Return the sum of two counts of the same minute."""
    return (
        one[0] + other[0],
        one[1] + other[1],
        one[2] + other[2],
        min(one[3], other[3]),
        max(one[4], other[4]),
    )


def count_of(count: MinuteCount) -> Count:
    """Return a count in the form in which the database has it."""
    n_in, n_out, n_other, first, last = count
    return Count(n_in, n_out, n_other, seen_text(instant_of(first)), seen_text(instant_of(last)))


class Content(NamedTuple):
    """The content of a file: the number of records, and their counts by minute.

    A minute is named by its first second. `span` has the times of the oldest and the newest record; None for
    a file without records, or one whose rows are not stored. `skipped` records were left out because the
    config says so.
    """

    records: int
    minutes: Mapping[int, MinuteCount]
    span: tuple[int, int] | None = None
    skipped: int = 0


class ToIngest(NamedTuple):
    """A file to store, or (`content` None) to note as rejected for a `reason`.

    `name` is for people, `size` is in bytes. `rows` has the rows in batches. They are read inside the
    transaction, at most once. If that raises, the transaction ends.
    """

    source: str
    sha256: str
    name: str
    size: int
    content: Content | None
    reason: str | None = None
    rows: Iterable[Rows] = ()

    @property
    def fingerprint(self) -> Fingerprint:
        return (self.source, self.sha256)


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    """A file in the ledger. `records` is None for a rejected file."""

    source: str
    sha256: str
    name: str
    size: int
    records: int | None
    state: Literal["done", "rejected"]
    reason: str | None
    ingested_at: datetime
