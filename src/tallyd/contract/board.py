"""What a board is made from: what a person asks for, and what is stored of one poller."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Final, Protocol, Self, cast, get_args
from zoneinfo import ZoneInfo

from tallyd.contract.arrivals import Arrival
from tallyd.contract.corrections import CountedRecords
from tallyd.contract.imports import Imported
from tallyd.contract.lags import HourCount, LagRow
from tallyd.contract.passages import Count
from tallyd.core.alerts.incidents import Incident
from tallyd.core.language.formats import day_text
from tallyd.core.language.messages import tr
from tallyd.core.periods import By
from tallyd.core.reading import Facts
from tallyd.core.schedule.days import day_span
from tallyd.core.stored import LastReading, OutboxRow, StoredReading
from tallyd.core.timeline import RANGES, Range, borders_between, borders_of
from tallyd.core.uptime import TimeSpan

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_YEARS: Final = range(1970, 9999)
"""No reading is older, and a day may be added on either side."""


class AskedError(Exception):
    """What was asked for does not exist. The text says so, and what does."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The days that are asked for, local dates, both included; `by` None is the kind's own way.

    `range` is how far back they go, if that was asked for and not the days themselves.

    `options` are the further options of the kind (`Poller.options`); an empty value means all. `most_rows`:
    a table of more rows is not wanted, because a daemon would need too much memory; None: any.
    """

    first: date
    last: date
    by: By | None = None
    range: Range | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    most_rows: int | None = None

    @classmethod
    def read(
        cls,
        *,
        today: date,
        first: str = "",
        last: str = "",
        back: str = "",
        by: str = "",
        options: Mapping[str, str] = MappingProxyType({}),
        default_days: Callable[[By | None], int],
        most_rows: int | None = None,
    ) -> Self:
        """Return what a person wrote; an empty text: nothing. Raises `AskedError`.

        `back` is a range. Without `last`, the days end today. Without `first`, they are the last
        `default_days` of `by`.
        """
        if by and by not in get_args(By):
            raise AskedError(tr("by must be one of: {known}", known=", ".join(get_args(By))))
        known = cast("By | None", by or None)
        if back:
            return cls(
                first=_first_of(back, first=first, last=last, today=today),
                last=today,
                by=known,
                range=cast("Range", back),
                options=options,
                most_rows=most_rows,
            )
        end = _day(last) if last else today
        begin = _day(first) if first else end - timedelta(days=default_days(known) - 1)
        if begin > end:
            days = {"first": day_text(begin), "end": day_text(end)}
            raise AskedError(
                tr("the first day, {first}, is after the last, {end}", **days)
                if last
                else tr("the first day, {first}, is after today, {end}", **days)
            )
        return cls(first=begin, last=end, by=known, options=options, most_rows=most_rows)

    def check_rows(self, count: int) -> None:
        """Raise `AskedError` if a table with `count` rows is too long."""
        if self.most_rows is not None and count > self.most_rows:
            raise AskedError(
                tr(
                    "these are more than {most} rows; choose fewer days or a longer period, "
                    "or use tallyd report, which shows all",
                    most=self.most_rows,
                )
            )

    def value(self, option: str) -> str:
        """Return the value of an option; empty: all, or there is no such option."""
        return self.options.get(option, "")

    def of_whole_days(self, said: str) -> str:
        """Return what is said of numbers; if 24 hours were asked for, that they are of whole days."""
        return tr("whole days, {said}", said=said) if self.range == "24h" else said

    def borders(self, *, now: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
        """Return where the spans of a timeline begin, oldest first, and where the last one ends; (): none."""
        if self.range == "24h":
            return borders_of(self.range, now=now, zone=zone)
        since, until = self.span(zone)
        return borders_between(since, min(until, now), zone)

    def span(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the first instant of the days, and the first one after them (UTC)."""
        return day_span(self.first, zone)[0], day_span(self.last, zone)[1]


def _first_of(back: str, *, first: str, last: str, today: date) -> date:
    """Return the day on which a range begins. Raises `AskedError`."""
    if back not in RANGES:
        raise AskedError(tr("range must be one of: {known}", known=", ".join(RANGES)))
    if first or last:
        raise AskedError(tr("range can't go together with from and to; leave out one of them"))
    return today - timedelta(days=RANGES[cast("Range", back)] - 1)


