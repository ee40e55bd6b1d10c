"""One HTTP server on loopback with a table of routes: what every part of the small world is served by."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from tallyd.core.reading import Json

JSON_TYPE = "application/json; charset=UTF-8"
HOST = "127.0.0.1"
_MOST_BODY_BYTES = 1_000_000
_IDLE_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a route is handed. Of a query parameter that stands twice, the last one counts, as in PHP."""

    query: Mapping[str, str]
    body: bytes = b""
    path: str = ""


@dataclass(frozen=True)
class Answer:
    """What a route answers with."""

    body: bytes
    status: int = 200
    content_type: str = JSON_TYPE


Route: TypeAlias = Callable[[Request], "Answer | None"]
"""Answers a request; None: the connection is closed without a word. May take its time."""

Routes: TypeAlias = Mapping[tuple[str, str], Route]
"""By method and path: `("GET", "/api/users")`. A path that ends in `/` answers for all that is below it."""


class Part(Protocol):
    """One thing of the outside world, such as the Divera API."""

    def routes(self) -> Routes:
        """Return its addresses; no two parts share one."""
        ...

    def about(self, base_url: str) -> tuple[str, ...]:
        """Return lines for a person: what it is, and what can be asked of it. To be asked while it runs."""
        ...

    def running(self) -> AbstractContextManager[object]:
        """Do what it does by itself until the block is left; most parts only answer. Raises OSError."""
        return nullcontext()


def json_answer(content: Json, status: int = 200) -> Answer:
    """Return an answer of JSON."""
    return Answer(json.dumps(content, ensure_ascii=False).encode(), status)


def asked_mode(request: Request, modes: tuple[str, ...]) -> str | None:
    """Return the mode that `{"mode": "down"}` asks to play; None where it is none of them."""
    try:
        asked = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    mode = asked.get("mode") if isinstance(asked, dict) else None
    return mode if mode in modes else None


def modes_answer(mode: str | None, modes: tuple[str, ...]) -> Answer:
    """Return which mode is played and which ones there are; None: what was asked for is none of them."""
    if mode is None:
        return json_answer({"error": 'send {"mode": MODE}', "modes": list(modes)}, 400)
    return json_answer({"mode": mode, "modes": list(modes)})


@contextmanager
def serving(routes: Routes, *, port: int = 0) -> Iterator[str]:
    """Serve on loopback until the block is left; yields the base URL. 0: any free port. Raises OSError."""
    with _Server((HOST, port), routes) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    """A thread for each connection; none of them outlives the process or is waited for."""

    def __init__(self, address: tuple[str, int], routes: Routes) -> None:
        super().__init__(address, _Handler)
        self.routes = routes

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print the traceback of a bug. That a client hung up in the middle is none."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept open between requests."""

    protocol_version = "HTTP/1.1"
    server_version = "small-world"
    sys_version = ""
    timeout = _IDLE_S
    disable_nagle_algorithm = True  # head and body are two writes; together with delayed ACKs that is 40 ms
    server: _Server

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # named as in http.server
        """Say nothing: the access log would hold keys, and the daemon says what it asked."""

    def _respond(self) -> None:
        body = self._body()
        if body is None:
            self.close_connection = True
            self._send(json_answer({"error": "a body needs a Content-Length, of 1 MB at most"}, 411))
            return
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        answer = self._route(parts.path)(Request(query=query, body=body, path=parts.path))
        if answer is None:
            self.close_connection = True
        else:
            self._send(answer)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdigit():
            return None
        return self.rfile.read(int(length)) if int(length) <= _MOST_BODY_BYTES else None

    def _route(self, path: str) -> Route:
        routes = self.server.routes
        place = _place(path, {its_path for _, its_path in routes})
        if place is None:
            return lambda _request: json_answer({"error": f"nothing is at {path}"}, 404)
        known = sorted(method for method, its_path in routes if its_path == place)
        refusal = json_answer({"error": f"only {' and '.join(known)} can be used here"}, 405)
        return routes.get((self.command, place), lambda _request: refusal)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)


def _place(path: str, known: set[str]) -> str | None:
    """Return which of the known paths answers for this one."""
    if path in known:
        return path
    return next((each for each in known if each.endswith("/") and path.startswith(each)), None)
