"""The page of a kind that has no view of its own: the numbers of its readings."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from starlette.requests import Request

from tallyd.contract.poller import Poller
from tallyd.core.history import Entry, statuses, why_no_number
from tallyd.web.kind_page import PARTS, KindPage, Shown, View
from tallyd.web.plots import Chart, day_plot, readings_plot
from tallyd.web.view_readings import entries_of, newest_view, past_view
from tallyd.web.views import Standing, moment

WEEKS_BACK: Final = timedelta(days=28)


class ReadingsPage(KindPage[Poller]):
    """Shows the readings of any kind, by what the kind says of them (`Poller.entry`)."""

    def shown(self, name: str, standing: Standing) -> Shown:
        poller = self.poller(name)
        newest = self._data.context.state.readings.last(name, now=standing.now)
        entry = entries_of([newest], poller)[0] if newest else None
        return Shown(
            card=self.card(name, standing),
            numbers="readings",
            view=newest_view(entry, poller.column_names()),
        )

    def view(self, name: str, request: Request) -> View:
        del request
        return View(
            template="readings.html",
            parts={**PARTS, "past": "_readings_past.html"},
            values=lambda standing: {
                "one": self.shown(name, standing),
                "past": past_view(
                    self._entries(name),
                    self.poller(name).column_names(),
                    self._data.zone(name),
                    now=standing.now,
                ),
            },
        )

    def chart(self, name: str, request: Request) -> tuple[Chart, str]:
        entries, names = self._entries(name), self.poller(name).column_names()
        by_hour = request.query_params.get("as") == "day"
        draw = day_plot if by_hour else readings_plot
        nothing = self._nothing(name, entries, in_timetable=by_hour)
        return draw(entries, statuses(entries, names), zone=self._data.zone(name)), nothing

    def _entries(self, name: str) -> tuple[Entry, ...]:
        """Return the last weeks, oldest first."""
        now = self._data.now()
        rows = self._data.context.state.readings.history(poller=name, since=now - WEEKS_BACK, until=now)
        return entries_of(rows, self.poller(name))

    def _nothing(self, name: str, entries: tuple[Entry, ...], *, in_timetable: bool) -> str:
        """Return why there is nothing to draw."""
        now = self._data.now()
        next_at = self._data.next_at(name, now)
        coming = moment(next_at, self._data.zone(name), now=now) if next_at else None
        next_text = f"{coming.text} ({coming.distance})" if coming else "none is planned"
        why = why_no_number(entries, in_timetable=in_timetable)
        return f"Nothing to draw from the last four weeks: {why}. The next reading: {next_text}."
