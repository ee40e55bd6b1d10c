"""What is read for the page: out of state.db, the database and the daemon's memory, made into views."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from tallyd.config.jobs import Task, tasks_of
from tallyd.config.model import AnyPoller
from tallyd.core.errors import RecordsError
from tallyd.core.freshness import Known
from tallyd.core.history import Entry, why_no_number
from tallyd.core.lags import HourCount
from tallyd.core.naming import key_segments
from tallyd.core.passages import Count
from tallyd.core.schedule.timetable import Every
from tallyd.core.stored import LastReading
from tallyd.core.texts import span
from tallyd.pollers.divera.poller import DiveraPoller
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.pollers.visitors.visit_history import Minute
from tallyd.pollers.visitors.visits import day_of, day_span
from tallyd.web import view_lags
from tallyd.web.checks import Checks
from tallyd.web.context import Context
from tallyd.web.kept import arrivals_of, book_of
from tallyd.web.svg import Line
from tallyd.web.view_divera import WEEKS_BACK, DiveraPast, DiveraView, divera_past, divera_view, entries_of
from tallyd.web.view_lags import LagsView, lags_view
from tallyd.web.view_reports import ReportView, reports_view
from tallyd.web.view_servers import ServersView, Sort, servers_view, with_plots
from tallyd.web.view_visitors import (
    Choice,
    DayView,
    VisitorsView,
    day_view,
    visitors_view,
)
from tallyd.web.views import Card, Head, Standing, card, head, moment

T = TypeVar("T")

REPORTS_BACK = timedelta(days=2)
_SILENT = frozenset({"no-files", "inbox-gone"})


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One poller on the page. Of `divera`, `visitors` and `servers` that of its kind is set."""

    card: Card
    divera: DiveraView | None = None
    visitors: VisitorsView | None = None
    servers: ServersView | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """How the table of targets is asked for."""

    sort: Sort = "state"
    is_reversed: bool = False
    page: int = 1


