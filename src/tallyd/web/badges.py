"""Badges: the state of a poller, a target or a source as a small picture, for a README or a start page."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import partial
from html import escape
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tallyd.contract.board import AskedError
from tallyd.core.language.formats import rounded_share, share_text
from tallyd.core.language.messages import english, mark, translation
from tallyd.core.panels import Board, Cell, Column, Gap, tables_of
from tallyd.core.states import NO_DATA_SHARE, Level, State
from tallyd.core.texts import shortened, visible
from tallyd.core.timeline import Range, range_name
from tallyd.web.cards import Cards
from tallyd.web.context import Context
from tallyd.web.http.cache import Cache

FRESH_S: Final = 1.0
MOST_CHARS: Final = 60
RANGE: Final[Range] = "30d"
FINE_SHARE: Final = 0.99
WARNING_SHARE: Final = 0.95
MOST_NO_DATA: Final = 0.5
"""If nothing is known of more of the time, a share of the rest says nothing."""
SHARE_FRESH_S: Final = 60.0
MOST_SHARES: Final = 1000
_COLORS: Final[dict[Level, str]] = {
    "fine": "#1c6e43",
    "warning": "#8f5600",
    "error": "#b3261e",
    "unknown": "#5b686c",
}
"""White text has a contrast of 4.5:1 on each."""
_LABEL_COLOR: Final = "#3c474a"
_NARROW, _BROAD = frozenset("iIjlftr.,:;'|!()[] "), frozenset("mwMW@%&")


class Badges:
    """Answers with pictures. Each is made at most once a second, one of a share once a minute.

    Pages of other hosts may show them if `is_open`: no password guards them.
    """

    def __init__(self, context: Context, *, is_open: bool) -> None:
        self._context = context
        self._headers = {"cross-origin-resource-policy": "cross-origin"} if is_open else {}
        self._pictures: Cache[bytes] = Cache(context.monotonic, for_s=FRESH_S)
        self._shares: Cache[bytes] = Cache(context.monotonic, for_s=SHARE_FRESH_S, most=MOST_SHARES)

    def routes(self) -> list[Route]:
        """Return what can be asked for."""
        return [
            Route("/badge/{poller}.svg", self.badge),
            Route("/badge/{poller}/{subject:path}.svg", self.badge),
        ]

    def badge(self, request: Request) -> Response:
        """Return the state of a poller, or of what it reads; `show=share`: its share of the last days.

        404 if there is none.
        """
        poller, subject = str(request.path_params["poller"]), request.path_params.get("subject")
        if poller not in self._context.config().settings.pollers:
            raise HTTPException(404, english("there is no such poller in the active config"))
        show = request.query_params.get("show", "state")
        if show not in ("state", "share"):
            raise AskedError(english("show must be state or share"))
        pictures, make = (self._shares, self._share) if show == "share" else (self._pictures, self._state)
        picture = pictures.get((poller, subject), partial(make, poller, subject))
        return Response(picture, media_type="image/svg+xml", headers=self._headers)

    def _state(self, name: str, subject: str | None) -> bytes:
        if subject is None:
            return drawn(name, Cards(self._context).state(name))
        return drawn(f"{name} {subject}", self._state_of(name, subject))

    def _state_of(self, name: str, subject: str) -> State:
        """Return the state of a target or a source. Raises `HTTPException` if there is none."""
        poller = self._context.config().settings.pollers[name]
        board = self._context.shown.now(poller, self._context.past(name))
        states = [cell for _, cell in cells_of(board, subject) if isinstance(cell, State)]
        if not states:
            raise HTTPException(404, english("that poller has nothing with this name and a state"))
        return states[0]

    def _share(self, name: str, subject: str | None) -> bytes:
        if subject is not None:
            self._state_of(name, subject)
        poller, past = self._context.config().settings.pollers[name], self._context.past(name)
        table, back = self._context.shown.shares(poller, past, subject or ""), range_name(RANGE)
        row = next(row for row in table.rows if row[0] == back)
        share = share_of(zip(table.columns, row, strict=True))
        label = f"{name} {subject}" if subject else name
        return drawn(f"{label}, {back}", state_of_share(share))


def cells_of(board: Board, subject: str) -> list[tuple[Column, Cell]]:
    """Return the row of a target or a source in each table that has one, together."""
    return [
        cell
        for table in tables_of((*board.panels, *board.details))
        for place, column in enumerate(table.columns)
        if column.option
        for row in table.rows
        if row[place] == subject
        for cell in zip(table.columns, row, strict=True)
    ]


def share_of(cells: Iterable[tuple[Column, Cell]]) -> Cell:
    """Return the first share of a row; not known if there is no data of most of the time."""
    shares = {column.key: cell for column, cell in cells if column.unit == "share"}
    no_data = shares.pop(NO_DATA_SHARE, None)
    is_known = not isinstance(no_data, int | float) or no_data <= MOST_NO_DATA
    return next(iter(shares.values()), Gap.UNKNOWN) if is_known else Gap.UNKNOWN


def state_of_share(share: Cell) -> State:
    """Return how good a share is, with the share as its word."""
    if not isinstance(share, int | float):
        return State("unknown", mark("not known"))
    shown = rounded_share(share)
    level: Level = "fine" if shown >= FINE_SHARE else "warning" if shown >= WARNING_SHARE else "error"
    return State(level, share_text(share))


def drawn(label: str, state: State) -> bytes:
    """Return a badge as SVG: the label on gray, and beside it the word of the state on its color."""
    label, word = shortened(label, MOST_CHARS), visible(translation(state.word))
    left, right = _width(label) + 10, _width(word) + 10
    whole = escape(f"{label}: {word}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{whole}"><title>{whole}</title>'
        f'<clipPath id="c"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#c)"><rect width="{left}" height="20" fill="{_LABEL_COLOR}"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_COLORS[state.level]}"/></g>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{_text(label, 5)}{_text(word, left + 5)}</g></svg>\n"
    ).encode()


def _text(text: str, x: int) -> str:
    # Whatever font a reader has, the text fits its room.
    fit = f'textLength="{_width(text)}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{x}" y="14" {fit}>{escape(text)}</text>'


def _width(text: str) -> int:
    """Return about how wide a text is, in pixels."""
    return max(1, round(sum(map(_char_width, text))))


def _char_width(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF":
        return 11.0
    if char in _NARROW:
        return 4.2
    return 10.0 if char in _BROAD else 7.6 if char.isupper() else 6.8
