"""Whoever asks costs the pollers nothing: slow, hostile and vanished clients, and a port that is taken."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from support.daemon import LONGEST_S, wait_until
from tallyd.settings.secrets import Secret
from tallyd.settings.web import WebSettings
from tallyd.web.http import connection
from tallyd.web.http.auth import Names
from tallyd.web.http.connection import MOST_CONNECTIONS
from tallyd.web.http.gate import Gate
from tallyd.web.http.server import LONGEST_HEAD_BYTES, WebServer, listen

LARGE = 30_000_000


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    body = b"x" * LARGE if scope["path"] == "/large" else b"hello"
    await Response(body)(scope, receive, send)


@contextmanager
def running(*, port: int = 0, again_after_s: float = 0.2) -> Iterator[WebServer[WebSettings]]:
    made = Gate(app, names=Names("127.0.0.1", ()), passwords=None)
    server: WebServer[WebSettings] = WebServer(lambda _web: made, again_after_s=again_after_s)
    server.want(WebSettings(listen=f"127.0.0.1:{port}"))
    try:
        yield server
    finally:
        server.stop()
        assert server.wait(LONGEST_S)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can wait for."""
    monkeypatch.setattr(connection, "HEAD_S", 0.5)
    monkeypatch.setattr(connection, "STALLED_S", 0.5)
    monkeypatch.setattr(connection, "LOOK_EVERY_S", 0.1)


def connected(server: WebServer[WebSettings]) -> socket.socket:
    wait_until(lambda: server.port is not None, what="the server")
    found = socket.create_connection(("127.0.0.1", server.port or 0), timeout=20)
    found.settimeout(20)
    return found


def said(server: WebServer[WebSettings], sent: bytes) -> bytes:
    """Return all that comes back for some bytes, until the server closes."""
    with closing(connected(server)) as client:
        client.sendall(sent)
        return rest_of(client)


def rest_of(client: socket.socket) -> bytes:
    found = b""
    try:
        while piece := client.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def is_open_at(server: WebServer[WebSettings], client: socket.socket) -> bool:
    """Whether the server holds its end of a connection open. A client that reads nothing cannot see that."""
    ends = [f"0100007F:{port:04X}" for port in (server.port, client.getsockname()[1])]
    rows = map(str.split, Path("/proc/net/tcp").read_text().splitlines())
    return any(row[1:4] == [*ends, "01"] for row in rows)


def sent_until_closed(client: socket.socket, piece: bytes, *, pause_s: float) -> int:
    """Send a piece again and again; return how many were taken, 1000 at most."""
    for number in range(1000):
        try:
            client.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            return number
        time.sleep(pause_s)
    return 1000


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def test_it_answers_and_says_where_it_listens() -> None:
    with running() as server:
        assert said(server, GET).endswith(b"\r\n\r\nhello")
        assert server.trouble is None


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)), id="TLS"),
        pytest.param(b"\x00" * 5000 + b"\r\n\r\n", id="zeros"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", id="two hosts"),
        pytest.param(b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n", id="a zero in the path"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="a version that is none"),
        pytest.param(b"GET /" + b"x" * LONGEST_HEAD_BYTES * 2, id="a head without end"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, id="headers without end"),
    ],
)
def test_garbage_is_refused_and_the_next_one_is_served(sent: bytes) -> None:
    with running() as server:
        assert not said(server, sent).startswith(b"HTTP/1.1 200")
        assert said(server, GET).startswith(b"HTTP/1.1 200")


def test_a_body_that_is_sent_all_the_same_ends_with_the_connection() -> None:
    head = b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n"
    with running() as server, closing(connected(server)) as client:
        client.sendall(head)
        assert sent_until_closed(client, b"x" * 100_000, pause_s=0.0) < 1000


def test_no_websocket_is_opened() -> None:
    upgrade = GET.replace(b"close", b"upgrade\r\nUpgrade: websocket")
    with running() as server, closing(connected(server)) as client:
        client.sendall(upgrade)
        assert client.recv(15).startswith(b"HTTP/1.1 200")


