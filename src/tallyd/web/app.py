"""The application: everything that can be asked for, behind the gate."""

from __future__ import annotations

import time
from html import escape
from http import HTTPStatus

from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tallyd.adapters.state import StateError
from tallyd.contract.board import AskedError
from tallyd.core.errors import RecordsError
from tallyd.core.language.languages import language
from tallyd.core.language.messages import mark, tr, translated, translation
from tallyd.core.texts import visible
from tallyd.settings.web import WebSettings
from tallyd.storage.shown import BugError
from tallyd.web import static
from tallyd.web.badges import Badges
from tallyd.web.context import Context
from tallyd.web.http.auth import Names, Passwords
from tallyd.web.http.gate import Gate
from tallyd.web.http.languages import InLanguage
from tallyd.web.machine import api, health, metrics
from tallyd.web.page import Page, root_of

COMPRESSION = 5
"""How hard answers are compressed: more takes longer, and saves next to nothing."""
THREADS = 3
"""How many answers are made at the same time. The others wait, and the pollers do not."""
_NOT_SHOWN = mark("That can't be shown")


def application(context: Context, web: WebSettings) -> ASGIApp:
    """Return the application with the settings of the config."""
    shown = Page(context)
    refusals = _Refusals(shown)
    asked = Starlette(
        routes=[
            *shown.routes(),
            *Badges(context, is_open=web.password is None).routes(),
            *static.routes(),
            *health.routes(context),
            *metrics.routes(context),
            *api.routes(context),
        ],
        middleware=[Middleware(GZipMiddleware, compresslevel=COMPRESSION)],
        exception_handlers={
            HTTPException: refusals.refused,
            AskedError: refusals.senseless,
            RecordsError: refusals.no_numbers,
            StateError: refusals.unreadable,
            BugError: refusals.failed,
            Exception: refusals.failed,
        },
    )
    asked.router.redirect_slashes = False
    names = Names(web.address, web.names)
    password = web.password
    passwords = Passwords(password.reveal(), monotonic=time.monotonic) if password else None
    gate = Gate(_FewThreads(asked), names=names, passwords=passwords)
    return InLanguage(gate, lambda: context.config().settings.language)


class _FewThreads:
    """Answers are made in threads. This allows only a few of them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._is_set = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_set:  # it can only be set while the loop runs
            current_default_thread_limiter().total_tokens = THREADS
            self._is_set = True
        await self._app(scope, receive, send)


class _Refusals:
    """Answers where nothing can be shown. People get the frame of the page, if that can be made."""

    def __init__(self, shown: Page) -> None:
        self._shown = shown

    def refused(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        text = error.detail if isinstance(error, HTTPException) else ""
        if text == HTTPStatus(status).phrase:  # no more was said
            text = mark("there is no such page") if status == 404 else text
        heading = mark("Not here") if status == 404 else _NOT_SHOWN
        return self._said(request, status, heading, translated(text))

    def senseless(self, request: Request, error: Exception) -> Response:
        return self._said(request, 400, _NOT_SHOWN, visible(translated(str(error))))

    def no_numbers(self, request: Request, error: Exception) -> Response:
        reason = visible(translated(error.text)) if isinstance(error, RecordsError) else ""
        text = tr("the numbers can't be read now: {reason}", reason=reason)
        return self._said(request, 503, _NOT_SHOWN, text)

    def unreadable(self, request: Request, error: Exception) -> Response:
        text = tr(
            "state.db can't be read now: {reason}. Counting goes on. Check the disk.",
            reason=visible(translated(str(error))),
        )
        return self._said(request, 503, mark("Nothing can be shown now"), text)

    def failed(self, request: Request, error: Exception) -> Response:
        if isinstance(error, BugError):
            text = translated(error.text)
        else:
            text = tr("tallyd itself failed ({error})", error=type(error).__name__)
        return self._said(request, 500, _NOT_SHOWN, text)

    def _said(self, request: Request, status: int, heading: str, text: str) -> Response:
        heading = translation(heading)
        if "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse(f"{heading}: {text}\n", status_code=status)
        if status < 500:
            try:
                return HTMLResponse(self._shown.said(request, heading, text), status_code=status)
            except StateError:
                pass  # why nothing else can be shown is on the overview
        root, back = root_of(request.url.path), tr("Back to all pollers")
        # Without a template: this must work when nothing else does.
        return HTMLResponse(
            f'<!doctype html><html lang="{language()}"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escape(heading)}</title>"
            f'<link rel="stylesheet" href="{escape(root + static.asset_url("page.css"))}">'
            f"<body><main><h1>{escape(heading)}</h1><p>{escape(text)}</p>"
            f'<p><a href="{root}">{escape(back)}</a></p></main></body></html>',
            status_code=status,
        )
