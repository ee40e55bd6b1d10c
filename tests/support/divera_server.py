"""A Divera API on loopback that counts its answers: no two of one client are alike.

Each client has an address of its own (`.../k17/api/users`), and its n-th answer lists n people. So a count
that turns up somewhere tells which answer it came from, and whether one was taken twice.

    with divera_server() as server:
        client = server.client("k17")
        ... {"kind": "divera", "url": client.url, ...} ...
        assert client.answers == [1, 2]
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATUS_ID = 50101


@dataclass
class Client:
    """One that asks. `requests` came in, `answers` went out (each the number of people it lists).

    `status` other than 200 is a refusal without people. While `gate` is cleared, requests wait.
    """

    url: str
    status: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    requests: int = 0
    answers: list[int] = field(default_factory=list)
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.gate.set()

    def wait_asked(self, times: int, *, timeout_s: float = 20.0) -> bool:
        """Wait until so many requests have come in; false when they did not in time."""
        with self._lock:
            return self._lock.wait_for(lambda: self.requests >= times, timeout_s)

    def answer(self) -> tuple[int, bytes]:
        """Count a request; return the HTTP status and the body of its answer once the gate is open."""
        with self._lock:
            self.requests += 1
            self._lock.notify_all()
        self.gate.wait()
        if self.status != 200:
            return self.status, b""
        with self._lock:
            number = len(self.answers) + 1
            self.answers.append(number)
        people = [{"user_cluster_relation_id": n, "status_id": STATUS_ID} for n in range(number)]
        return 200, json.dumps({"success": True, "data": people}).encode()


class DiveraServer(ThreadingHTTPServer):
    """The server; `client(name)` makes an address."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.clients: dict[str, Client] = {}

    def client(self, name: str) -> Client:
        """Return the client of that name, with an address of its own."""
        url = f"http://127.0.0.1:{self.server_port}/{name}/api/users"
        return self.clients.setdefault(name, Client(url))


class _Handler(BaseHTTPRequestHandler):
    server: DiveraServer

    def do_GET(self) -> None:
        client = self.server.clients[self.path.split("/")[1]]
        status, body = client.answer()
        head = f"HTTP/1.0 {status} {self.responses[status][0]}\r\nDate: {self.date_time_string()}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        # In one piece, so that it is always read with the same number of calls.
        with contextlib.suppress(OSError):  # who asked was killed meanwhile
            self.wfile.write(head.encode() + body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class names it so
        """Say nothing."""


@contextlib.contextmanager
def divera_server() -> Iterator[DiveraServer]:
    """Serve on a free port of 127.0.0.1 until the block is left."""
    with DiveraServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            for client in server.clients.values():
                client.gate.set()
            server.shutdown()
            thread.join()
