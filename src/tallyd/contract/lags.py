"""What tallyd stores about the data of servers: each change, and figures for every hour.

Instants are text here, `YYYY-MM-DD HH:MM:SS` in UTC, as the database keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from tallyd.contract.passages import seen_text

MOST_WAITING: Final = 10_000
"""Most rows that wait in memory while the database is not available, and most rows of past hours."""


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
    """The checks of a server in a span of time, how many found fresh and late data, and the largest lag.

    Without a check there is no share.
    """

    checks: int
    fresh: int
    late: int
    lag_s_max: float | None

    @property
    def within_limit(self) -> int:
        """How many checks found data within the limit: fresh or late, not stale."""
        return self.fresh + self.late

    @property
    def within_limit_share(self) -> float:
        """The share of checks that found data within the limit, from 0 to 1."""
        return self.within_limit / self.checks

    @property
    def fresh_share(self) -> float:
        """The share of checks that found fresh data, from 0 to 1."""
        return self.fresh / self.checks

    def __add__(self, other: HourCount) -> HourCount:
        lags = [lag_s for lag_s in (self.lag_s_max, other.lag_s_max) if lag_s is not None]
        return HourCount(
            self.checks + other.checks,
            self.fresh + other.fresh,
            self.late + other.late,
            max(lags, default=None),
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
