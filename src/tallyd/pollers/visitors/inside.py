"""How many people are inside: in less out since the last reset, corrected, and never below zero.

The reset is a local time of day. With the default, midnight, those inside are counted by the same days as
those who came. A place that closes at 03:00 has a later one, so that its guests do not vanish at midnight.

Cameras miss people, mostly one way. A person who counts those inside can say so. The counts stay as they are:
such a correction is a number beside them, by how much they were off.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from tallyd.contract.corrections import Correction, CountedRecords
from tallyd.contract.passages import Count, read_seen, seen_text
from tallyd.core.schedule.days import day_of, day_span

MIDNIGHT: Final = time()
NOBODY: Final = Count(0, 0, 0, "", "")
_DAY: Final = timedelta(days=1)


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

    `count` is `NOBODY` without a record of that day. `balance` is in less out since the last reset,
    `corrected` the sum of the corrections since then.
    """

    count: Count = NOBODY
    balance: int = 0
    corrected: int = 0

    @property
    def has_records(self) -> bool:
        """Whether there is a record of that day."""
        return self.count != NOBODY

    @property
    def inside(self) -> int:
        """How many are inside: never below zero, however many people were counted as they left."""
        return max(0, self.balance + self.corrected)


def together(counts: Iterable[DayCount]) -> DayCount:
    """Return the sum; of none, nobody."""
    found = tuple(counts)
    total = NOBODY
    for each in found:
        if each.has_records:
            total = total + each.count if total != NOBODY else each.count
    return DayCount(total, sum(each.balance for each in found), sum(each.corrected for each in found))


@dataclass(frozen=True)
class Adjustment:
    """A correction, and the balance before it: of the counts, and of the corrections before."""

    correction: Correction
    counted: int

    @property
    def size(self) -> int:
        """How many people the cameras did not see as they came; below zero: as they left."""
        return self.correction.inside - self.counted


def adjustments(
    records: CountedRecords, since: datetime, until: datetime, *, resets: Resets
) -> Iterator[Adjustment]:
    """Yield the corrections from the last reset at or before `since`, oldest first. Raises `RecordsError`."""
    last: dict[str, Correction] = {}
    for each in records.corrections(resets.until(since), until):
        begin, inside = resets.until(each.at), 0
        if (before := last.get(each.source)) and before.at >= begin:
            begin, inside = before.at, before.inside
        counts = records.counts(begin, each.at) if begin < each.at else {}
        yield Adjustment(each, inside + _balance(counts.get(each.source, NOBODY)))
        last[each.source] = each


def read_day(records: CountedRecords, day: date, *, at: datetime, resets: Resets) -> Mapping[str, DayCount]:
    """Return the counts of a day by source, and who is inside at an instant of it, or at its end.

    A source is missing if it has neither a record of that day nor anything since the reset. Raises
    `RecordsError`.
    """
    whole, within = day_span(day, resets.zone), resets.span(day, at)
    counts = records.counts(*whole)
    balances = counts if within == whole else records.counts(*within)
    corrected = Counter[str]()
    for each in adjustments(records, *within, resets=resets):
        corrected[each.correction.source] += each.size
    return {
        source: DayCount(
            counts.get(source, NOBODY), _balance(balances.get(source, NOBODY)), corrected[source]
        )
        for source in {*counts, *balances, *corrected}
    }


def _balance(count: Count) -> int:
    return count.n_in - count.n_out


class Level:
    """Who is inside from minute to minute. `adjusted` has the corrections, oldest first.

    It goes no further than `now`: a reset later in the running hour is not yet done. `most` is how many there
    were at most since the last `begin`.
    """

    def __init__(
        self, resets: Resets, adjusted: Sequence[Adjustment] = (), *, now: datetime | None = None
    ) -> None:
        self._resets = resets
        self._steps = [(seen_text(each.correction.at), each.size) for each in adjusted]
        self._now = seen_text(now) if now else ""
        self._done = 0
        self._balance = 0
        self._until = ""
        self.most = 0

    @property
    def inside(self) -> int:
        """How many are inside."""
        return max(0, self._balance)

    def begin(self, minute: str) -> None:
        """Go on to a minute, and forget how many there were before."""
        self.go_to(minute)
        self.most = self.inside

    def go_to(self, minute: str) -> None:
        """Go on to a minute (text, UTC), which is not before the one of the last call."""
        minute = min(minute, self._now) if self._now else minute
        while self._done < len(self._steps) and self._steps[self._done][0] <= minute:
            at, size = self._steps[self._done]
            self._done += 1
            self._reset(at)
            self._change(size)
        self._reset(minute)

    def add(self, minute: str, n_in: int, n_out: int) -> None:
        """Add those who walked in and out in a minute."""
        self.go_to(minute)
        self._change(n_in - n_out)

    def corrected(self, since: datetime, until: datetime) -> int:
        """Return the sum of the corrections with since <= at < until."""
        begin, end = (bisect_left(self._steps, (seen_text(at),)) for at in (since, until))
        return sum(size for _, size in self._steps[begin:end])

    def _change(self, number: int) -> None:
        self._balance += number
        self.most = max(self.most, self._balance)

    def _reset(self, minute: str) -> None:
        if minute >= self._until:
            self._balance = 0
            self._until = seen_text(self._resets.after(read_seen(minute)))
