"""What every request must pass, and the headers of every answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tallyd.core.language.messages import tr
from tallyd.web.http.auth import Names, Passwords

OPEN: Final = frozenset({"/healthz"})
"""For machines, under any host name and without a password. It holds no names and no numbers."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NO_STORE: Final = (b"cache-control", b"no-store")
_CLOSE: Final = {"connection": "close"}
PIECE_BYTES: Final = 64 * 1024
"""Larger bodies are sent in pieces: what a client does not read must not pile up in memory."""


class Gate:
    """Refuses requests that do not only read, use an unknown host name, or have no valid password.

    It says so in the reader's language.
    """

    def __init__(self, app: ASGIApp, *, names: Names, passwords: Passwords | None) -> None:
        self._app = app
        self._names = names
        self._passwords = passwords

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _Answer(send)
        refusal = await self._refusal(scope)
        await (refusal or self._app)(scope, receive, answer)

    async def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        """Return why a request is refused; None: it may pass."""
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            return _refused(405, tr("This page can only be read."), {"allow": "GET, HEAD", **_CLOSE})
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return _refused(400, tr("A request that only reads has no body."), _CLOSE)
        if scope["path"] in OPEN:
            return None
        if not self._names.may(headers.get("host", "")):
            return _refused(
                421,
                tr(
                    "Unknown host name. Use the address of the page or localhost, or add the name to "
                    "web.hosts in the config of tallyd."
                ),
                _CLOSE,
            )
        return await self._check_password(scope, headers)

    async def _check_password(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        if self._passwords is None:
            return None
        client = str((scope.get("client") or ("",))[0])
        verdict = await self._passwords.judge(client, headers.get("authorization"))
        if verdict == "right":
            return None
        if verdict == "busy":
            text = tr("Too many wrong passwords; wait a moment.")
            return _refused(429, text, {"retry-after": "10", **_CLOSE})
        return _refused(
            401,
            tr(
                "The password is missing or wrong. It is web.password in the config of tallyd; "
                "use any user name."
            ),
            {"www-authenticate": 'Basic realm="tallyd", charset="UTF-8"'},
        )


class _Answer:
    """Passes an answer on with the headers that every answer has, a large body in pieces."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            await self._send({**message, "headers": [*headers, *_missing(headers)]})
            return
        body, is_more = message.get("body", b""), message.get("more_body", False)
        for start in range(PIECE_BYTES, len(body), PIECE_BYTES):
            piece = body[start - PIECE_BYTES : start]
            await self._send({"type": message["type"], "body": piece, "more_body": True})
        rest = body[(len(body) - 1) // PIECE_BYTES * PIECE_BYTES :] if body else b""
        await self._send({"type": message["type"], "body": rest, "more_body": is_more})


def _missing(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    there = {name.lower() for name, _ in headers}
    return [pair for pair in (*_HEADERS, _NO_STORE) if pair[0] not in there]


def _refused(status: int, text: str, headers: dict[str, str]) -> PlainTextResponse:
    return PlainTextResponse(f"{text}\n", status_code=status, headers=headers)
