"""The page of visitors: today's passages, a day by the hour, and the last reports to the upstream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tallyd.core.naming import key_segments
from tallyd.core.passages import Count
from tallyd.core.schedule.days import day_of, day_span
from tallyd.core.stored import LastReading
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.pollers.visitors.visit_history import Minute
from tallyd.web.day_csv import day_csv
from tallyd.web.kept import arrivals_of
from tallyd.web.kind_page import PARTS, KindPage, Shown, View, or_trouble, unreadable
from tallyd.web.plots import Chart, visits_plot
from tallyd.web.view_reports import ReportView, reports_view
from tallyd.web.view_visitors import Choice, DayView, chosen, day_view, visitors_view
from tallyd.web.views import Standing

REPORTS_BACK: Final = timedelta(days=2)
_SILENT: Final = frozenset({"no-files", "inbox-gone"})
_FIRST_YEAR, _LAST_YEAR = 1970, 9997
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class VisitorsPage(KindPage[VisitorsPoller]):
    """Reads the database for the passages, and state.db for the reports."""

    def last_label_of(self, name: str) -> str:
        return "Last report" if self._data.next_at(name, self._data.now()) else self.last_label

    def last(self, name: str, standing: Standing) -> LastReading | None:
        arrived_at = max(arrivals_of(self._data.context, name).values(), default=None)
        return super().last(name, standing) or (LastReading(arrived_at) if arrived_at else None)

    def shown(self, name: str, standing: Standing) -> Shown:
        zone, now = self._data.zone(name), standing.now
        day = day_of(now, zone)
        none: Mapping[str, Count] = {}
        records = self._data.context.records
        counts, trouble = or_trouble(lambda: records(name).counts(*day_span(day, zone)), none)
        silent = {
            key_segments(alert.key)[1]
            for alert in standing.of(name)
            if alert.is_open and key_segments(alert.key)[-1] in _SILENT
        }
        view = visitors_view(
            self.poller(name),
            counts,
            arrivals_of(self._data.context, name),
            silent=frozenset(silent),
            day=day,
            zone=zone,
            now=now,
            trouble=trouble,
        )
        return Shown(card=self.card(name, standing), numbers="visitors", view=view)

    def view(self, name: str, request: Request) -> View:
        choice = self._choice(name, request)
        has_reports = self.poller(name).report is not None
        return View(
            template="visitors.html",
            parts={
                **PARTS,
                "choice": "_visitors_choice.html",
                "day": "_visitors_day.html",
                "reports": "_visitors_reports.html",
            },
            values=lambda standing: {
                "one": self.shown(name, standing),
                "day": self._day(name, choice),
                # Empty is today's, also for the plot of a page that is still open after midnight.
                "asked_day": request.query_params.get("day", ""),
                "reports": self._reports(name) if has_reports else None,
            },
        )

    def chart(self, name: str, request: Request) -> tuple[Chart, str]:
        day = self._readable_day(name, self._choice(name, request))
        return visits_plot(day.hours), day.nothing

    def day_csv(self, name: str, request: Request) -> tuple[str, str]:
        choice = self._choice(name, request)
        day = self._readable_day(name, choice)
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{name}-{choice.day}-{choice.of}").strip("-")
        return f"{stem}.csv", day_csv(day.hours, excel=request.query_params.get("excel") == "1")

    def _day(self, name: str, choice: Choice) -> DayView:
        """Return one day of visitors by the hour."""
        zone, now, none = self._data.zone(name), self._data.now(), tuple[Minute, ...]()
        records = self._data.context.records
        minutes, trouble = or_trouble(lambda: records(name).minutes(*day_span(choice.day, zone)), none)
        return day_view(
            self.poller(name), minutes, choice, zone=zone, now=now, today=day_of(now, zone), trouble=trouble
        )

    def _readable_day(self, name: str, choice: Choice) -> DayView:
        """Return a day of visitors; 503 where the database can't be read now."""
        day = self._day(name, choice)
        if day.trouble:
            raise unreadable(day.trouble)
        return day

    def _reports(self, name: str) -> tuple[ReportView, ...]:
        """Return the last reports to the upstream, the newest first."""
        now, state = self._data.now(), self._data.context.state
        readings = state.readings.history(poller=name, since=now - REPORTS_BACK, until=now)
        return reports_view(readings[-200:], state.outbox.all(name), zone=self._data.zone(name), now=now)

    def _choice(self, name: str, request: Request) -> Choice:
        """Return the day and what of it is asked for; today and all for what is not said."""
        poller, today = self.poller(name), day_of(self._data.now(), self._data.zone(name))
        day, of = request.query_params.get("day") or "", request.query_params.get("of", "")
        choice = Choice(day=_day(day) if day else today, of=of)
        if choice.group is not None and choice.group not in poller.groups:
            raise HTTPException(404, "there is no such group in the config")
        if of and chosen(poller, choice) is None:
            raise HTTPException(400, "`of` must be source:NAME or group:NAME")
        return choice


def _day(written: str) -> date:
    try:
        found = date.fromisoformat(written) if _DAY.fullmatch(written) else None
    except ValueError:
        found = None
    if found is None or not _FIRST_YEAR <= found.year <= _LAST_YEAR:
        raise HTTPException(400, "there is no such day; write it as YYYY-MM-DD, such as 2026-11-20")
    return found
