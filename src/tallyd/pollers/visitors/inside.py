"""How many people are inside: in less out since the last reset, never below zero.

The reset is a local time of day. With the default, midnight, those inside are counted by the same days as
those who came. A place that closes at 03:00 has a later one, so that its guests do not vanish at midnight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, Protocol

from tallyd.contract.passages import Count, read_seen, seen_text
from tallyd.core.schedule.days import day_of, day_span

MIDNIGHT: Final = time()
NOBODY: Final = Count(0, 0, 0, "", "")
_DAY: Final = timedelta(days=1)


class Counts(Protocol):
    """Reads counts. Raises `RecordsError`."""

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        """Return the counts of the minutes with since <= minute < until, by source."""
        ...


@dataclass(frozen=True)
class Resets:
    """The instants at which nobody is inside: a time of day in a zone.

    A time that does not exist moves by the gap. One that occurs twice is the first.
    """

    zone: tzinfo
    at: time = MIDNIGHT

    def until(self, at: datetime) -> datetime:
        """Return the last reset at or before an instant."""
        return max(reset for reset in self._around(day_of(at, self.zone)) if reset <= at)

    def after(self, at: datetime) -> datetime:
        """Return the first reset after an instant."""
        return min(reset for reset in self._around(day_of(at, self.zone)) if reset > at)

    def span(self, day: date, at: datetime) -> tuple[datetime, datetime]:
        """Return from when to when people are counted as inside at an instant of a day; after it, at its end.

        It ends at the next reset or with the day, not at the instant: a camera's clock may be ahead.
        """
        end = day_span(day, self.zone)[1]
        if at < end:
            end = min(end, self.after(at))
        return self.until(end - timedelta.resolution), end

    @lru_cache(maxsize=64)  # noqa: B019 # few and small: one for each poller, and for each reload of the config
    def _around(self, day: date) -> tuple[datetime, ...]:
        # Two on each side: a zone can leave a whole day out (Apia, 2011-12-30).
        return tuple(self._of(day + number * _DAY) for number in range(-2, 3))

    def _of(self, day: date) -> datetime:
        if self.at == MIDNIGHT:
            return day_span(day, self.zone)[0]
        return datetime.combine(day, self.at, self.zone).replace(fold=0).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class DayCount:
    """Who walked in and out on a local day, and who is inside.

    `count` is `NOBODY` without a record of that day. `balance` is in less out since the last reset.
    """

    count: Count = NOBODY
    balance: int = 0

    @property
    def has_records(self) -> bool:
        """Whether there is a record of that day."""
        return self.count != NOBODY

    @property
    def inside(self) -> int:
        """How many are inside: never below zero, however many people were counted as they left."""
        return max(0, self.balance)


def together(counts: Iterable[DayCount]) -> DayCount:
    """Return the sum; of none, nobody."""
    found = tuple(counts)
    total = NOBODY
    for each in found:
        if each.has_records:
            total = total + each.count if total != NOBODY else each.count
    return DayCount(total, sum(each.balance for each in found))


def read_day(records: Counts, day: date, *, at: datetime, resets: Resets) -> Mapping[str, DayCount]:
    """Return the counts of a day by source, and who is inside at an instant of it, or at its end.

    A source is missing if it has no record of that day or since the reset. Raises `RecordsError`.
    """
    whole, within = day_span(day, resets.zone), resets.span(day, at)
    counts = records.counts(*whole)
    balances = counts if within == whole else records.counts(*within)
    return {
        source: DayCount(counts.get(source, NOBODY), _balance(balances.get(source, NOBODY)))
        for source in (counts.keys() | balances.keys())
    }


def _balance(count: Count) -> int:
    return count.n_in - count.n_out


class Level:
    """In less out since the last reset, from minute to minute."""

    def __init__(self, resets: Resets) -> None:
        self._resets = resets
        self._balance = 0
        self._until = ""

    @property
    def inside(self) -> int:
        """How many are inside."""
        return max(0, self._balance)

    def go_to(self, minute: str) -> None:
        """Go on to a minute (text, UTC), which is not before the one of the last call."""
        if minute >= self._until:
            self._balance = 0
            self._until = seen_text(self._resets.after(read_seen(minute)))

    def add(self, minute: str, n_in: int, n_out: int) -> None:
        """Add those who walked in and out in a minute."""
        self.go_to(minute)
        self._balance += n_in - n_out
