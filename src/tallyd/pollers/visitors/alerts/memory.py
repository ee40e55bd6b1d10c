"""What a sweep, or a centre's watch, remembers from run to run, as JSON in state.db.

An unreadable memory counts as missing. Every part has a limited size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, AwareDatetime, TypeAdapter, ValidationError, ValidationInfo

from tallyd.core.reading import Facts

SAVED_EVERY = timedelta(seconds=20)
"""If only `ledger_at` changes, it is not stored more often than this."""
MOST_SOURCES = 500


@dataclass
class _Clock:
    now: datetime
    was_ahead: bool = False


def _not_ahead(at: datetime, info: ValidationInfo[_Clock]) -> datetime:
    """Return the instant, or now if it is ahead of now: a wrong clock wrote it."""
    clock = info.context
    if at <= clock.now:
        return at
    clock.was_ahead = True
    return clock.now


Instant: TypeAlias = Annotated[AwareDatetime, AfterValidator(_not_ahead)]


@dataclass(frozen=True, kw_only=True)
class Level:
    """The rejected files of one source: how many, since when, and the newest.

    `is_mixed`: other files were good in that time. `is_good_again`: a good file came after the last rejected
    one. `ahead_s` is set if times ahead of now were the only fault.
    """

    since: Instant
    last_at: Instant
    files: int
    is_mixed: bool = False
    is_good_again: bool = False
    reason: str = ""
    ahead_s: float | None = None


@dataclass(frozen=True)
class Quiet:
    """A source that delivers nothing: since when that counts, and when its last file arrived, if known."""

    since: Instant
    last_at: Instant | None


@dataclass(frozen=True)
class Trouble:
    """The database is unavailable: since when, and why."""

    since: Instant
    reason: str


@dataclass(frozen=True, kw_only=True)
class Remembered:
    """The whole memory. `watched` is since when each source (or the inbox as a whole) is watched.

    `ledger_at` is when the ledger was last read for rejected files.
    `unseen_since` is set while nothing in the inbox is visible; `back_at` is when it became visible again.
    `is_ahead`: a clock that was ahead of now wrote some of it; those times now count as now.
    """

    ledger_at: Instant
    watched: Mapping[str, Instant] = field(default_factory=dict)
    unseen_since: Instant | None = None
    back_at: Instant | None = None
    unreadable_since: Instant | None = None
    database: Trouble | None = None
    rejected: Mapping[str, Level] = field(default_factory=dict)
    quiet: Mapping[str, Quiet] = field(default_factory=dict)
    is_ahead: bool = field(default=False, compare=False)


@cache
def _form() -> TypeAdapter[Remembered]:
    """Return how it is stored. Making this takes 5 ms, which other pollers do not need."""
    return TypeAdapter(Remembered)


def read_memory(memory: Facts, now: datetime) -> Remembered:
    """Return what was remembered; without a memory, what a first run knows. Nothing is ahead of `now`."""
    clock = _Clock(now)
    try:
        found = _form().validate_python(memory, context=clock)
    except ValidationError:
        return Remembered(ledger_at=now)
    return replace(found, is_ahead=clock.was_ahead)


def to_remember(before: Remembered, after: Remembered, memory: Facts) -> Facts | None:
    """Return the new memory to store; None: `memory` stays.

    A new `ledger_at` alone is a reason to store it only after `SAVED_EVERY`.
    """
    is_same = bool(memory) and replace(after, ledger_at=before.ledger_at) == before and not before.is_ahead
    if is_same and after.ledger_at - before.ledger_at < SAVED_EVERY:
        return None
    facts: Facts = _form().dump_python(after, mode="json", exclude={"is_ahead"})
    return facts