class PageData:
    """Reads for the page. Any number of threads. What is not configured raises KeyError.

    Raises `StateError` where state.db can't be read; a database that can't be is told in what is returned.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._checks = Checks(context)

    @property
    def pollers(self) -> Mapping[str, AnyPoller]:
        return self._context.config().settings.pollers

    def zone(self, name: str) -> ZoneInfo:
        return self._context.config().effective(name).zone

    def now(self) -> datetime:
        return self._context.now()

    def standing(self) -> Standing:
        config = self._context.config()
        return Standing(self._context.alerts(), self._context.mutes(), self.now(), config.alert_policy_of)

    def head(self, standing: Standing) -> Head:
        """Return the top of the page, which is of all pollers, whichever is looked at."""
        config, ticked_s = self._context.config(), self._context.runs.ticked_s()
        ago_s = None if ticked_s is None else self._context.monotonic() - ticked_s
        has_reading = {name: self._last(name, standing.now) is not None for name in self.pollers}
        return head(
            config.settings.name,
            config.zone,
            standing,
            ticked_ago_s=ago_s,
            restart=self._context.restart,
            has_reading=has_reading,
        )

    def all(self, standing: Standing) -> tuple[Shown, ...]:
        """Return every poller, in the order of the config."""
        return tuple(self.one(name, standing) for name in self.pollers)

    def one(self, name: str, standing: Standing, order: Order | None = None) -> Shown:
        """Return one poller; `order` of the table of targets, without one the most serious few."""
        poller = self.pollers[name]
        if isinstance(poller, DiveraPoller):
            return self._divera(name, poller, standing)
        if isinstance(poller, VisitorsPoller):
            return self._visitors(name, poller, standing)
        return self._servers(name, poller, standing, order)

    def _last(self, name: str, now: datetime) -> LastReading | None:
        """Return when a poller was last read, by itself or by hand."""
        poller, taken = self.pollers[name], self._context.state.readings.last_taken(name, now=now)
        if isinstance(poller, VisitorsPoller):
            arrived_at = max(arrivals_of(self._context, name).values(), default=None)
            return taken or (LastReading(arrived_at) if arrived_at else None)
        if isinstance(poller, ServersPoller):
            book = book_of(self._context, name)
            # A copy: a round may be changing it just now.
            checked_at = max(dict(book.checked_at).values(), default=None) or book.written_at
            found = [LastReading(checked_at)] if checked_at else []
            return max([*found, *([taken] if taken else [])], key=lambda each: each.at, default=None)
        return taken

    def _card(self, name: str, standing: Standing) -> Card:
        return card(
            name,
            self.pollers[name].kind,
            self.zone(name),
            standing,
            last=self._last(name, standing.now),
            next_at=self._next_at(name, standing.now),
            next_label=_every(self._tasks(name)),
        )

    def _tasks(self, name: str) -> list[Task]:
        return [task for task in tasks_of(self._context.config()) if task.poller == name]

    def _next_at(self, name: str, now: datetime) -> datetime | None:
        """Return when the next slot of a poller comes."""
        return min((at for task in self._tasks(name) if (at := task.next_at(now))), default=None)

    # -- divera ------------------------------------------------------------------------------------------

    def _divera(self, name: str, poller: DiveraPoller, standing: Standing) -> Shown:
        newest = self._context.state.readings.last(name, now=standing.now)
        entry = entries_of([newest])[0] if newest else None
        return Shown(
            card=self._card(name, standing),
            divera=divera_view(entry, poller.status_names),
        )

    def divera_entries(self, name: str) -> tuple[Entry, ...]:
        """Return the last weeks, oldest first."""
        now = self.now()
        rows = self._context.state.readings.history(poller=name, since=now - WEEKS_BACK, until=now)
        return entries_of(rows)

    def divera_nothing(self, name: str, entries: Sequence[Entry], *, in_timetable: bool) -> str:
        """Return why there is nothing to draw."""
        now = self.now()
        next_at = self._next_at(name, now)
        coming = moment(next_at, self.zone(name), now=now) if next_at else None
        next_text = f"{coming.text} ({coming.distance})" if coming else "none is planned"
        why = why_no_number(entries, in_timetable=in_timetable)
        return f"Nothing to draw from the last four weeks: {why}. The next reading: {next_text}."

    def divera_past(self, name: str, poller: DiveraPoller) -> DiveraPast:
        return divera_past(self.divera_entries(name), poller.status_names, self.zone(name), now=self.now())

    # -- visitors ----------------------------------------------------------------------------------------

    def _visitors(self, name: str, poller: VisitorsPoller, standing: Standing) -> Shown:
        zone, now = self.zone(name), standing.now
        day = day_of(now, zone)
        counts, trouble = _or_trouble(lambda: self._counts(name, day), _no_counts)
        arrivals = arrivals_of(self._context, name)
        silent = {
            key_segments(alert.key)[1]
            for alert in standing.of(name)
            if alert.is_open and key_segments(alert.key)[-1] in _SILENT
        }
        view = visitors_view(
            poller, counts, arrivals, silent=frozenset(silent), day=day, zone=zone, now=now, trouble=trouble
        )
        return Shown(card=self._card(name, standing), visitors=view)

    def _counts(self, name: str, day: date) -> Mapping[str, Count]:
        return self._context.records(name).counts(*day_span(day, self.zone(name)))

    def today(self, name: str) -> date:
        return day_of(self.now(), self.zone(name))

    def day(self, name: str, poller: VisitorsPoller, choice: Choice) -> DayView:
        """Return one day of visitors by the hour."""
        zone = self.zone(name)

        def read() -> tuple[Minute, ...]:
            return self._context.records(name).minutes(*day_span(choice.day, zone))

        minutes, trouble = _or_trouble(read, _no_minutes)
        return day_view(
            poller, minutes, choice, zone=zone, now=self.now(), today=self.today(name), trouble=trouble
        )

    def reports(self, name: str) -> tuple[ReportView, ...]:
        """Return the last reports to the upstream, the newest first."""
        now, state = self.now(), self._context.state
        readings = state.readings.history(poller=name, since=now - REPORTS_BACK, until=now)
        return reports_view(readings[-200:], state.sends.all(name), zone=self.zone(name), now=now)

    # -- servers -----------------------------------------------------------------------------------------

    def _servers(self, name: str, poller: ServersPoller, standing: Standing, order: Order | None) -> Shown:
        book = book_of(self._context, name)
        known = dict(book.known)  # a copy: a round may be changing it just now
        shares, trouble = _or_trouble(lambda: self._checks.shares(name), _no_shares)
        asked = order or Order()
        view = servers_view(
            poller.checked,
            known,
            shares,
            zone=self.zone(name),
            now=standing.now,
            sort=asked.sort,
            is_reversed=asked.is_reversed,
            page=asked.page,
            **({} if order else {"rows_a_page": 8}),
        )
        if not trouble:  # else the plots would wait as long for the same answer
            limits_s = {target.name: target.limits.stale_after_s for target in poller.checked}
            shown_s = {target: limits_s[target] for target in view.names}
            plots, _ = _or_trouble(
                lambda: self._checks.small_plots(name, shown_s, known, now=standing.now), _no_plots
            )
            view = with_plots(view, plots)
        return Shown(card=self._card(name, standing), servers=view)

    def lag_points(self, name: str, target: str, back: timedelta) -> list[tuple[datetime, float]]:
        """Return a target's lag over time. Raises `RecordsError`."""
        return self._checks.points(name, target, self._known(name, target), back)

    def _known(self, name: str, target: str) -> Known | None:
        return book_of(self._context, name).known.get(target)

    def lags(self, name: str, poller: ServersPoller, target: str, back: timedelta) -> LagsView:
        """Return the table behind the plot of a target's lag."""
        points, trouble = _or_trouble(lambda: self.lag_points(name, target, back), _no_points)
        if trouble:
            return LagsView(trouble=trouble)
        if not points:
            return LagsView(nothing=self.lags_nothing(name, poller, target))
        limit_s = stale_after_s(poller, target)
        return lags_view(points, stale_after_s=limit_s, zone=self.zone(name), now=self.now())

    def lags_nothing(self, name: str, poller: ServersPoller, target: str) -> str:
        """Return why nothing is known of a target's lag."""
        known = self._known(name, target)
        return view_lags.nothing_text(known, every_s=poller.every, zone=self.zone(name), now=self.now())


def stale_after_s(poller: ServersPoller, target: str) -> float:
    """Return the age in seconds above which a target's data is stale."""
    return next(each.limits.stale_after_s for each in poller.checked if each.name == target)


def _or_trouble(read: Callable[[], T], otherwise: Callable[[], T]) -> tuple[T, str]:
    try:
        return read(), ""
    except RecordsError as error:
        return otherwise(), error.text


def _every(tasks: Sequence[Task]) -> str:
    plain = [task.job.when for task in tasks if isinstance(task.job.when, Every) and not task.job.when.grid]
    return f"every {span(min(when.interval_s for when in plain))}" if plain else ""


def _no_counts() -> Mapping[str, Count]:
    return {}


def _no_minutes() -> tuple[Minute, ...]:
    return ()


def _no_shares() -> Mapping[str, HourCount]:
    return {}


def _no_points() -> list[tuple[datetime, float]]:
    return []


def _no_plots() -> Mapping[str, Line | None]:
    return {}
