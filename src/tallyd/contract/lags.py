"""What tallyd stores about the data of servers: each change, and figures for every hour.

Instants are text here, `YYYY-MM-DD HH:MM:SS` in UTC, as the database keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from tallyd.contract.passages import read_seen, seen_text

MOST_WAITING: Final = 10_000
"""Most rows that wait in memory while the database is not available, and most rows of past hours."""


TARGET_STATES: Final = ("fresh", "late", "stale", "future", "invalid", "unreachable")
"""The states that an `HourCount` has seconds of."""


@dataclass(frozen=True, slots=True)
class LagRow:
    """A check at which a server's state or time changed. `computed_time` has milliseconds.

    `computed_time` and `lag_s` are None if no time could be read. `advanced_s` is None if there is nothing to
    compare with. Seconds.
    """

    server: str
    checked_at: str
    computed_time: str | None
    lag_s: float | None
    state: str
    advanced_s: float | None


@dataclass(frozen=True, slots=True)
class HourCount:
    """The checks of a server in a span of time, the largest lag, and for how many seconds each state held.

    A check's state holds until the next check. Where nobody checked in time, no state holds.
    """

    checks: int
    lag_s_max: float | None
    fresh_s: float = 0.0
    late_s: float = 0.0
    stale_s: float = 0.0
    future_s: float = 0.0
    invalid_s: float = 0.0
    unreachable_s: float = 0.0

    @property
    def known_s(self) -> float:
        """For how long any state held."""
        return self.within_limit_s + self.stale_s + self.future_s + self.invalid_s + self.unreachable_s

    @property
    def within_limit_s(self) -> float:
        """For how long the data was within the limit: fresh or late, not stale."""
        return self.fresh_s + self.late_s

    @property
    def seconds(self) -> Mapping[str, float]:
        """The seconds by state."""
        return {state: getattr(self, f"{state}_s") for state in TARGET_STATES}

    def __add__(self, other: HourCount) -> HourCount:
        lags = [lag_s for lag_s in (self.lag_s_max, other.lag_s_max) if lag_s is not None]
        return HourCount(
            self.checks + other.checks,
            max(lags, default=None),
            self.fresh_s + other.fresh_s,
            self.late_s + other.late_s,
            self.stale_s + other.stale_s,
            self.future_s + other.future_s,
            self.invalid_s + other.invalid_s,
            self.unreachable_s + other.unreachable_s,
        )


Hours: TypeAlias = "Mapping[tuple[str, str], HourCount]"
"""Counts by (hour, server); an hour is its first second."""


@dataclass(frozen=True)
class StoreOutcome:
    """Result of storing rows. `waiting` rows are in memory, `dropped` rows are lost for good.

    `trouble` is why the database could not be used; None if everything is stored. `dropped` counts since the
    database was last used.
    """

    waiting: int = 0
    dropped: int = 0
    trouble: str | None = None


def hour_of(at: datetime) -> str:
    """Return the hour of an instant."""
    return seen_text(at)[:13] + ":00:00"


def held(state: str, since: datetime, until: datetime) -> Iterator[tuple[str, HourCount]]:
    """Yield each hour in which a state held, and for how long it did; nothing if `until` is not later."""
    while since < until:
        hour = hour_of(since)
        end = min(until, read_seen(hour) + timedelta(hours=1))
        yield hour, HourCount(0, None, **{f"{state}_s": (end - since).total_seconds()})
        since = end
