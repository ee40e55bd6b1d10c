"""How many people came, left and were inside: sums of counts, by hour, day, weekday, week, month and year.

A day without a record is missing: nobody knows whether nobody came, or nobody counted. `inside.py` has the
rule of who is inside.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import groupby
from typing import Final, TypeAlias, TypeVar

from tallyd.contract.passages import Count, read_seen, seen_text
from tallyd.core.periods import By, labels_of
from tallyd.core.schedule.days import day_of, day_span
from tallyd.pollers.visitors.inside import NOBODY, Level, Resets

Minute: TypeAlias = "tuple[str, Count]"
"""The first second of a minute (UTC), and the count of all sources together."""
_Row: TypeAlias = "tuple[str, int, int, int, bool]"
"""A minute, how many came, left and went another way, and whether it has a record."""
T = TypeVar("T")
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Visits:
    """The sums of an hour, a day, ...

    `begin` is its first instant in local time; of several days, that of the first one with records. `days` is
    the number of days with records. `inside` is how many people were inside at its end, or are now;
    None for several days. `most_inside` is how many there were at most.
    `corrections` is the sum of those in that time. `has_records` is false for an hour
    in which nobody was counted; for days, if `days` is 0.
    """

    begin: datetime
    days: int
    n_in: int
    n_out: int
    n_other: int
    inside: int | None
    most_inside: int
    corrections: int
    has_records: bool = True


Day: TypeAlias = "tuple[Visits, ...]"
"""The hours of a local day. An hour that comes twice is two hours, and one that is left out is none."""


def days_of(minutes: Sequence[Minute], *, zone: tzinfo, level: Level | None = None) -> Iterator[Day]:
    """Yield the days of the minutes, in order. The minutes are in order; that of a correction is `NOBODY`.

    `level` says who is inside before the first minute; None: people are counted from each midnight on.
    """
    inside = level or Level(Resets(zone))
    rows = [(minute, count.n_in, count.n_out, count.n_other, count != NOBODY) for minute, count in minutes]
    at = 0
    while at < len(rows):
        day = day_of(read_seen(rows[at][0]), zone)
        end = _place(rows, day_span(day, zone)[1])
        yield _hours(rows[at:end], day, zone, inside)
        at = end


def has_records(day: Day) -> bool:
    """Whether anybody, or nobody, was counted on a day."""
    return any(hour.has_records for hour in day)


def put_together(days: Iterable[Day], *, by: By) -> tuple[Visits, ...]:
    """Put days together, in order of time; weekdays from Monday on.

    Of the hours of a day, it returns those from the first to the last one with records or corrections.
    """
    if by == "hour":
        return tuple(hour for day in days for hour in _busy(day))
    groups: dict[tuple[str, ...], list[Day]] = {}
    for day in days:
        groups.setdefault(tuple(labels_of(day[0].begin, by=by).values()), []).append(day)
    found = (_sum(group) for group in groups.values())
    return tuple(sorted(found, key=lambda each: each.begin.weekday()) if by == "weekday" else found)


def side_by_side(days: Sequence[Day]) -> tuple[tuple[str, tuple[Visits | None, ...]], ...]:
    """Return the hours of the clock, each with that hour of every day.

    They go from the first to the last hour with records in one of the days. None: a day does not have it.
    """
    named = [{labels_of(hour.begin, by="hour")["hour"]: hour for hour in day} for day in days]
    labels = sorted(dict.fromkeys(label for each in named for label in each), key=_clock)
    rows = [(label, tuple(each.get(label) for each in named)) for label in labels]
    return tuple(_between(rows, lambda row: any(hour and hour.has_records for hour in row[1])))


def _clock(label: str) -> str:
    """Return `02:00` of `02:00 UTC+02:00`, in an hour that comes twice."""
    return label[: len("02:00")]


def _busy(day: Day) -> Sequence[Visits]:
    return _between(day, lambda hour: hour.has_records or hour.corrections != 0)


def _between(items: Sequence[T], is_wanted: Callable[[T], bool]) -> Sequence[T]:
    """Return the items from the first to the last one that is wanted."""
    wanted = [place for place, item in enumerate(items) if is_wanted(item)]
    return items[wanted[0] : wanted[-1] + 1] if wanted else ()


def _sum(days: Sequence[Day]) -> Visits:
    hours = [hour for day in days for hour in day]
    with_records = sum(map(has_records, days))
    return Visits(
        begin=hours[0].begin,
        days=with_records,
        n_in=sum(hour.n_in for hour in hours),
        n_out=sum(hour.n_out for hour in hours),
        n_other=sum(hour.n_other for hour in hours),
        inside=hours[-1].inside if len(days) == 1 else None,
        most_inside=max(hour.most_inside for hour in hours),
        corrections=sum(hour.corrections for hour in hours),
        has_records=with_records > 0,
    )


def _place(rows: Sequence[_Row], at: datetime) -> int:
    """Return the place of the first row that is not before an instant."""
    return bisect_left(rows, seen_text(at), key=lambda row: row[0])


def _hours(rows: Sequence[_Row], day: date, zone: tzinfo, level: Level) -> Day:
    """Return the hours of a day; `rows` are its minutes."""
    found: list[Visits] = []
    at = 0
    begins = _hour_begins(day, zone)
    for begin, end in zip(begins, [*begins[1:], day_span(day, zone)[1]], strict=True):
        after = _place(rows, end)
        level.begin(seen_text(begin))
        for minute, n_in, n_out, *_ in rows[at:after]:
            level.add(minute, n_in, n_out)
        level.go_to(seen_text(end - _MINUTE))  # a reset at the end belongs to the next hour
        found.append(
            Visits(
                begin=begin.astimezone(zone),
                days=1,
                n_in=sum(row[1] for row in rows[at:after]),
                n_out=sum(row[2] for row in rows[at:after]),
                n_other=sum(row[3] for row in rows[at:after]),
                inside=level.inside,
                most_inside=level.most,
                corrections=level.corrected(begin, end),
                has_records=any(row[4] for row in rows[at:after]),
            )
        )
        at = after
    return tuple(found)


def _hour_begins(day: date, zone: tzinfo) -> list[datetime]:
    """Return the first instant (UTC) of each hour of a day."""
    begin, end = day_span(day, zone)
    # The clock may change at any minute. On a day of 24 hours it does not change.
    step = _HOUR if end - begin == _DAY else timedelta(minutes=1)
    moments = (begin + number * step for number in range(-(-(end - begin) // step)))
    hours = groupby(moments, key=lambda moment: labels_of(moment.astimezone(zone), by="hour"))
    return [next(group) for _, group in hours]
