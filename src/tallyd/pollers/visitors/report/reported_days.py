"""Which days a report is of, and what is remembered of each: so that a day's last report is made, once.

A day that is over is reported once more, with all that was counted on it, and again when records that came
late changed its counts. Of days from before the first report nothing is said: somebody else counted them,
and an inbox that was taken over may hold years.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Final

from pydantic import TypeAdapter, ValidationError

from tallyd.contract.passages import Count
from tallyd.core.reading import Facts
from tallyd.core.schedule.days import day_of, day_span

LAST_WITHIN: Final = timedelta(days=7)
"""So long after its end a day's last report is made up for, where nothing ran at midnight."""


@dataclass(frozen=True)
class Told:
    """What was last reported of a day: a mark of its counts, and whether the day was over then."""

    mark: str
    is_final: bool


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """The days that were reported and may have to be again; `since` is the first that ever was.

    Immutable. None where nothing was reported yet.
    """

    since: date | None = None
    days: Mapping[date, Told] = field(default_factory=dict)

    def noted(self, day: date, counts: Mapping[str, Count], *, is_final: bool) -> Ledger:
        """Return the ledger once a day was reported."""
        since = day if self.since is None else min(self.since, day)
        return Ledger(since=since, days={**self.days, day: Told(mark_of(counts), is_final)})

    def kept(self, days: Iterable[date]) -> Ledger:
        """Return the ledger without what it knows of other days."""
        return Ledger(since=self.since, days={day: self.days[day] for day in days if day in self.days})

    def wants(self, day: date, counts: Mapping[str, Count]) -> bool:
        """Whether one of `past_days` is to be reported, now that it has these counts."""
        told = self.days.get(day)
        if told is None:
            return bool(counts)
        return not told.is_final or told.mark != mark_of(counts)

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
            told = self.days.get(day)
            is_open = told is not None and not told.is_final and at - end <= LAST_WITHIN
            if begin < end and (is_open or at - end <= correct_within):
                yield day

    def memory(self) -> Facts:
        """Return it as a job's memory."""
        facts: Facts = _LEDGER.dump_python(self, mode="json")
        return facts


_LEDGER = TypeAdapter(Ledger)


def ledger_of(memory: Facts) -> Ledger:
    """Undo `Ledger.memory`. What can't be read is as if it had not been remembered."""
    try:
        return _LEDGER.validate_python(memory)
    except ValidationError:
        return Ledger()


def mark_of(counts: Mapping[str, Count]) -> str:
    """Return what is different where any count of any source is: short, however many sources there are."""
    rows = sorted([source, each.n_in, each.n_out, each.n_other] for source, each in counts.items())
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
