"""What `tallyd report` shows of servers: for how much of the time each was fresh, and how old its data got.

As JSON it is an object a poller; `by` is null where each target is one row, without labels in front:

    {"poller": "apps", "kind": "servers", "zone": "Europe/Berlin", "from": "2026-11-01", "to": "2026-11-30",
     "by": "day", "buckets": [{"target": "PROD", "date": "2026-11-20", "weekday": "Fri", "checks": 1440,
                               "fresh": 1412, "fresh_share": 0.9806, "lag_s_max": 1260.4}]}
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from tallyd.adapters.records import Database
from tallyd.adapters.records.tables import KNOWN_REVISIONS
from tallyd.cli.csv_text import Cell, csv_text
from tallyd.cli.output import say, show_table
from tallyd.cli.report_asked import DEFAULT_DAYS, Asked
from tallyd.config import Config
from tallyd.core.errors import RecordsError
from tallyd.core.history import LABELS, By
from tallyd.core.lag_history import Lags, Sums, lags_of, sum_up
from tallyd.core.reading import Json
from tallyd.core.texts import span, visible
from tallyd.core.visits import day_span

KIND = "servers"
_NUMBERS = ("checks", "fresh", "largest lag")


@dataclass(frozen=True, kw_only=True)
class PastLags:
    """What is known of one poller from the first to the last day (local dates, inclusive)."""

    poller: str
    zone: ZoneInfo
    first: date
    last: date
    lags: tuple[Lags, ...]


@dataclass(frozen=True)
class AllLags:
    """The targets of some pollers. Satisfies `report_asked.Part`."""

    pasts: tuple[PastLags, ...]
    by: By | None

    @property
    def pollers(self) -> tuple[str, ...]:
        return tuple(past.poller for past in self.pasts)

    @property
    def _labels(self) -> tuple[str, ...]:
        return LABELS[self.by] if self.by else ()

    def show(self) -> None:
        headings = ("target", *self._labels, *_NUMBERS)
        right = frozenset(range(len(headings) - len(_NUMBERS), len(headings)))
        for number, past in enumerate(self.pasts):
            period = f"{past.first}" if past.first == past.last else f"{past.first} to {past.last}"
            none = "" if past.lags else ": no checks"
            say(("\n" if number else "") + f"{past.poller}, {period} ({past.zone}){none}")
            if past.lags:
                show_table(headings, [self._row(lags) for lags in past.lags], right=right)

    def _row(self, lags: Lags) -> list[Cell]:
        count = lags.count
        lag = "" if count.lag_s_max is None else span(count.lag_s_max)
        return [visible(lags.server), *lags.labels.values(), count.checks, f"{lags.fresh_share:.2%}", lag]

    def as_json(self) -> list[Json]:
        return [_past_json(past, self.by) for past in self.pasts]

    def as_csv(self, *, excel: bool, name_pollers: bool) -> str:
        headings = ("target", *self._labels, "checks", "fresh", "fresh_share", "lag_s_max")
        lines: list[list[Cell]] = [["poller", *headings] if name_pollers else [*headings]]
        for past in self.pasts:
            for lags in past.lags:
                cells: list[Cell] = [lags.server, *lags.labels.values(), *_numbers(lags).values()]
                lines.append([past.poller, *cells] if name_pollers else cells)
        return csv_text(lines, excel=excel)


def _numbers(lags: Lags) -> dict[str, int | float | None]:
    count = lags.count
    return {
        "checks": count.checks,
        "fresh": count.fresh,
        "fresh_share": round(lags.fresh_share, 4),
        "lag_s_max": None if count.lag_s_max is None else round(count.lag_s_max, 1),
    }


def _past_json(past: PastLags, by: By | None) -> Json:
    return {
        "poller": past.poller,
        "kind": KIND,
        "zone": str(past.zone),
        "from": past.first.isoformat(),
        "to": past.last.isoformat(),
        "by": by,
        "buckets": [{"target": lags.server, **lags.labels, **_numbers(lags)} for lags in past.lags],
    }


# -- what is stored -----------------------------------------------------------------------------------------


def lags(config: Config, pollers: tuple[str, ...], asked: Asked) -> AllLags:
    """Return what is asked for of these pollers, those that are no longer configured included.

    Creates nothing. Raises `RecordsError`, also where the database was never used.
    """
    with closing(Database(config.database_url)) as database:
        _check(database.revision())
        return AllLags(tuple(_past(config, database, name, asked) for name in pollers), asked.by)


def _check(revision: str | None) -> None:
    """Raise `RecordsError` for tables that can't be read: there are none, or those of another tallyd."""
    if revision is None:
        raise RecordsError("nothing was checked yet: the database has no tables; the first round makes them")
    if revision not in KNOWN_REVISIONS:
        raise RecordsError("the database has the tables of a newer tallyd; install that one again")


def _past(config: Config, database: Database, name: str, asked: Asked) -> PastLags:
    zone = config.effective(name).zone if name in config.settings.pollers else config.zone
    today = asked.now.astimezone(zone).date()
    first, last = asked.period(today, days=1 if asked.by == "hour" else DEFAULT_DAYS)
    records = database.records(name)
    sums: Sums = {}
    day = first
    while day <= last:
        # A day at a time: of ten thousand targets it has a quarter of a million hours.
        sum_up(records.server_hours(*day_span(day, zone)), sums, zone=zone, by=asked.by)
        day += timedelta(days=1)
    return PastLags(poller=name, zone=zone, first=first, last=last, lags=lags_of(sums, by=asked.by))
