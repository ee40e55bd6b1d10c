"""Serves the page or the intake in a thread of its own, so that no client can cost the pollers anything.

It begins, changes, moves and ends with the active config.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tallyd.adapters.state import StateError
from tallyd.core.language.messages import english
from tallyd.core.texts import visible
from tallyd.settings.listen import ListenSettings
from tallyd.web.http.connection import Guarded

log = logging.getLogger("tallyd")

S = TypeVar("S", bound=ListenSettings)

LONGEST_HEAD_BYTES: Final = 16 * 1024
AGAIN_AFTER_S: Final = 60.0
BACKLOG: Final = 64
STOP_S: Final = 1.0
LAST_ANSWERS_S: Final = 0.3
"""How long a client may still read its answer after the server began to stop."""


class _Server(uvicorn.Server):
    """A server that leaves no connection open."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()  # accepts nobody any more
        # What is cut off at the end is no bug. It needs no line in the log.
        uvicorns = logging.getLogger("uvicorn.error")
        uvicorns.setLevel(logging.CRITICAL)
        tasks = self.server_state.tasks
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_ANSWERS_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # until each of them knows
        await super().shutdown(sockets)
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_S)
        uvicorns.setLevel(logging.ERROR)  # another page may go on


class Page(Generic[S]):
    """What is served at one place. It belongs to the loop in which it is made."""

    def __init__(self, web: S, app: ASGIApp, listening: socket.socket) -> None:
        self.web = web
        self.port = int(listening.getsockname()[1])
        self.url = _url(web.address, self.port)
        self._app = app
        self._server = _Server(_settings(self))
        self.task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[listening]))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request with the current settings."""
        await self._app(scope, receive, send)

    def is_at_place_of(self, web: S) -> bool:
        return (web.address, web.port) == (self.web.address, self.web.port)

    def change(self, web: S, app: ASGIApp) -> None:
        """Answer with another application from the next request on, also over open connections."""
        self.web, self._app = web, app

    def end(self) -> None:
        """Tell it to end; `task` is done when it has."""
        self._server.should_exit = True


class WebServer(Generic[S]):
    """Serves what `make` makes of the settings, in a thread of its own. Any thread may call.

    The log names it `what`. If it fails, `trouble` says why, and it tries again. What moves stays where it
    was until it listens at the new place.
    """

    def __init__(
        self, make: Callable[[S], ASGIApp], *, what: str = "page", again_after_s: float = AGAIN_AFTER_S
    ) -> None:
        self._make, self._what = make, what
        self._again_after_s = again_after_s
        self._wanted: S | None = None
        self._page: Page[S] | None = None
        self._ending: set[Page[S]] = set()
        self._is_stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name=what, daemon=True)
        self.trouble: str | None = None
        """Why the page cannot be served now; None: it is served, or not wanted."""

    @property
    def port(self) -> int | None:
        """The port on which it listens; None while it does not."""
        page = self._page
        return page.port if page else None

    def want(self, web: S | None) -> None:
        """Serve with these settings from now on; None: not at all. Returns at once."""
        self._wanted = web
        if web is not None and self._thread.ident is None:
            self._thread.start()
        self._rouse()

    def stop(self) -> None:
        """Tell it to end for good. Returns at once."""
        self._is_stopping = True
        self._rouse()

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _rouse(self) -> None:
        if self._loop is not None:  # else it has not looked yet
            with suppress(RuntimeError):  # its loop is closed: it has stopped
                self._loop.call_soon_threadsafe(self._changed.set)

    # -- in its thread -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not self._is_stopping:
            self._changed.clear()
            trouble = await self._try_to_serve(self._wanted)
            if trouble is not None and trouble != self.trouble:
                log.warning("%s not served", self._what, extra={"reason": trouble})
            self.trouble = trouble
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._again_after_s if trouble else None)
        self._leave()
        if self._ending:
            await asyncio.wait([page.task for page in self._ending])

    async def _try_to_serve(self, web: S | None) -> str | None:
        """Serve with these settings; return why that is not possible."""
        try:
            return await self._serve(web)
        except StateError as error:
            return str(error)
        except Exception as error:
            text = english("it crashed ({error}); see the log", error=type(error).__name__)
            if text != self.trouble:  # it tries again and again; once in the log is enough
                log.exception("%s crashed", self._what)
            return text

    async def _serve(self, web: S | None) -> str | None:
        page = self._page
        if page is not None and page.task.done():
            self._page = None
            return "its server ended on its own; see the log"
        if web is None:
            if page is not None:
                log.info("%s ends", self._what, extra={"url": page.url})
            self._leave()
        elif page is not None and page.is_at_place_of(web):
            self._change(page, web)
        else:
            return await self._move(web)
        return None

    async def _move(self, web: S) -> str | None:
        app = self._make(web)
        try:
            listening = await self._listening(web)
        except OSError as error:
            return self._stay(web, _why_not(error, web))
        self._leave()
        self._page = Page(web, app, listening)
        self._page.task.add_done_callback(lambda _task: self._changed.set())
        log.info("%s served", self._what, extra={"url": self._page.url, **web.public})
        return None

    async def _listening(self, web: S) -> socket.socket:
        """Return a socket that listens. Raises `OSError`."""
        try:
            return listen(web.address, web.port)
        except OSError as error:
            pages = {*self._ending, *([self._page] if self._page else [])}
            own = [page for page in pages if page.port == web.port]
            if error.errno != errno.EADDRINUSE or not own:
                raise
        # Our own page is in the way: all addresses of a port and one of them are never free at the same time.
        if self._page in own:
            self._leave()
        await asyncio.wait([page.task for page in own])
        return listen(web.address, web.port)

    def _stay(self, web: S, why_not: str) -> str:
        """Leave the page where it is, with all other new settings."""
        page = self._page
        if page is None:
            return why_not
        self._change(page, web.staying_at(page.web))
        return f"{why_not}. Until then it stays at {page.url}"

    def _change(self, page: Page[S], web: S) -> None:
        if web != page.web:
            page.change(web, self._make(web))

    def _leave(self) -> None:
        """Tell the page to end, if there is one."""
        page, self._page = self._page, None
        if page is not None:
            self._ending.add(page)
            page.task.add_done_callback(lambda _task: self._ending.discard(page))
            page.end()


def listen(address: str, port: int) -> socket.socket:
    """Return a listening socket; port 0: any free port. Raises `OSError`."""
    found = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # For every connection. uvicorn sends head and body apart: without it, the body waits until the client
        # acknowledges the head, up to 40 ms. asyncio sets it only for sockets that it makes itself.
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.bind((address, port))
        found.listen(BACKLOG)
    except BaseException:
        found.close()
        raise
    return found


def _why_not(error: OSError, web: ListenSettings) -> str:
    place = _place(web.address, web.port)
    if error.errno == errno.EADDRINUSE:
        return english(
            "{place} is in use by another program (ss -ltnp shows which); stop it, or change {key}.listen",
            place=place,
            key=web.key,
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return english(
            "{place} is no address of this machine now; change {key}.listen, or wait for the network",
            place=place,
            key=web.key,
        )
    text = visible(os.strerror(error.errno) if error.errno else str(error)).lower()
    return english(
        "cannot listen on {place}: {reason}; change {key}.listen", place=place, reason=text, key=web.key
    )


def _place(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _url(address: str, port: int) -> str:
    """Return the address for a browser; for every address, the one by which others reach this machine."""
    if ipaddress.ip_address(address).is_unspecified:
        address = _own_address(socket.AF_INET6 if ":" in address else socket.AF_INET)
    return f"http://{_place(address, port)}/"


def _own_address(family: socket.AddressFamily) -> str:
    loopback, far = ("::1", "2001:db8::1") if family == socket.AF_INET6 else ("127.0.0.1", "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((far, 9))  # sends nothing: the kernel looks up which of its addresses it would use
        except OSError:  # there is no network
            return loopback
        return str(asking.getsockname()[0])


def _settings(app: ASGIApp) -> uvicorn.Config:
    settings: dict[str, Any] = {
        "http": Guarded,
        "ws": "none",
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": STOP_S,
        "h11_max_incomplete_event_size": LONGEST_HEAD_BYTES,
    }
    # What a hostile client sends is not logged; a bug of ours is.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return uvicorn.Config(app, **settings)
