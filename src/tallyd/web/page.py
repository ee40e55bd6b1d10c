"""The page: what may be asked of it, and how its answers are rendered. Templates only render views."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tallyd.web.context import Context
from tallyd.web.http.cache import Fresh
from tallyd.web.kind_page import View
from tallyd.web.page_data import PageData
from tallyd.web.page_kinds import KindPages
from tallyd.web.plots import plain
from tallyd.web.static import asset_url
from tallyd.web.view_servers import SORTS
from tallyd.web.view_visitors import silence_text
from tallyd.web.views import Standing

FRESH_S: Final = 1.0
PLOT_FRESH_S: Final = 10.0
_HTML, _JSON = "text/html; charset=utf-8", "application/json"


class Page:
    """Answers what a browser asks. Each answer is made at most once a second, whoever asks."""

    def __init__(self, context: Context) -> None:
        self._data = PageData(context)
        self._kinds = KindPages(self._data)
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

        def shown(standing: Standing) -> Mapping[str, Any]:
            return {"pollers": [self._kinds.of(name).shown(name, standing) for name in self._data.pollers]}

        view = View(
            template="overview.html", parts={"head": "_head.html", "cards": "_cards.html"}, values=shown
        )
        return self._answer(request, view)

    def poller(self, request: Request) -> Response:
        """One poller, whole."""
        name = self._known(request)
        return self._answer(request, self._kinds.of(name).view(name, request), name=name)

    def csv(self, request: Request) -> Response:
        """One day as CSV, for a spreadsheet (`excel=1`) or a program, of a kind that has such a file."""
        name = self._known(request)
        file_name, text = self._kinds.of(name).day_csv(name, request)
        headers = {"content-disposition": f'attachment; filename="{file_name}"'}
        return Response(text.encode(), media_type="text/csv; charset=utf-8", headers=headers)

    def plot(self, request: Request) -> Response:
        """A plot of one poller as plain values, or `nothing`: why there is none."""
        name = self._known(request)

        def make() -> bytes:
            chart, nothing = self._kinds.of(name).chart(name, request)
            shown = plain(chart) if chart.has_numbers else {"nothing": nothing}
            return json.dumps(shown, separators=(",", ":")).encode()

        body = self._fresh.get(_key(request), make, for_s=PLOT_FRESH_S)
        return Response(body, media_type=_JSON)

    # -- how it is answered ------------------------------------------------------------------------------

    def _answer(self, request: Request, view: View, **further: str) -> Response:
        """Return the whole page, or with `live` its parts alone, as JSON: HTML by the part's name."""
        is_live = request.query_params.get("live") == "1"

        def make() -> bytes:
            standing = self._data.standing()
            has_reading = {
                name: self._kinds.of(name).last(name, standing) is not None for name in self._data.pollers
            }
            values = {
                **view.values(standing),
                **further,
                "head": self._data.head(standing, has_reading),
                "names": list(self._data.pollers),
                "parts": view.parts,
                "live_url": _link("", {**request.query_params, "live": "1"}),
                "root": root_of(request.url.path),
            }
            if is_live:
                html = {
                    name: self._templates.get_template(each).render(values)
                    for name, each in view.parts.items()
                }
                return json.dumps({"parts": html}, separators=(",", ":")).encode()
            return self._templates.get_template(view.template).render(values).encode()

        body = self._fresh.get(_key(request), make, for_s=FRESH_S)
        return Response(body, media_type=_JSON if is_live else _HTML)

    def _known(self, request: Request) -> str:
        name = str(request.path_params["name"])
        if name not in self._data.pollers:
            raise HTTPException(404, "there is no such poller in the config that is in force")
        return name


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
