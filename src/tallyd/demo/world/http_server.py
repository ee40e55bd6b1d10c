"""One HTTP server on loopback that serves every part of the small world: starlette on uvicorn, in a thread.

One event loop makes all answers, one after the other, so no part needs a lock.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ClassVar

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tallyd.core.reading import Json

HOST = "127.0.0.1"
_IDLE_S = 60


class Part(ABC):
    """One part of the outside world, such as the Divera API. `mode` is how it behaves now.

    `elapsed` gives the seconds since the world began.
    """

    control: ClassVar[str]
    """The address that shows the mode, and changes it."""
    modes: ClassVar[tuple[str, ...]]
    """All modes. It starts with the first one."""

    def __init__(self, elapsed: Callable[[], float] | None = None) -> None:
        began_s = time.monotonic()
        self._elapsed = elapsed or (lambda: time.monotonic() - began_s)
        self.mode = self.modes[0]

    def routes(self) -> list[BaseRoute]:
        """Return its addresses; no two parts share one."""
        return [Route(self.control, self._control, methods=["GET", "POST"])]

    @abstractmethod
    def about(self, base_url: str) -> tuple[str, ...]:
        """Return lines for a person: what this part is, and how to use it. Call it while the part runs."""

    def running(self) -> AbstractContextManager[object]:
        """Run what this part does on its own until the block ends; most parts only answer. Raises OSError."""
        return nullcontext()

    def play(self, mode: str) -> None:
        """Switch to one of the modes."""
        self.mode = mode

    def seen(self) -> Mapping[str, Json]:
        """Return what the control address shows in addition to the mode."""
        return {}

    async def _control(self, request: Request) -> Response:
        if request.method != "POST":
            return JSONResponse({"mode": self.mode, "modes": self.modes, **self.seen()})
        try:
            mode = json.loads(await request.body())["mode"]
        except (ValueError, LookupError, TypeError, RecursionError):
            mode = None
        if mode not in self.modes:
            return JSONResponse({"error": 'send {"mode": MODE}', "modes": self.modes}, 400)
        self.play(mode)
        return JSONResponse({"mode": mode, "modes": self.modes})


class NoAnswer(Response):
    """Closes the connection without an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive, send
        scope["state"]["transport"].close()
        await asyncio.sleep(0)  # until uvicorn has noticed; otherwise it answers with HTTP 500


class _Connection(H11Protocol):
    """A connection that an answer can close; ASGI alone cannot do this."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self.app_state = {"transport": transport}


class _Server(uvicorn.Server):
    """Ends at once, because nobody waits for the last answers of this world."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def application(routes: Sequence[BaseRoute]) -> Starlette:
    """Return an application with these routes, without redirects."""
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return app


@contextmanager
def serving(routes: Sequence[BaseRoute], *, port: int = 0) -> Iterator[str]:
    """Serve on loopback until the block ends; yields the base URL. Port 0: any free port. Raises OSError."""
    config = uvicorn.Config(
        application(routes),
        http=_Connection,
        ws="none",
        lifespan="off",
        log_config=None,  # also no access log: it would contain keys
        timeout_keep_alive=_IDLE_S,
    )
    with socket.create_server((HOST, port)) as listening:
        # For every connection: otherwise a body waits until the client acknowledges its head, up to 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = _Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
