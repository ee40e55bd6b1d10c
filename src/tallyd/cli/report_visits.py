"""What `tallyd report` shows of visitors: how many came, left and were inside, from the database.

As JSON it is an object a poller:

    {"poller": "visitors", "kind": "visitors", "zone": "Europe/Berlin", "from": "2026-11-20",
     "to": "2026-11-20", "source": null, "group": "zone five", "by": "hour",
     "buckets": [{"date": "2026-11-20", "hour": "08:00", "weekday": "Fri", "days": 1,
                  "in": 12, "out": 5, "other": 0, "inside": 7, "most_inside": 9}]}

`source` and `group` are null where all sources are counted together. `inside` is at the end of the hour or
day, null where a bucket is made of several days; `days` is how many with records it is made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from tallyd.adapters.records.database import Database
from tallyd.adapters.records.tables import KNOWN_REVISIONS
from tallyd.cli.report_asked import DEFAULT_DAYS, SEE_ALL, Asked, usage
from tallyd.config.model import Config
from tallyd.core.errors import RecordsError
from tallyd.core.periods import LABELS, By
from tallyd.core.reading import Json
from tallyd.core.schedule.days import day_of, day_span
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.pollers.visitors.visit_history import Day, Visits, buckets, days_of, of_sources
from tallyd.presentation.csv_text import Cell, csv_text
from tallyd.presentation.terminal import say, show_table
from tallyd.settings.types import did_you_mean

KIND = "visitors"
_DAYS_AT_ONCE = 31
"""Of a busy month there are some hundred thousand minutes; of ten years they are not all held at once."""


@dataclass(frozen=True, kw_only=True)
class PastVisits:
    """What is known of one poller from the first to the last day (local dates, inclusive), oldest first.

    Of `source` or `group` alone, where one is asked for; `label` is what people call that.
    """

    poller: str
    zone: ZoneInfo
    first: date
    last: date
    today: date
    by: By
    source: str | None
    group: str | None
    label: str
    days: tuple[Day, ...]

    @property
    def buckets(self) -> tuple[Visits, ...]:
        return buckets(self.days, by=self.by)


@dataclass(frozen=True)
class AllVisits:
    """The visits of some pollers. Satisfies `report_asked.Part`."""

    pasts: tuple[PastVisits, ...]
    by: By

    @property
    def pollers(self) -> tuple[str, ...]:
        return tuple(past.poller for past in self.pasts)

    def show(self) -> None:
        headings = headings_of(self.by)
        numbers = frozenset(range(len(LABELS[self.by]), len(headings)))
        for number, past in enumerate(self.pasts):
            period = f"{past.first}" if past.first == past.last else f"{past.first} to {past.last}"
            say(("\n" if number else "") + f"{past.poller}, {period} ({past.zone}), {said_of(past)}")
            rows = [[cell_of(visits, heading) for heading in headings] for visits in past.buckets]
            if rows:
                show_table(headings, rows, right=numbers, see=SEE_ALL)

    def as_json(self) -> list[Json]:
        return [_past_json(past) for past in self.pasts]

    def as_csv(self, *, excel: bool, name_pollers: bool) -> str:
        headings = headings_of(self.by)
        lines: list[list[Cell]] = [["poller", *headings] if name_pollers else [*headings]]
        for past in self.pasts:
            for visits in past.buckets:
                cells = [cell_of(visits, heading) for heading in headings]
                lines.append([past.poller, *cells] if name_pollers else cells)
        return csv_text(lines, excel=excel)


def headings_of(by: By) -> tuple[str, ...]:
    inside = ("inside",) if by in ("hour", "day") else ()
    days = () if by in ("hour", "day") else ("days",)
    return (*LABELS[by], *days, "in", "out", *inside, "most inside", "other")


def cell_of(visits: Visits, heading: str) -> Cell:
    numbers: Mapping[str, Cell] = {
        "days": visits.days,
        "in": visits.n_in,
        "out": visits.n_out,
        "inside": visits.inside,
        "most inside": visits.most_inside,
        "other": visits.n_other,
    }
    return numbers[heading] if heading in numbers else visits.labels[heading]


def said_of(past: PastVisits) -> str:
    """Return what the days come to: `Gate 12: 27 in, 20 out`."""
    if not past.days:
        return f"{past.label}: no records; nobody knows whether nobody came, or nobody counted"
    hours = [hour for day in past.days for hour in day.hours]
    n_in, n_out = sum(hour.n_in for hour in hours), sum(hour.n_out for hour in hours)
    if past.first == past.last:
        return f"{past.label}: {n_in} in, {n_out} out"
    days = "1 day" if len(past.days) == 1 else f"{len(past.days)} days"
    return f"{past.label}: {n_in} in, {n_out} out on {days} with records"


def _past_json(past: PastVisits) -> Json:
    return {
        "poller": past.poller,
        "kind": KIND,
        "zone": str(past.zone),
        "from": past.first.isoformat(),
        "to": past.last.isoformat(),
        "source": past.source,
        "group": past.group,
        "by": past.by,
        "buckets": [
            {
                **visits.labels,
                "days": visits.days,
                "in": visits.n_in,
                "out": visits.n_out,
                "other": visits.n_other,
                "inside": visits.inside,
                "most_inside": visits.most_inside,
            }
            for visits in past.buckets
        ],
    }


# -- what is stored -----------------------------------------------------------------------------------------


def visits(config: Config, pollers: tuple[str, ...], asked: Asked) -> AllVisits:
    """Return what is asked for of these pollers, one that is no longer configured included.

    Creates nothing. Ends the command with status 2 for a source or group that none of them has. Raises
    `RecordsError`, also where the database was never used.
    """
    by = asked.by or "hour"
    with closing(Database(config.database_url)) as database:
        _check(database.revision())
        found = [_past(config, database, name, asked, by) for name in pollers]
    pasts = tuple(past for past in found if past is not None)
    if not pasts:
        _no_such(config, pollers, asked)
    return AllVisits(pasts, by)


def _check(revision: str | None) -> None:
    """Raise `RecordsError` for tables that can't be read: there are none, or those of a newer tallyd."""
    if revision is None:
        raise RecordsError(
            "nothing was counted yet: the database has no tables; the first file that is taken makes them"
        )
    if revision not in KNOWN_REVISIONS:
        raise RecordsError("the database has the tables of a newer tallyd; install that one again")


