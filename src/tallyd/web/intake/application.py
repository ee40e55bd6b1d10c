"""Receives files: POST /intake/POLLER/SOURCE, with the file as the body or in a form.

The answer 201 comes once the file is in the inbox and on the disk. Whoever gets no such answer sends it
again: tallyd counts the same content of a source only once.
"""

from __future__ import annotations

import errno
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tallyd.adapters.inbox import Incoming
from tallyd.core.errors import InboxError
from tallyd.web.http.auth import Passwords
from tallyd.web.intake.multipart import FormError, boundary_of, file_in

log = logging.getLogger("tallyd")

_CLOSE: Final = {"connection": "close"}
_AGAIN: Final = {"retry-after": "60", **_CLOSE}
MOST_AT_ONCE: Final = 8
"""How many files of one sender are received at the same time: one alone must not keep all others out."""
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Who sends: the inbox and the source of its files, and the size of the largest one."""

    inbox: Path
    is_mount: bool
    source: str
    max_bytes: int


SenderOf: TypeAlias = Callable[[str], "Sender | None"]
"""Returns a sender by `POLLER/SOURCE`; None: there is none, by the active config."""


def application(passwords: Mapping[str, str], sender_of: SenderOf, *, now: Callable[[], datetime]) -> ASGIApp:
    """Return the application. `passwords` are by `POLLER/SOURCE`; `now` returns an aware time."""
    intake = _Intake(passwords, sender_of, now)
    app = Starlette(
        routes=[Route("/intake/{poller}/{source}", intake.receive, methods=["POST"])],
        exception_handlers=dict.fromkeys((_Refused, FormError, ClientDisconnect), _answer),
    )
    app.router.redirect_slashes = False
    return app


def name_of(at: datetime) -> str:
    """Return the name of a file that came at a time (UTC)."""
    return f"{at:%Y%m%dT%H%M%S.%fZ}.json"


EXAMPLE: Final = name_of(datetime(2026, 11, 20, 8, 15, tzinfo=UTC))
"""Such a name."""


class _Refused(Exception):  # noqa: N818 # an answer, no error of ours
    def __init__(self, status: int, text: str, headers: Mapping[str, str] = _CLOSE) -> None:
        super().__init__(text)
        self.status, self.headers = status, headers


class _Intake:
    def __init__(
        self, passwords: Mapping[str, str], sender_of: SenderOf, now: Callable[[], datetime]
    ) -> None:
        self._sender_of, self._now = sender_of, now
        self._passwords = {
            name: Passwords(password, monotonic=time.monotonic, takes_token=True)
            for name, password in passwords.items()
        }
        # Nobody knows this one: a name that may not send is answered like a wrong password.
        self._of_others = Passwords(secrets.token_hex(32), monotonic=time.monotonic, takes_token=True)
        self._receiving: Counter[str] = Counter()

    async def receive(self, request: Request) -> Response:
        """Put the file of a request into the inbox."""
        name = f"{request.path_params['poller']}/{request.path_params['source']}"
        await self._check_password(request, name)
        sender = self._sender_of(name)
        if sender is None:
            raise _Refused(503, f"{name} is no poller with an inbox any more; ask who runs tallyd", _AGAIN)
        if self._receiving[name] >= MOST_AT_ONCE:
            raise _Refused(429, f"{name} sends too many files at once; send it again later", _AGAIN)
        self._receiving[name] += 1
        try:
            return await self._received(request, sender)
        except InboxError as error:
            log.warning("file not received", extra={"sender": name, "reason": error.text})
            is_full = isinstance(error.__cause__, OSError) and error.__cause__.errno in _FULL
            status, text = 507 if is_full else 503, f"not stored: {error.text}; send it again later"
            raise _Refused(status, text, _AGAIN) from None
        finally:
            self._receiving[name] -= 1

    async def _check_password(self, request: Request, name: str) -> None:
        client = request.client.host if request.client else ""
        verdict = await self._passwords.get(name, self._of_others).judge(
            client, request.headers.get("authorization")
        )
        if verdict == "busy":
            headers = {"retry-after": "10", **_CLOSE}
            raise _Refused(429, "too many wrong passwords; wait a moment", headers)
        if verdict != "right":
            text = f"the password is missing or wrong, or {name} is not in intake.passwords"
            headers = {"www-authenticate": 'Basic realm="tallyd", charset="UTF-8"', **_CLOSE}
            raise _Refused(401, text, headers)

    async def _received(self, request: Request, sender: Sender) -> Response:
        incoming = await run_sync(lambda: Incoming(sender.inbox, is_mount=sender.is_mount))
        try:
            async for piece in _content(request):
                if incoming.size + len(piece) > sender.max_bytes:
                    text = f"the file is larger than {sender.max_bytes} bytes (max_bytes of its poller)"
                    raise _Refused(413, text)
                await run_sync(incoming.write, piece)
            if not incoming.size:
                raise _Refused(400, "the file is empty; send its content as the body, or in a form")
            put = await run_sync(incoming.put, sender.source, name_of(self._now()))
        finally:
            incoming.close()
        return JSONResponse({"stored": put}, status_code=201)


def _content(request: Request) -> AsyncIterator[bytes]:
    boundary = boundary_of(request.headers.get("content-type", ""))
    return request.stream() if boundary is None else file_in(request.stream(), boundary)


def _answer(_request: Request, error: Exception) -> Response:
    status, headers = (error.status, error.headers) if isinstance(error, _Refused) else (400, _CLOSE)
    text = "the request was cut off" if isinstance(error, ClientDisconnect) else str(error)
    return PlainTextResponse(f"{text}\n", status_code=status, headers=headers)