@pytest.mark.usefixtures("quick")
def test_a_client_that_asks_nothing_or_drips_is_cut_off() -> None:
    with running() as server, closing(connected(server)) as idle, closing(connected(server)) as dripping:
        assert sent_until_closed(dripping, b"G", pause_s=0.02) < 1000
        assert rest_of(idle) == b""


@pytest.mark.usefixtures("quick")
def test_a_client_that_never_reads_a_large_answer_is_cut_off() -> None:
    with running() as server, closing(connected(server)) as client:
        client.sendall(GET.replace(b"/ ", b"/large "))
        wait_until(lambda: not is_open_at(server, client), what="the end of the connection")
        assert len(rest_of(client)) < LARGE / 2


@pytest.mark.usefixtures("quick")
def test_a_client_that_reads_slowly_gets_all_of_it() -> None:
    with running() as server, closing(connected(server)) as client:
        client.sendall(GET.replace(b"/ ", b"/large "))
        found = 0
        while piece := client.recv(1_000_000):
            found += len(piece)
            time.sleep(0.02)
        assert found > LARGE


@pytest.mark.usefixtures("quick")
def test_of_200_connections_those_that_are_too_many_are_closed_and_once_they_go_it_serves_again() -> None:
    with running() as server, ExitStack() as stack:
        held = [stack.enter_context(closing(connected(server))) for _ in range(200)]
        assert [client for client in held if rest_of(client)] == []
        assert said(server, GET).startswith(b"HTTP/1.1 200")
        assert MOST_CONNECTIONS < 200


def test_who_asks_is_served_at_once_while_200_others_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "GRACE_S", 0.0)
    with running() as server, ExitStack() as stack:
        reading = stack.enter_context(closing(connected(server)))
        reading.sendall(GET.replace(b"/ ", b"/large ", 1))
        begin = reading.recv(1)
        held = [stack.enter_context(closing(connected(server))) for _ in range(200)]
        for _ in range(3):
            assert said(server, GET).startswith(b"HTTP/1.1 200")
        assert rest_of(held[0]) == b""  # it has been silent for longest
        held[-1].sendall(GET)
        assert rest_of(held[-1]).startswith(b"HTTP/1.1 200")
        assert len(begin + rest_of(reading)) > LARGE  # who is being answered is not cut off


def test_an_onrush_pushes_out_nobody_who_is_about_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "GRACE_S", 60.0)
    with running() as server, ExitStack() as stack:
        asking = stack.enter_context(closing(connected(server)))
        for _ in range(200):
            stack.enter_context(closing(connected(server)))
        asking.sendall(GET)
        assert rest_of(asking).startswith(b"HTTP/1.1 200")
        assert said(server, GET).startswith(b"HTTP/1.1 200")


def test_no_body_waits_until_the_client_acknowledges_the_head() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_named_and_tried_again() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with running(port=port) as server:
            wait_until(lambda: server.trouble is not None, what="the trouble")
            assert server.trouble == (
                f"127.0.0.1:{port} is in use by another program (ss -ltnp shows which); stop it, "
                "or change web.listen"
            )
            taken.close()
            wait_until(lambda: server.trouble is None and server.port == port, what="the port")
            assert said(server, GET).startswith(b"HTTP/1.1 200")


def test_an_address_of_another_machine_is_named() -> None:
    server: WebServer[WebSettings] = WebServer(lambda _web: app)
    server.want(WebSettings(listen="192.0.2.7:8710", password=Secret("canary-web-5f1c")))
    wait_until(lambda: server.trouble is not None, what="the trouble")
    server.stop()
    assert server.wait(LONGEST_S)
    assert server.trouble is not None
    assert server.trouble.startswith("192.0.2.7:8710 is no address of this machine now")


def test_it_stops_at_once_even_while_somebody_reads_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED_S", 3600.0)
    with running() as server, closing(connected(server)) as client:
        client.sendall(GET.replace(b"/ ", b"/large "))
        client.recv(10)
        server.stop()
        assert server.wait(LONGEST_S)
