"""How often a requirement was met: over some readings, and at which hours of the week it was weakest.

A slot is *met* or *below* only if that is certain. A missed slot, a hidden count or a count that Divera did
not show leaves it *unknown*, unless the visible counts alone decide. So a share is an interval: it holds
whatever the unknown slots were.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from itertools import pairwise
from typing import Literal, TypeAlias

from tallyd.core.history import Entry
from tallyd.core.panels import Gap, Interval
from tallyd.core.weekly import names_of_times
from tallyd.pollers.divera.requirement import Requirement

Verdict: TypeAlias = Literal["met", "below", "unknown"]
_END_OF_DAY = "24:00"


@dataclass(frozen=True)
class Judged:
    """A slot that was judged, at its local time."""

    local: datetime
    verdict: Verdict


@dataclass(frozen=True)
class Fulfilment:
    """How many slots were met, below and unknown."""

    met: int
    below: int
    unknown: int

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Fulfilment:
        """Return the sums."""
        sums = Counter(verdicts)
        return cls(sums["met"], sums["below"], sums["unknown"])

    @property
    def slots(self) -> int:
        """How many slots were judged."""
        return self.met + self.below + self.unknown

    @property
    def share(self) -> Interval | Gap:
        """The share of the judged slots that were met; unknown if no slot is known."""
        if self.unknown == self.slots:
            return Gap.UNKNOWN
        return Interval(self.met / self.slots, (self.met + self.unknown) / self.slots)


@dataclass(frozen=True)
class WeakHours:
    """Hours of a weekday at which a requirement was weak: from a slot to the next one of that day.

    `weekday` 0 is Monday.
    """

    weekday: int
    begin: str
    end: str
    share: Interval
    slots: int


def verdict(requirement: Requirement, entry: Entry) -> Verdict:
    """Return whether a reading or a missed slot met a requirement, as far as visible numbers decide.

    Where the number of people with a qualification is hidden, it is at most the number of people.
    """
    bounds = [_bounds(requirement, entry, status) for status in requirement.statuses]
    least, most = (sum(each) for each in zip(*bounds, strict=True))
    if least >= requirement.count:
        return "met"
    return "below" if most < requirement.count else "unknown"


def _bounds(requirement: Requirement, entry: Entry, status: str) -> tuple[float, float]:
    """Return how many people there were on a status at least and at most."""
    found = entry.count(status, requirement.qualification)
    if not isinstance(found, Gap):
        return found, found
    people = entry.count(status)
    return 0, math.inf if isinstance(people, Gap) else people


def slot_local(at: datetime, times: Collection[time], zone: tzinfo) -> datetime:
    """Return the local time of a slot as it stands among `times`: 02:30 also on the day that has no 02:30."""
    local = at.astimezone(zone)
    if local.time() in times:
        return local
    written = (datetime.combine(local.date(), each, zone) for each in times)
    return next((each for each in written if each.astimezone(UTC) == at), local)


def judged(
    requirement: Requirement, entries: Iterable[Entry], times: Collection[time], zone: tzinfo
) -> tuple[Judged, ...]:
    """Return the slots at which a requirement applied. A reading outside the timetable `times` is none."""
    return tuple(
        Judged(slot_local(entry.at, times, zone), verdict(requirement, entry))
        for entry in entries
        if entry.origin != "once" and requirement.applies(entry.at.astimezone(zone))
    )


def weakest(
    slots: Sequence[Judged], timetable: Iterable[datetime], *, most: int = 3
) -> tuple[WeakHours, ...]:
    """Return the hours of the week with the lowest shares; only hours that were below for certain.

    `timetable` are the local times of all slots, judged or not: hours end with the next one of their day.
    Shares are compared by their upper bounds, since those hold in any case.
    """
    name = names_of_times(slot.local for slot in slots)
    by_hours: dict[tuple[int, str], list[Verdict]] = {}
    for slot in slots:
        by_hours.setdefault((slot.local.weekday(), name(slot.local)), []).append(slot.verdict)
    ends = _ends((local.weekday(), name(local)) for local in timetable)
    found = [
        WeakHours(day, begin, ends[day, begin], share, len(verdicts))
        for (day, begin), verdicts in by_hours.items()
        if isinstance(share := Fulfilment.of(verdicts).share, Interval) and share.high < 1
    ]
    found.sort(key=lambda each: (each.share.high, each.share.low, each.weekday, each.begin))
    return tuple(found[:most])


def _ends(hours: Iterable[tuple[int, str]]) -> Mapping[tuple[int, str], str]:
    """Return when the hours end that begin on a weekday at a time: at the next time of that day."""
    return {
        (day, begin): end if day == next_day else _END_OF_DAY
        for (day, begin), (next_day, end) in pairwise((*sorted(set(hours)), (-1, "")))
    }