def _day(written: str) -> date:
    try:
        found = date.fromisoformat(written) if _DAY.fullmatch(written) else None
    except ValueError:
        found = None
    if found is not None and found.year not in _YEARS:
        first, last = f"{_YEARS[0]}-01-01", f"{_YEARS[-1]}-12-31"
        raise AskedError(tr("{day} is not between {first} and {last}", day=written, first=first, last=last))
    if found is None:
        raise AskedError(
            tr('there is no day "{written}"; write it as YYYY-MM-DD, such as 2026-11-20', written=written)
        )
    return found


class PastRecords(CountedRecords, Protocol):
    """One poller's records in the database, for reading. Every method raises `RecordsError`.

    A database that was never used holds nothing.
    """

    def arrivals(self, now: datetime) -> Mapping[str, Arrival]:
        """Return the newest file of each source, whichever host it came to."""
        ...

    def imported(self) -> Imported | None:
        """Return what was imported from an older program; None: nothing."""
        ...

    def minutes(
        self, since: datetime, until: datetime, *, sources: Collection[str] | None = None
    ) -> Sequence[tuple[str, Count]]:
        """Return the counts of the minutes with since <= minute < until, in order; `sources` None: of all.

        The sources are summed up by the database: five hundred have half a million counts a day.
        """
        ...

    def files_since(self, since: datetime) -> Mapping[str, int]:
        """Return how many files were ingested since then, by `done` and `rejected`."""
        ...

    def server_sums(self, since: datetime, until: datetime) -> Mapping[str, HourCount]:
        """Return the checks of the hours with since <= hour < until, by target."""
        ...

    def server_hours(
        self, since: datetime, until: datetime, *, servers: Collection[str] | None = None
    ) -> Sequence[tuple[str, str, HourCount]]:
        """Return (target, hour, checks) of the hours with since <= hour < until, in that order.

        `servers`: only those of these targets.
        """
        ...

    def server_lags(
        self, servers: Collection[str], since: datetime, until: datetime, *, most: int
    ) -> Sequence[LagRow]:
        """Return the newest `most` changes of these targets, oldest first."""
        ...


class Past(Protocol):
    """What is stored of one poller, for reading. Raises `StateError` if state.db cannot be read.

    `poller` is its name, `zone` its time zone, `next_at` its next slot if it has slots. `open_alerts` are the
    keys of its open alerts.
    """

    @property
    def poller(self) -> str: ...

    @property
    def zone(self) -> ZoneInfo: ...

    @property
    def now(self) -> datetime: ...

    @property
    def next_at(self) -> datetime | None: ...

    @property
    def open_alerts(self) -> frozenset[str]: ...

    @property
    def records(self) -> PastRecords: ...

    def last_taken(self) -> LastReading | None:
        """Return when the last reading was taken, be it by hand."""
        ...

    def last_reading(self, *, in_timetable: bool = False) -> StoredReading | None:
        """Return the newest reading; `in_timetable`: not one by hand."""
        ...

    def readings(
        self, since: datetime, until: datetime, *, most: int | None = None
    ) -> Sequence[StoredReading]:
        """Return the first `most` readings and missed slots with since <= slot < until, oldest first."""
        ...

    def memory(self, job: str) -> Facts:
        """Return what the last reading of a job wanted to keep."""
        ...

    def kept(self, job: str) -> Mapping[str, object]:
        """Return what a running job keeps in memory; empty outside the daemon and before its first run."""
        ...

    def outbox(self) -> Sequence[OutboxRow]:
        """Return its reports to upstreams."""
        ...

    def incidents(
        self, since: datetime, until: datetime, *, subject: str = "", most: int | None = None
    ) -> Sequence[Incident]:
        """Return its incidents that overlap with since <= time < until, the one that began last first.

        `subject`: only those with this second segment of their key. `most`: only the first ones.
        """
        ...

    def uptime(self, since: datetime, until: datetime) -> Sequence[TimeSpan]:
        """Return when tallyd was on within since <= time < until, oldest first; none overlap."""
        ...
