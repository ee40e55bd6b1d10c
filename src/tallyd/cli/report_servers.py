"""What `tallyd report` shows of servers: for how much of the time each was within its limit, and how old its
data got.

As JSON it is an object a poller; `by` is null where each target is one row, without labels in front:

    {"poller": "apps", "kind": "servers", "zone": "Europe/Berlin", "from": "2026-11-01", "to": "2026-11-30",
     "by": "day", "buckets": [{"target": "PROD", "date": "2026-11-20", "weekday": "Fri", "checks": 1440,
                               "within_limit": 1412, "within_limit_share": 0.9806,
                               "fresh": 1320, "fresh_share": 0.9167, "lag_s_max": 1260.4}]}

Within the limit is what was fresh or late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tallyd.adapters.records.database import Database
from tallyd.adapters.records.poller_records import PollerRecords
from tallyd.adapters.records.tables import KNOWN_REVISIONS
from tallyd.cli.report_asked import DEFAULT_DAYS, SEE_ALL, Asked
from tallyd.config.model import Config
from tallyd.core.errors import RecordsError
from tallyd.core.history import LABELS, By
from tallyd.core.passages import seen_text
from tallyd.core.reading import Json
from tallyd.core.texts import span, visible
from tallyd.pollers.servers.lag_history import Hour, Lags, Point, Sums, lag_course, lags_of, sum_up
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.servers.target_settings import Target
from tallyd.pollers.visitors.visits import day_span
from tallyd.presentation.csv_text import Cell, csv_text
from tallyd.presentation.terminal import say, show_table

KIND = "servers"
MOST_DRAWN = 12
"""So many targets are drawn: those that were least within their limit."""
MOST_ROWS = 50_000
"""So many changes of a target are read for its plot."""
_DAY = timedelta(days=1)
NUMBERS = ("checks", "within limit", "fresh", "largest lag")


@dataclass(frozen=True)
class Drawn:
    """A target whose lag is drawn; `stale_after_s` is its limit, None where it is no longer configured.

    `lags` are its checks by day, of one day by the hour. `is_cut`: only its newest changes were read.
    `nothing` is why there are no points.
    """

    target: str
    stale_after_s: float | None
    points: tuple[Point, ...]
    lags: tuple[Lags, ...]
    nothing: str
    is_cut: bool = False


@dataclass(frozen=True, kw_only=True)
class PastLags:
    """What is known of one poller from the first to the last day (local dates, inclusive).

    `drawn` are the targets that were least within their limit, where their lags are to be drawn.
    """

    poller: str
    zone: ZoneInfo
    first: date
    last: date
    lags: tuple[Lags, ...]
    drawn: tuple[Drawn, ...] = ()


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
        headings = ("target", *self._labels, *NUMBERS)
        right = frozenset(range(len(headings) - len(NUMBERS), len(headings)))
        vital = frozenset(map(headings.index, {*headings} - {"weekday", "checks", "fresh", "largest lag"}))
        for number, past in enumerate(self.pasts):
            period = f"{past.first}" if past.first == past.last else f"{past.first} to {past.last}"
            none = "" if past.lags else ": no checks"
            say(("\n" if number else "") + f"{past.poller}, {period} ({past.zone}){none}")
            if past.lags:
                rows = [row_of(lags) for lags in past.lags]
                show_table(headings, rows, right=right, vital=vital, see=SEE_ALL)

    def as_json(self) -> list[Json]:
        return [_past_json(past, self.by) for past in self.pasts]

    def as_csv(self, *, excel: bool, name_pollers: bool) -> str:
        headings = ("target", *self._labels, *_FIELDS)
        lines: list[list[Cell]] = [["poller", *headings] if name_pollers else [*headings]]
        for past in self.pasts:
            for lags in past.lags:
                cells: list[Cell] = [lags.server, *lags.labels.values(), *_numbers(lags).values()]
                lines.append([past.poller, *cells] if name_pollers else cells)
        return csv_text(lines, excel=excel)


def row_of(lags: Lags) -> list[Cell]:
    """Return the target, the labels, and NUMBERS, as people read them."""
    count = lags.count
    lag = "-" if count.lag_s_max is None else span(count.lag_s_max)
    shares = (f"{count.within_limit_share:.2%}", f"{count.fresh_share:.2%}")
    return [visible(lags.server), *lags.labels.values(), count.checks, *shares, lag]


_FIELDS = ("checks", "within_limit", "within_limit_share", "fresh", "fresh_share", "lag_s_max")


def _numbers(lags: Lags) -> dict[str, int | float | None]:
    count = lags.count
    numbers = (
        count.checks,
        count.within_limit,
        round(count.within_limit_share, 4),
        count.fresh,
        round(count.fresh_share, 4),
        None if count.lag_s_max is None else round(count.lag_s_max, 1),
    )
    return dict(zip(_FIELDS, numbers, strict=True))


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
        day += _DAY
    found = lags_of(sums, by=asked.by)
    past = PastLags(poller=name, zone=zone, first=first, last=last, lags=found)
    if not asked.with_plots or asked.by is not None:
        return past
    poller = config.pollers_of(ServersPoller).get(name)
    checked = poller.checked if poller else ()
    targets = {target.name: target for target in checked}
    keep_days = config.settings.database.keep_days
    return replace(past, drawn=tuple(_drawn(records, past, targets, now=asked.now, keep_days=keep_days)))


def _drawn(
    records: PollerRecords, past: PastLags, targets: Mapping[str, Target], *, now: datetime, keep_days: int
) -> list[Drawn]:
    """Return the lags over time of the targets that were least within their limit, and their checks."""
    names = [lags.server for lags in past.lags[:MOST_DRAWN]]
    hours: dict[str, list[Hour]] = {name: [] for name in names}
    # From the day before on: of data that stood still since then, there is no later change.
    begin, day = day_span(past.first - _DAY, past.zone)[0], past.first - _DAY
    while names and day <= past.last:
        for hour in records.server_hours(*day_span(day, past.zone)):
            if hour[0] in hours:
                hours[hour[0]].append(hour)
        day += _DAY
    first, end = day_span(past.first, past.zone)[0], min(now, day_span(past.last, past.zone)[1])
    found = []
    for name in names:
        rows = records.server_lags((name,), begin, end, most=MOST_ROWS)
        checked = {hour: count for _, hour, count in hours[name]}
        points = lag_course(rows, checked, first=first, last=end)
        behind = _behind(hours[name], past, first)
        target = targets.get(name)
        limit_s = target.limits.stale_after_s if target else None
        kept_days = keep_days if target is None or target.is_recorded else 0
        nothing = _nothing(behind, first, now, keep_days=kept_days)
        found.append(Drawn(name, limit_s, tuple(points), behind, nothing, is_cut=len(rows) == MOST_ROWS))
    return found


def _nothing(found: Sequence[Lags], first: datetime, now: datetime, *, keep_days: int) -> str:
    """Return why nothing is drawn of a target; its changes are kept for `keep_days`, 0: not at all."""
    if all(lags.count.lag_s_max is None for lags in found):
        checks = sum(lags.count.checks for lags in found)
        return f"none of its {checks} checks found the time of its data: it did not answer, or told none"
    if keep_days == 0:
        return "its changes are not stored: its `record` is false, or database.keep_days is 0"
    if first < now - timedelta(days=keep_days):
        return f"changes are kept for {keep_days} days (database.keep_days)"
    return "its data has not changed since the day before"


def _behind(hours: Iterable[Hour], past: PastLags, first: datetime) -> tuple[Lags, ...]:
    """Return the checks of the table behind a plot: by day, or of one day by the hour."""
    by: By = "hour" if past.first == past.last else "day"
    sums: Sums = {}
    sum_up((hour for hour in hours if hour[1] >= seen_text(first)), sums, zone=past.zone, by=by)
    return lags_of(sums, by=by)