def _past(config: Config, database: Database, name: str, asked: Asked, by: By) -> PastVisits | None:
    """Return one poller's visits; None where it does not know the source or group asked for."""
    poller = _configured(config, name)
    zone = config.effective(name).zone if poller else config.zone
    today = day_of(asked.now, zone)
    first, last = asked.period(today, days=1 if by == "hour" else DEFAULT_DAYS)
    chosen = _chosen(poller, asked)
    if asked.group is not None and chosen is None:
        return None
    known = set(_sources(poller, name))
    days: list[Day] = []
    for start, end in _stretches(first, last):
        since, until = day_span(start, zone)[0], day_span(end, zone)[1]
        minutes = database.records(name).minutes(since, until)
        known.update(source for source, _, _ in minutes)
        days += days_of(of_sources(minutes, chosen), zone=zone, until=asked.now)
    if asked.source is not None and asked.source not in known:
        return None
    return PastVisits(
        poller=name,
        zone=zone,
        first=first,
        last=last,
        today=today,
        by=by,
        source=asked.source,
        group=asked.group,
        label=_label(poller, asked),
        days=tuple(days),
    )


def _configured(config: Config, name: str) -> VisitorsPoller | None:
    return config.pollers_of(VisitorsPoller).get(name)


def _chosen(poller: VisitorsPoller | None, asked: Asked) -> frozenset[str] | None:
    """Return the sources asked for; None: all, or a group that this poller does not have."""
    if asked.source is not None:
        return frozenset({asked.source})
    members = poller.groups.get(asked.group) if poller and asked.group is not None else None
    return None if members is None else frozenset(members)


def _sources(poller: VisitorsPoller | None, name: str) -> tuple[str, ...]:
    return (*poller.sources, poller.source or name) if poller else ()


def _label(poller: VisitorsPoller | None, asked: Asked) -> str:
    """Return what is counted, as people call it: `Gate 12 (12)`."""
    if asked.source is None:
        return asked.group or "all together"
    label = poller.sources[asked.source].label if poller and asked.source in poller.sources else None
    return f"{label} ({asked.source})" if label else asked.source


def _stretches(first: date, last: date) -> Iterator[tuple[date, date]]:
    """Yield first and last days of stretches that are read at once."""
    while first <= last:
        end = min(last, first + timedelta(days=_DAYS_AT_ONCE - 1))
        yield first, end
        first = end + timedelta(days=1)


def _no_such(config: Config, pollers: tuple[str, ...], asked: Asked) -> None:
    """End the command: no poller knows the source or group."""
    configured = [(name, _configured(config, name)) for name in pollers]
    if asked.group is not None:
        known = tuple(group for _, poller in configured if poller for group in poller.groups)
        what = f'there is no group "{asked.group}" in the config'
    else:
        known = tuple(source for name, poller in configured for source in _sources(poller, name))
        what = f'no source "{asked.source}" is configured, and none of that name has records then'
    wanted = asked.group or asked.source or ""
    has = f"; there is: {', '.join(known)}" if known else "; there is none"
    usage(what + (did_you_mean(wanted, known) or has))
