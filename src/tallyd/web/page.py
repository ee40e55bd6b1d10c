"""The page: what may be asked of it, and how its answers are rendered. Templates only render views."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tallyd.core.errors import RecordsError
from tallyd.core.history import statuses
from tallyd.core.reading import Json
from tallyd.pollers.divera.poller import DiveraPoller
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.web.context import Context
from tallyd.web.day_csv import day_csv
from tallyd.web.http.cache import Fresh
from tallyd.web.page_data import Order, PageData, stale_after_s
from tallyd.web.plots import Chart, day_plot, lags_plot, plain, readings_plot, visits_plot
from tallyd.web.static import asset_url
from tallyd.web.view_servers import SORTS
from tallyd.web.view_visitors import Choice, DayView, chosen, silence_text

FRESH_S: Final = 1.0
PLOT_FRESH_S: Final = 10.0
LAGS_BACK: Final = timedelta(hours=24)
_FIRST_YEAR, _LAST_YEAR = 1970, 9997
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_HTML, _JSON = "text/html; charset=utf-8", "application/json"

Parts = Mapping[str, str]
_PARTS: Final[Parts] = {"head": "_head.html", "title": "_title.html", "card": "_card.html"}
"""The parts of every poller's view."""


class Page:
    """Answers what a browser asks. Each answer is made at most once a second, whoever asks."""

    def __init__(self, context: Context) -> None:
        self._data = PageData(context)
        self._fresh = Fresh(context.monotonic)
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(asset=asset_url, silence=silence_text, link=_link, sorts=SORTS)
        self._templates.globals["tallyd"] = context.config().tallyd

    def routes(self) -> list[Route]:
        """Return what can be asked for."""
        return [
            Route("/", self.overview, name="overview"),
            Route("/poller/{name}", self.poller, name="poller"),
            Route("/poller/{name}/day.csv", self.csv, name="csv"),
            Route("/plot/{name}", self.plot, name="plot"),
        ]

    # -- what is asked for -------------------------------------------------------------------------------

    def overview(self, request: Request) -> Response:
        """All pollers, a card each."""

        def shown() -> dict[str, Any]:
            standing = self._data.standing()
            return {"pollers": self._data.all(standing), "head": self._data.head(standing)}

        return self._answer(request, "overview.html", {"head": "_head.html", "cards": "_cards.html"}, shown)

    def poller(self, request: Request) -> Response:
        """One poller, whole."""
        name = self._known(request)
        poller = self._data.pollers[name]
        if isinstance(poller, DiveraPoller):
            return self._answer(
                request,
                "divera.html",
                {**_PARTS, "past": "_divera_past.html"},
                lambda: {**self._one(name), "past": self._data.divera_past(name, poller)},
            )
        if isinstance(poller, VisitorsPoller):
            choice = self._choice(request, name, poller)
            return self._answer(
                request,
                "visitors.html",
                {
                    **_PARTS,
                    "choice": "_visitors_choice.html",
                    "day": "_visitors_day.html",
                    "reports": "_visitors_reports.html",
                },
                lambda: {
                    **self._one(name),
                    "day": self._data.day(name, poller, choice),
                    # Empty is today's, also for the plot of a page that is still open after midnight.
                    "asked_day": request.query_params.get("day", ""),
                    "reports": self._data.reports(name) if poller.report else None,
                },
            )
        order = _order(request)
        target = request.query_params.get("target", "")
        parts = {**_PARTS, "targets": "_servers_table.html"}
        if target not in poller.targets:
            return self._answer(
                request, "servers.html", parts, lambda: {**self._one(name, order), "target": ""}
            )
        return self._answer(
            request,
            "servers.html",
            {**parts, "lags": "_servers_lags.html"},
            lambda: {
                **self._one(name, order),
                "target": target,
                "lags": self._data.lags(name, poller, target, LAGS_BACK),
            },
        )

    def csv(self, request: Request) -> Response:
        """One day of visitors as CSV, for a spreadsheet (`excel=1`) or a program."""
        name = self._known(request)
        poller = self._data.pollers[name]
        if not isinstance(poller, VisitorsPoller):
            raise HTTPException(404, f"{name} counts no visitors")
        choice = self._choice(request, name, poller)
        day = self._readable_day(name, poller, choice)
        text = day_csv(day.hours, excel=request.query_params.get("excel") == "1")
        file_name = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{name}-{choice.day}-{choice.of}").strip("-")
        headers = {"content-disposition": f'attachment; filename="{file_name}.csv"'}
        return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)

    def plot(self, request: Request) -> Response:
        """A plot of one poller as plain values, or `nothing`: why there is none."""
        name = self._known(request)
        body = self._fresh.get(
            _key(request),
            lambda: json.dumps(self._plot(request, name), separators=(",", ":")).encode(),
            for_s=PLOT_FRESH_S,
        )
        return Response(body, media_type=_JSON)

    def _plot(self, request: Request, name: str) -> dict[str, Json]:
        poller = self._data.pollers[name]
        if isinstance(poller, DiveraPoller):
            chart, nothing = self._readings_plot(request, name, poller)
        elif isinstance(poller, VisitorsPoller):
            day = self._readable_day(name, poller, self._choice(request, name, poller))
            chart, nothing = visits_plot(day.hours), day.nothing
        else:
            chart, nothing = self._lags_plot(request, name, poller)
        return plain(chart) if chart.has_numbers else {"nothing": nothing}

    def _readings_plot(self, request: Request, name: str, poller: DiveraPoller) -> tuple[Chart, str]:
        entries = self._data.divera_entries(name)
        columns = statuses(entries, poller.status_names)
        by_hour = request.query_params.get("as") == "day"
        draw = day_plot if by_hour else readings_plot
        nothing = self._data.divera_nothing(name, entries, in_timetable=by_hour)
        return draw(entries, columns, zone=self._data.zone(name)), nothing

    def _lags_plot(self, request: Request, name: str, poller: ServersPoller) -> tuple[Chart, str]:
        target = request.query_params.get("target", "")
        if target not in poller.targets:
            raise HTTPException(404, "there is no such target")
        try:
            points = self._data.lag_points(name, target, LAGS_BACK)
        except RecordsError as error:
            raise HTTPException(503, f"the numbers can't be read now: {error.text}") from None
        limit_s, zone = stale_after_s(poller, target), self._data.zone(name)
        nothing = self._data.lags_nothing(name, poller, target)
        return lags_plot(points, stale_after_s=limit_s, zone=zone), nothing

    def _readable_day(self, name: str, poller: VisitorsPoller, choice: Choice) -> DayView:
        """Return a day of visitors; 503 where the database can't be read now."""
        day = self._data.day(name, poller, choice)
        if day.trouble:
            raise HTTPException(503, f"the numbers can't be read now: {day.trouble}")
        return day

    # -- how it is answered ------------------------------------------------------------------------------

    def _one(self, name: str, order: Order | None = None) -> dict[str, Any]:
        standing = self._data.standing()
        one = self._data.one(name, standing, order)
        return {"one": one, "head": self._data.head(standing), "name": name}

    def _answer(
        self, request: Request, template: str, parts: Parts, shown: Callable[[], dict[str, Any]]
    ) -> Response:
        """Return the whole page, or with `live` its parts alone, as JSON: HTML by the part's name."""
        is_live = request.query_params.get("live") == "1"

        def make() -> bytes:
            values = {
                **shown(),
                "names": list(self._data.pollers),
                "parts": parts,
                "live_url": _link("", {**request.query_params, "live": "1"}),
                "root": root_of(request.url.path),
            }
            if is_live:
                html = {
                    name: self._templates.get_template(each).render(values) for name, each in parts.items()
                }
                return json.dumps({"parts": html}, separators=(",", ":")).encode()
            return self._templates.get_template(template).render(values).encode()

        body = self._fresh.get(_key(request), make, for_s=FRESH_S)
        return Response(body, media_type=_JSON if is_live else _HTML)

    def _known(self, request: Request) -> str:
        name = str(request.path_params["name"])
        if name not in self._data.pollers:
            raise HTTPException(404, "there is no such poller in the config that is in force")
        return name

    def _choice(self, request: Request, name: str, poller: VisitorsPoller) -> Choice:
        """Return the day and what of it is asked for; today and all for what is not said."""
        today = self._data.today(name)
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


def _order(request: Request) -> Order:
    sort, page = request.query_params.get("sort", "state"), request.query_params.get("page", "1")
    if sort not in SORTS:
        raise HTTPException(400, f"`sort` must be one of {', '.join(SORTS)}")
    if not page.isascii() or not page.isdecimal() or len(page) > 6:
        raise HTTPException(400, "`page` must be a number")
    return Order(sort=sort, is_reversed=request.query_params.get("down") == "1", page=int(page))


def root_of(path: str) -> str:
    """Return the way up from an address to that of the page.

    All links are such ways, so that the page works below any path that a proxy gives it, and without one.
    """
    return "../" * (path.count("/") - 1) or "./"


def _link(path: str, query: Mapping[str, str]) -> str:
    """Return an address on this page; what is empty is left out."""
    kept = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def _key(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}"


def routes(context: Context) -> list[Route]:
    """Return what a browser can ask for."""
    return Page(context).routes()
