"""How many came, left and were inside, as a table: by hour, day, weekday, month and year.

Made of minute counts. Who is inside is counted from each local midnight on, and is never below zero. A day
without a record does not exist: nobody knows whether nobody came, or nobody counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import groupby
from typing import Final, TypeAlias

from tallyd.contract.passages import Count, read_seen, seen_text
from tallyd.core.periods import By, labels_of
from tallyd.core.schedule.days import day_of, day_span
from tallyd.core.schedule.timetable import WEEKDAYS

Minute: TypeAlias = "tuple[str, str, Count]"
"""A source, the first second of a minute (UTC), and what was counted in it."""
_Row: TypeAlias = "tuple[str, int, int, int]"
"""A minute; how many came, left, and went another way, of all sources together."""
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Visits:
    """What an hour, a day, ... came to. `labels` name it, each with its column's heading.

    `days` is how many days with records it is made of. `inside` is how many were inside at its end (so far,
    where it goes on); None where it is made of several days. `most_inside` is how many there were at most.
    """

    labels: Mapping[str, str]
    days: int
    n_in: int
    n_out: int
    n_other: int
    inside: int | None
    most_inside: int


@dataclass(frozen=True)
class Day:
    """A local day, hour by hour."""

    day: date
    hours: tuple[Visits, ...]


def of_sources(minutes: Iterable[Minute], sources: Collection[str] | None) -> tuple[Minute, ...]:
    """Return the minutes of some sources; None: of all."""
    return tuple(minute for minute in minutes if sources is None or minute[0] in sources)


def hours_of(
    minutes: Iterable[Minute], *, day: date, zone: tzinfo, until: datetime | None = None
) -> tuple[Visits, ...]:
    """Return all hours of a local day in order, without those that begin after `until` and have no record.

    An hour that comes twice is two hours, and one that is left out is none. Minutes of other days do not
    count.
    """
    begin, end = map(seen_text, day_span(day, zone))
    return _hours([row for row in _rows(minutes) if begin <= row[0] < end], day, zone, until)


def days_of(minutes: Iterable[Minute], *, zone: tzinfo, until: datetime | None = None) -> tuple[Day, ...]:
    """Return the days that have records, in order, as `hours_of` has each."""
    return tuple(
        Day(day, _hours(rows, day, zone, until)) for day, rows in _by_day(list(_rows(minutes)), zone)
    )


def buckets(days: Iterable[Day], *, by: By) -> tuple[Visits, ...]:
    """Put days together, in order of time; weekdays from Monday on."""
    if by == "hour":
        return tuple(hour for day in days for hour in day.hours)
    groups: dict[tuple[str, ...], list[Day]] = {}
    named: dict[tuple[str, ...], Mapping[str, str]] = {}
    for day in days:
        labels = labels_of(datetime.combine(day.day, time(12)), by=by)
        named[tuple(labels.values())] = labels
        groups.setdefault(tuple(labels.values()), []).append(day)
    found = [_together(named[name], group) for name, group in groups.items()]
    if by == "weekday":
        found.sort(key=lambda visits: WEEKDAYS.index(visits.labels["weekday"].lower()))
    return tuple(found)


def _together(labels: Mapping[str, str], days: Sequence[Day]) -> Visits:
    hours = [hour for day in days for hour in day.hours]
    return Visits(
        labels=labels,
        days=len(days),
        n_in=sum(hour.n_in for hour in hours),
        n_out=sum(hour.n_out for hour in hours),
        n_other=sum(hour.n_other for hour in hours),
        inside=hours[-1].inside if len(days) == 1 and "date" in labels else None,
        most_inside=max(hour.most_inside for hour in hours),
    )


def _rows(minutes: Iterable[Minute]) -> Iterator[_Row]:
    """Yield the minutes in order, each once."""
    ordered = sorted(minutes, key=lambda minute: minute[1])
    for minute, group in groupby(ordered, key=lambda each: each[1]):
        counts = [count for _, _, count in group]
        yield (
            minute,
            sum(count.n_in for count in counts),
            sum(count.n_out for count in counts),
            sum(count.n_other for count in counts),
        )


def _by_day(rows: Sequence[_Row], zone: tzinfo) -> Iterator[tuple[date, list[_Row]]]:
    """Yield the rows of each local day that has some."""
    first = 0
    while first < len(rows):
        day = day_of(read_seen(rows[first][0]), zone)
        end = seen_text(day_span(day, zone)[1])
        last = first
        while last < len(rows) and rows[last][0] < end:
            last += 1
        yield day, list(rows[first:last])
        first = last


def _hours(rows: Sequence[_Row], day: date, zone: tzinfo, until: datetime | None) -> tuple[Visits, ...]:
    """Return the hours of a day; `rows` are its minutes, in order."""
    found: list[Visits] = []
    at = balance = inside = 0
    spans = _hour_spans(day, zone)
    for begin, end, labels in spans:
        own: list[_Row] = []
        while at < len(rows) and rows[at][0] < end:
            own.append(rows[at])
            at += 1
        most = inside
        for _, n_in, n_out, _ in own:
            balance += n_in - n_out
            inside = max(0, balance)
            most = max(most, inside)
        is_ahead = until is not None and begin > seen_text(until)
        if own or not is_ahead or at < len(rows):
            found.append(
                Visits(
                    labels=labels,
                    days=1,
                    n_in=sum(row[1] for row in own),
                    n_out=sum(row[2] for row in own),
                    n_other=sum(row[3] for row in own),
                    inside=inside,
                    most_inside=most,
                )
            )
    return tuple(found)


def _hour_spans(day: date, zone: tzinfo) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield the first second of each hour of a day, that of the next, and its labels."""
    begin, end = day_span(day, zone)
    # Where clocks are changed, that may be at any minute; on all other days hours are hours.
    step = _HOUR if end - begin == _DAY else timedelta(minutes=1)
    moments = (begin + number * step for number in range(-(-(end - begin) // step)))
    hours = groupby(moments, key=lambda moment: labels_of(moment.astimezone(zone), by="hour"))
    starts = [(next(group), labels) for labels, group in hours]
    for number, (start, labels) in enumerate(starts):
        after = starts[number + 1][0] if number + 1 < len(starts) else end
        yield seen_text(start), seen_text(after), labels
