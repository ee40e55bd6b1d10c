"""Which days to report, and what is remembered about each, so that each day gets its final report once.

After its end, a day is reported once more with all its counts, and again if late records changed them. Days
before the first report are never reported: somebody else counted them, and an old inbox may have files of
years.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from pydantic import TypeAdapter, ValidationError

from tallyd.core.reading import Facts
from tallyd.core.schedule.days import day_of, day_span
from tallyd.pollers.visitors.inside import DayCount

LAST_WITHIN: Final = timedelta(days=7)
"""How long after its end a day still gets its final report, if nothing ran at midnight."""


@dataclass(frozen=True)
class Reported:
    """What was last reported about a day: a mark of its counts, and whether the day was over then.

    `ssids` are the upstream's names that ever had a report of that day.
    """

    mark: str
    is_final: bool
    ssids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The days that were reported and may be reported again. `since` is the first of all; None: none yet."""

    since: date | None = None
    days: Mapping[date, Reported] = field(default_factory=dict)

    def noted(
        self, day: date, counts: Mapping[str, DayCount], ssids: Iterable[str], *, is_final: bool
    ) -> Ledger:
        """Return the ledger after the report of a day, which had messages for these names."""
        since = day if self.since is None else min(self.since, day)
        reported = Reported(mark_of(counts), is_final, tuple(sorted({*self.ssids(day), *ssids})))
        return Ledger(since=since, days={**self.days, day: reported})

    def ssids(self, day: date) -> tuple[str, ...]:
        """Return the upstream's names that had a report of a day."""
        return self.days[day].ssids if day in self.days else ()

    def kept(self, days: Iterable[date]) -> Ledger:
        """Return the ledger with only these days."""
        return Ledger(since=self.since, days={day: self.days[day] for day in days if day in self.days})

    def wants(self, day: date, counts: Mapping[str, DayCount]) -> bool:
        """Whether to report one of `past_days`, which now has these counts."""
        known = self.days.get(day)
        if known is None:
            return bool(counts)
        return not known.is_final or known.mark != mark_of(counts)

    def past_days(self, at: datetime, zone: tzinfo, *, correct_within: timedelta) -> tuple[date, ...]:
        """Return the days over at an instant that may still have to be reported, oldest first."""
        return tuple(self._past_days(at, zone, correct_within))

    def _past_days(self, at: datetime, zone: tzinfo, correct_within: timedelta) -> Iterator[date]:
        today = day_of(at, zone)
        if self.since is None:
            return
        first = max(self.since, day_of(at - max(correct_within, LAST_WITHIN), zone) - timedelta(days=1))
        for back in range((today - first).days, 0, -1):
            day = today - timedelta(days=back)
            begin, end = day_span(day, zone)
            known = self.days.get(day)
            is_open = known is not None and not known.is_final and at - end <= LAST_WITHIN
            if begin < end and (is_open or at - end <= correct_within):
                yield day

    def memory(self) -> Facts:
        """Return the ledger as a job's memory."""
        facts: Facts = _LEDGER.dump_python(self, mode="json")
        return facts


_LEDGER = TypeAdapter(Ledger)


def ledger_of(memory: Facts) -> Ledger:
    """Undo `Ledger.memory`. An unreadable memory counts as empty."""
    try:
        return _LEDGER.validate_python(memory)
    except ValidationError:
        return Ledger()


def mark_of(counts: Mapping[str, DayCount]) -> str:
    """Return a short text that differs if any count of any source differs."""
    rows = sorted(
        [source, each.count.n_in, each.count.n_out, each.count.n_other, each.balance, each.corrected]
        for source, each in counts.items()
    )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
