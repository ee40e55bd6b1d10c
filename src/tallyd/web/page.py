"""The page: all pollers, one poller with the days that were asked for, and past incidents.

It shows boards of any kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tallyd.contract.board import Asked, AskedError
from tallyd.contract.poller import Poller
from tallyd.core.language.messages import english, mark, tr
from tallyd.core.schedule.days import day_of
from tallyd.presentation.boards import Chapter, chapters_csv, table_csv
from tallyd.presentation.html.templates import environment
from tallyd.presentation.html.view import View
from tallyd.web.cards import Card, Cards, Head
from tallyd.web.context import Context
from tallyd.web.csv_files import csv_file, csv_reader
from tallyd.web.form import MOST_ROWS
from tallyd.web.history import History
from tallyd.web.http.cache import Cache
from tallyd.web.http.languages import in_languages, kept
from tallyd.web.incidents import AskedPage, all_incidents, find, last_lines
from tallyd.web.static import asset_url

FRESH_S: Final = 2.0
"""Browsers ask every four seconds: however many look at a view, they cost as much as one or two."""
MOST_DAYS: Final = 3660
ROWS_OF_CARD: Final = 8
MOST_OWN: Final = 30
"""Days of tallyd itself."""
_DAYS: Final = frozenset({"from", "to", "by", "range"})
_TABLES: Final = frozenset({"sort", "down", "page"})
_INCIDENT_RANGES: Final = {
    mark("7 days"): 7,
    mark("30 days"): 30,
    mark("90 days"): 90,
    mark("12 months"): 365,
}
_HTML, _JSON = "text/html; charset=utf-8", "application/json"
_Values: TypeAlias = "Callable[[Cards], Mapping[str, Any]]"


class Page:
    """Answers what a browser asks. Each answer is made at most once in two seconds, whoever asks."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._bodies: Cache[bytes] = Cache(context.monotonic, for_s=FRESH_S)
        self._heads: Cache[Head] = Cache(context.monotonic, for_s=FRESH_S)
        self._history = History(context, self._render)
        self._templates = environment(Path(__file__).parent / "templates", tallyd=context.config().tallyd)
        self._templates.globals["asset"] = asset_url

    def routes(self) -> list[Route]:
        """Return what a browser can ask for."""
        return [
            Route("/", self.overview),
            Route("/wall", self.wall),
            Route("/poller/{name}", self.poller),
            Route("/poller/{name}/report.csv", self.csv),
            Route("/incidents", self.incidents),
            Route("/incidents.csv", self.incidents_csv),
        ]

    # -- what is asked for -------------------------------------------------------------------------------

    def overview(self, request: Request) -> Response:
        """All pollers, a card each, with the last incidents and how tallyd itself was."""
        _refuse_others(request, ())
        root, query = root_of(request.url.path), kept(request.query_params)

        def values(cards: Cards) -> Mapping[str, Any]:
            zone, now = self._context.config().zone, self._context.now()
            return {
                "here": "/",
                "cards": self._cards(cards, self._pollers, f"{root}poller/", query),
                "days": {name: self._history.last_day(name) for name in self._pollers},
                "incidents": last_lines(self._context),
                "own": self._context.own_states(),
                "reports": self._context.reports_table(),
                "hosts": self._context.hosts_table(),
                "view": View(zone=zone, now=now, most_rows=MOST_OWN, query=query),
            }

        return self._answer(request, "overview", ("head", "nav", "cards"), values)

    def wall(self, request: Request) -> Response:
        """All pollers in turn, or only one, without links, for a screen that people see from afar."""
        _refuse_others(request, ("poller",))
        chosen = request.query_params.get("poller")
        if chosen and chosen not in self._pollers:
            raise AskedError(
                english(
                    'there is no poller "{poller}"; there are: {pollers}',
                    poller=chosen,
                    pollers=", ".join(self._pollers) or mark("none"),
                )
            )
        names = [chosen] if chosen else self._pollers

        def values(cards: Cards) -> Mapping[str, Any]:
            return {"here": "/", "cards": self._cards(cards, names, None, {})}

        return self._answer(request, "wall", ("head", "wall"), values)

    def _cards(
        self, cards: Cards, names: Collection[str], path: str | None, query: Mapping[str, str]
    ) -> list[Card]:
        """Return the cards of these pollers. `path` is what their pages are below; None: no links."""
        config, now = self._context.config(), self._context.now()
        return [
            cards.card(
                name,
                View(
                    zone=config.effective(name).zone,
                    now=now,
                    most_rows=ROWS_OF_CARD,
                    is_card=True,
                    path=None if path is None else path + name,
                    query=query,
                ),
            )
            for name in names
        ]

    def poller(self, request: Request) -> Response:
        """One poller: how it is now, and the days that were asked for."""
        name, asked = self._asked(request, _TABLES)
        query = {key: value for key, value in request.query_params.items() if key in _DAYS | _TABLES}
        query |= kept(request.query_params)
        subject = asked.value(self._pollers[name].subject_option())

        def values(cards: Cards) -> Mapping[str, Any]:
            past = self._context.past(name)
            view = View(zone=past.zone, now=past.now, path="", query=query, options=asked.options)
            card = cards.card(name, view, subject)
            return {
                "here": name,
                "place": card.title,
                "card": card,
                "history": self._history.parts(name, asked, view, root_of(request.url.path)),
            }

        return self._answer(request, "poller", ("head", "nav", "title", "now", "form", "past"), values)

    def csv(self, request: Request) -> Response:
        """The main table of the days that were asked for, for a spreadsheet (`excel=1`) or a program."""
        name, asked = self._asked(request, frozenset({"excel"}))
        with csv_reader(request) as excel:
            chapter = Chapter(
                poller=name,
                kind=self._pollers[name].kind,
                zone=self._context.config().effective(name).zone,
                first=asked.first,
                last=asked.last,
                board=self._history.board(name, asked),
            )
            text = chapters_csv([chapter], excel=excel, name_pollers=False)
        return csv_file(text, name, asked.first, asked.last, asked.by, *asked.options.values())

    def incidents(self, request: Request) -> Response:
        """What was wrong on some days, by day, the newest first."""
        _refuse_others(request, ("from", "to", "poller", "page"))
        now = self._context.now()
        asked = AskedPage.of(request.query_params, self._context)
        today = day_of(now, asked.zone)

        def values(_cards: Cards) -> Mapping[str, Any]:
            return {
                "here": "/incidents",
                "place": tr("incidents"),
                "asked": asked,
                "found": find(self._context, asked),
                "view": View(zone=asked.zone, now=now, query=kept(request.query_params)),
                "today": today,
                "ranges": [
                    (tr(name), today - timedelta(days=length - 1))
                    for name, length in _INCIDENT_RANGES.items()
                ],
            }

        return self._answer(request, "incidents", ("head", "nav", "incidents"), values)

    def incidents_csv(self, request: Request) -> Response:
        """All incidents of some days, for a spreadsheet (`excel=1`) or a program."""
        _refuse_others(request, ("from", "to", "poller", "excel"))
        asked = AskedPage.of(request.query_params, self._context)
        with csv_reader(request) as excel:
            table = all_incidents(self._context, asked, most=MOST_ROWS)
            text = table_csv(table, asked.zone, excel=excel)
        return csv_file(text, "incidents", asked.poller, asked.days.first, asked.days.last)

    @property
    def _pollers(self) -> Mapping[str, Poller]:
        return self._context.config().settings.pollers

    def _asked(self, request: Request, further: Collection[str]) -> tuple[str, Asked]:
        """Return the poller and what is asked for of it. Raises `AskedError`."""
        name, query = str(request.path_params["name"]), request.query_params
        if name not in self._pollers:
            raise HTTPException(404, english("there is no such poller in the active config"))
        poller, past = self._pollers[name], self._context.past(name)
        options = poller.options()
        _refuse_others(request, (*_DAYS, *further, *options))
        asked = Asked.read(
            first=query.get("from", ""),
            last=query.get("to", ""),
            by=query.get("by", ""),
            back=query.get("range", ""),
            options={option: query[option] for option in options if query.get(option)},
            today=day_of(past.now, past.zone),
            default_days=poller.default_days,
            most_rows=MOST_ROWS,
        )
        if (asked.last - asked.first).days >= MOST_DAYS:
            text = english("the page shows at most {days} days; tallyd report shows more", days=MOST_DAYS)
            raise AskedError(text)
        return name, asked

    # -- how it is answered ------------------------------------------------------------------------------

    def _answer(self, request: Request, template: str, parts: Collection[str], values: _Values) -> Response:
        """Return the whole page, or with `live` only its parts, as JSON: HTML by the part's name."""
        query = dict(request.query_params)
        is_live = query.pop("live", "") == "1"

        def make() -> bytes:
            cards = Cards(self._context, kept(request.query_params))
            own = {
                "live_url": "?" + urlencode({**query, "live": "1"}),
                "languages": [*in_languages(query)],
                **values(cards),
            }
            shown = {**_framed(request, cards.head(), own["here"], own.get("place", "")), **own}
            if not is_live:
                return self._render(template, shown).encode()
            known = own.get("history", {})
            html = {part: known.get(part) or self._render(f"_{part}", shown) for part in parts}
            return json.dumps({"parts": html}, separators=(",", ":")).encode()

        body = self._bodies.get(f"{request.url.path}?{request.url.query}", make)
        return Response(body, media_type=_JSON if is_live else _HTML)

    def said(self, request: Request, heading: str, text: str) -> str:
        """Return why there is nothing to show, with the head of the page and the way to all pollers.

        Raises `StateError`.
        """
        query = kept(request.query_params)
        head = self._heads.get(query.get("lang"), lambda: Cards(self._context, query).head())
        own = {"heading": heading, "text": text, "languages": []}
        return self._render("said", {**_framed(request, head, ""), **own})

    def _render(self, template: str, values: Mapping[str, Any]) -> str:
        return self._templates.get_template(f"{template}.html").render(values)


def _framed(request: Request, head: Head, here: str, place: str = "") -> Mapping[str, Any]:
    """Return what every view has around it.

    `here` is the name of the poller, or `/`. `place` is what people call what it shows; empty: all.
    """
    mark = f"! {head.problems}" if head.problems else "" if head.state.level == "fine" else "?"
    words = ("!" if head.silent_for else mark, place or head.name, "tallyd")
    return {
        "head": head,
        "here": here,
        "root": root_of(request.url.path),
        "title": " · ".join(filter(None, words)),
    }


def root_of(path: str) -> str:
    """Return the way up from an address to that of the page.

    All links are such ways, so that the page works below any path that a proxy gives it, and without one.
    """
    return "../" * (path.count("/") - 1) or "./"


def _refuse_others(request: Request, known: Collection[str]) -> None:
    """Raise `AskedError` for a parameter that is not known."""
    others = request.query_params.keys() - {*known, "live", "lang"}
    if others:
        options = ", ".join(sorted(known)) or mark("none")
        text = english(
            'there is no option "{option}"; there are: {options}', option=min(others), options=options
        )
        raise AskedError(text)
