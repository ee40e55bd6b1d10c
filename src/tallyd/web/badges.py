"""Badges: the state of a poller, a target or a source as a small picture, for a README or a start page."""

from __future__ import annotations

import unicodedata
from html import escape
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tallyd.core.panels import Board, Level, State, tables_of
from tallyd.core.texts import shortened, visible
from tallyd.web.cards import Cards
from tallyd.web.context import Context
from tallyd.web.http.cache import Cache

FRESH_S: Final = 1.0
MOST_CHARS: Final = 60
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
    """Answers with pictures. Each is made at most once a second."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pictures: Cache[bytes] = Cache(context.monotonic, for_s=FRESH_S)

    def routes(self) -> list[Route]:
        """Return what can be asked for."""
        return [
            Route("/badge/{poller}.svg", self.badge),
            Route("/badge/{poller}/{subject:path}.svg", self.badge),
        ]

    def badge(self, request: Request) -> Response:
        """Return the state of a poller, or of what it reads. 404 if there is none."""
        poller, subject = str(request.path_params["poller"]), request.path_params.get("subject")
        if poller not in self._context.config().settings.pollers:
            raise HTTPException(404, "there is no such poller in the active config")
        picture = self._pictures.get((poller, subject), lambda: self._picture(poller, subject))
        return Response(picture, media_type="image/svg+xml")

    def _picture(self, name: str, subject: str | None) -> bytes:
        if subject is None:
            return drawn(name, Cards(self._context).state(name))
        poller = self._context.config().settings.pollers[name]
        state = state_of(self._context.shown.now(poller, self._context.past(name)), subject)
        if state is None:
            raise HTTPException(404, "that poller has nothing with this name and a state")
        return drawn(f"{name} {subject}", state)


def state_of(board: Board, subject: str) -> State | None:
    """Return the state in the row of a target or a source; None if no table has such a row."""
    for table in tables_of((*board.panels, *board.details)):
        for place, column in enumerate(table.columns):
            if not column.option:
                continue
            for row in table.rows:
                states = [cell for cell in row if isinstance(cell, State)]
                if row[place] == subject and states:
                    return states[0]
    return None


def drawn(label: str, state: State) -> bytes:
    """Return a badge as SVG: the label on gray, and beside it the word of the state on its color."""
    label, word = shortened(label, MOST_CHARS), visible(state.word)
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
