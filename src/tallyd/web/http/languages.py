"""In which language a request is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallyd.core.language.languages import LANGUAGES, Language, language_for, reading_in

_FOR_PROGRAMS: Final = ("/api/", "/metrics", "/healthz", "/static/")
_NAMES: Final[Mapping[Language, str]] = {"en": "English", "de": "Deutsch", "zh-TW": "繁體中文"}
_ON_OTHER_PAGES: Final = "/badge/"
"""Who reads such a page may have another language than the page."""


def kept(query: Mapping[str, str]) -> Mapping[str, str]:
    """Return the part of a query that all links keep: `lang`, the language. An unknown one is ignored."""
    return {"lang": query["lang"]} if query.get("lang") in LANGUAGES else {}


def in_languages(query: Mapping[str, str]) -> Iterator[tuple[Language, str, str]]:
    """Yield each language, what it calls itself, and the query of the same view in it."""
    for each, name in _NAMES.items():
        yield each, name, "?" + urlencode({**query, "lang": each})


class InLanguage:
    """Answers people in the language of the address, else of their browser, else of the config.

    Programs are answered in English. It is the outermost part of the application.
    """

    def __init__(self, app: ASGIApp, default: Callable[[], Language]) -> None:
        self._app = app
        self._default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # nothing else is served: no WebSocket, no lifespan
        is_by_browser = not scope["path"].startswith((*_FOR_PROGRAMS, _ON_OTHER_PAGES))

        async def send_varying(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).add_vary_header("Accept-Language")
            await send(message)

        with reading_in(self._wanted(scope, is_by_browser=is_by_browser)):
            await self._app(scope, receive, send_varying if is_by_browser else send)

    def _wanted(self, scope: Scope, *, is_by_browser: bool) -> Language:
        if scope["path"].startswith(_FOR_PROGRAMS):
            return "en"
        query = QueryParams(scope["query_string"])
        for asked in LANGUAGES:
            if query.get("lang") == asked:
                return asked
        accepted = Headers(scope=scope).get("accept-language", "") if is_by_browser else ""
        return language_for(accepted, self._default())
