"""Serves an application in a thread of its own, so that whoever asks can cost the pollers nothing.

So many connections, so long for a request, so long for its answer: what takes more is cut off.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from tallyd.core.texts import visible

log = logging.getLogger("tallyd")

MOST_CONNECTIONS: Final = 100
"""One more takes the place of the one that has said nothing for longest: who asks is let in."""
HEAD_S: Final = 10.0
"""A request must be there so long after its connection, or after the answer before it."""
ANSWER_S: Final = 120.0
"""An answer must be made and read within this: the largest is 1.5 MB."""
STALLED_S: Final = 15.0
"""A client that reads nothing for so long is gone, or never meant to."""
GRACE_S: Final = 0.5
"""So long after it was opened nobody expects a connection to have asked."""
LOOK_EVERY_S: Final = 1.0
LONGEST_HEAD_BYTES: Final = 16 * 1024
AGAIN_AFTER_S: Final = 60.0
BACKLOG: Final = 64
STOP_S: Final = 1.0
LAST_ANSWERS_S: Final = 0.3
"""So long answers under way may still be read once it is to stop."""


class Guarded(H11Protocol):
    """One connection of uvicorn's, with limits: uvicorn has none for a client that does not ask or read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self._phase: tuple[object, ...] = ()
        self._phase_s = self._moved_s = self.loop.time()
        self._is_cut_off = False
        self._watch: asyncio.TimerHandle | None = self.loop.call_later(LOOK_EVERY_S, self._look)
        self._make_room()

    def _make_room(self) -> None:
        """Where there are too many, cut off the one that has been silent for longest.

        Where all are young, the newest of them: an onrush pushes out itself, not those who are about to ask.
        """
        others = [each for each in self.connections if isinstance(each, Guarded) and each is not self]
        held = [each for each in others if not each._is_cut_off]
        if len(held) < MOST_CONNECTIONS:
            return
        silent = sorted((each for each in held if not each._is_answering), key=lambda each: each._phase_s)
        if not silent:
            self._cut_off()
        elif silent[0]._phase_s <= self.loop.time() - GRACE_S:
            silent[0]._cut_off()
        else:
            silent[-1]._cut_off()

    def _cut_off(self) -> None:
        self._is_cut_off = True
        self.transport.abort()

    @property
    def _is_answering(self) -> bool:
        is_asked = self.cycle is not None and not self.cycle.response_complete
        return is_asked or self.transport.get_write_buffer_size() > 0

    def connection_lost(self, exc: Exception | None) -> None:
        watch = getattr(self, "_watch", None)
        if watch is not None:
            watch.cancel()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Some of the answer was read: it goes on."""
        self._moved_s = self.loop.time()
        super().resume_writing()

    def _look(self) -> None:
        now_s = self.loop.time()
        is_answering, unread = self._is_answering, self.transport.get_write_buffer_size()
        phase = (id(self.cycle), is_answering)
        if phase != self._phase:
            self._phase, self._phase_s = phase, now_s
        if unread == 0:
            self._moved_s = now_s
        limit_s = ANSWER_S if is_answering else HEAD_S
        if now_s - self._phase_s > limit_s or now_s - self._moved_s > STALLED_S:
            self._cut_off()
            return
        self._watch = self.loop.call_later(LOOK_EVERY_S, self._look)


class _Server(uvicorn.Server):
    """A server that leaves no connection open."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # What is cut off at the end is no bug, and no line in the log.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        deadline_s = asyncio.get_running_loop().time() + LAST_ANSWERS_S
        while self.server_state.tasks and asyncio.get_running_loop().time() < deadline_s:
            await asyncio.sleep(0.02)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # until each of them has heard of it
        await super().shutdown(sockets)


class WebServer:
    """Serves `make()` until told to stop; where that can't be, `trouble` says why and it is tried again."""

    def __init__(
        self,
        make: Callable[[], ASGIApp],
        address: str,
        port: int,
        *,
        again_after_s: float = AGAIN_AFTER_S,
    ) -> None:
        self._make = make
        self._address = address
        self._port = port
        self._again_after_s = again_after_s
        self._server: uvicorn.Server | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self.trouble: str | None = None
        """Why it can't be asked for now; None while it can."""
        self.port: int | None = None
        """Where it listens; None while it does not."""

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Have it end; returns at once."""
        self._stop.set()
        if self._server is not None:
            self._server.should_exit = True

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        app = self._make()
        while not self._stop.is_set():
            try:
                sockets = [self._listening()]
            except OSError as error:
                self._note(self._why_not(error))
            else:
                self._serve(app, sockets)
            self._stop.wait(self._again_after_s)

    def _serve(self, app: ASGIApp, sockets: list[socket.socket]) -> None:
        self.port = sockets[0].getsockname()[1]
        self._note(None)
        log.info("page served", extra={"address": self._address, "port": self.port})
        self._server = _Server(_settings(app))
        if self._stop.is_set():  # since it was looked at last, when there was no server to be told
            self._server.should_exit = True
        self._server.run(sockets=sockets)
        self.port = None
        if not self._stop.is_set():
            self._note("its server ended by itself; the log may say why")

    def _listening(self) -> socket.socket:
        """Return a listening socket. Raises `OSError`."""
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind((self._address, self._port))
            found.listen(BACKLOG)
        except BaseException:
            found.close()
            raise
        return found

    def _note(self, trouble: str | None) -> None:
        if trouble is not None and trouble != self.trouble:
            log.warning("page not served", extra={"reason": trouble})
        self.trouble = trouble

    def _why_not(self, error: OSError) -> str:
        where = f"[{self._address}]" if ":" in self._address else self._address
        place = f"{where}:{self._port}"
        if error.errno == errno.EADDRINUSE:
            return f"{place} is taken by another program (ss -ltnp shows which); end it, or change web.listen"
        if error.errno == errno.EADDRNOTAVAIL:
            return f"{place} is no address of this machine now; change web.listen, or wait for the network"
        text = visible(os.strerror(error.errno) if error.errno else str(error)).lower()
        return f"cannot listen on {place}: {text}; change web.listen"


def _settings(app: ASGIApp) -> uvicorn.Config:
    settings: dict[str, Any] = {
        "http": Guarded,
        "ws": "none",
        "lifespan": "off",
        "loop": "asyncio",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": 5,
        "timeout_graceful_shutdown": STOP_S,
        "h11_max_incomplete_event_size": LONGEST_HEAD_BYTES,
    }
    # What a hostile client sends is no line in the log; a bug of ours is.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return uvicorn.Config(app, **settings)
