"""The page begins, changes, moves and ends while it is served, and nobody is left without one for long."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection

import pytest
import requests
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from support.daemon import LONGEST_S, wait_until
from support.processes import free_port, is_open
from tallyd.adapters.state import StateError
from tallyd.settings.secrets import Secret
from tallyd.settings.web import WebSettings
from tallyd.web.http.auth import Names, Passwords
from tallyd.web.http.gate import Gate
from tallyd.web.http.server import WebServer

OLD, NEW = "canary-web-5f1c", "canary-web-9a7e"


def make(web: WebSettings) -> ASGIApp:
    """Return what says where it believes to be, behind the door that the settings want."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(web.listen)(scope, receive, send)

    passwords = Passwords(web.password.reveal(), monotonic=time.monotonic) if web.password else None
    return Gate(app, names=Names(web.address, web.names), passwords=passwords)


def at(port: int, *, address: str = "127.0.0.1", password: str | None = None) -> WebSettings:
    return WebSettings(listen=f"{address}:{port}", password=Secret(password) if password else None)


@contextmanager
def serving(web: WebSettings, *, again_after_s: float = 60.0) -> Iterator[WebServer[WebSettings]]:
    """A server that is asked for; it is not tried again by itself unless that is said."""
    server = WebServer(make, again_after_s=again_after_s)
    server.want(web)
    try:
        wait_until(lambda: server.port is not None or server.trouble, what="the server")
        yield server
    finally:
        server.stop()
        assert server.wait(LONGEST_S)


def status(port: int, password: str | None = None, *, address: str = "127.0.0.1") -> int:
    auth = ("", password) if password else None
    return requests.get(f"http://{address}:{port}/", auth=auth, timeout=10).status_code


def test_it_moves_and_ends_at_the_old_place_with_its_connections() -> None:
    old, new = free_port(), free_port()
    with serving(at(old)) as server, closing(socket.create_connection(("127.0.0.1", old), 20)) as held:
        server.want(at(new))
        wait_until(lambda: server.port == new, what="the new place")
        assert status(new) == 200
        held.settimeout(LONGEST_S)
        with suppress(ConnectionResetError):
            assert held.recv(1) == b""
        wait_until(lambda: not is_open(old), what="the end of the old place")
        assert status(new) == 200


def test_who_asks_all_the_time_gets_an_answer_from_one_place_or_the_other() -> None:
    old, new = free_port(), free_port()
    with serving(at(old)) as server:
        server.want(at(new))
        until_s = time.monotonic() + LONGEST_S
        while not (is_open(new) and not is_open(old)):
            assert is_open(old) or is_open(new)
            assert time.monotonic() < until_s


def test_other_settings_hold_from_the_next_request_on_over_the_same_connection() -> None:
    port = free_port()
    with serving(at(port)) as server, closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", "/")
        before = connection.getresponse()
        assert (before.status, before.read().decode()) == (200, f"127.0.0.1:{port}")
        own = connection.sock.getsockname()
        server.want(at(port, password=NEW))
        wait_until(lambda: status(port) == 401, what="the password")
        connection.request("GET", "/", headers={"Authorization": "Basic Og=="})
        assert connection.getresponse().status == 401
        assert connection.sock is not None
        assert connection.sock.getsockname() == own
        assert status(port, NEW) == 200


def test_while_the_new_place_is_taken_the_old_page_goes_on_with_the_new_password() -> None:
    old = free_port()
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as taken,
        serving(at(old, password=OLD), again_after_s=0.2) as server,
    ):
        new = taken.getsockname()[1]
        server.want(at(new, password=NEW))
        wait_until(lambda: server.trouble is not None, what="the trouble")
        assert server.trouble == (
            f"127.0.0.1:{new} is in use by another program (ss -ltnp shows which); stop it, "
            f"or change web.listen. Until then it stays at http://127.0.0.1:{old}/"
        )
        assert (status(old, OLD), status(old, NEW)) == (401, 200)
        taken.close()
        wait_until(lambda: server.trouble is None and server.port == new, what="the new place")
        assert status(new, NEW) == 200


def test_a_page_for_a_network_keeps_its_password_until_it_has_left() -> None:
    old = free_port()
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as taken,
        serving(at(old, address="0.0.0.0", password=OLD)) as server,
    ):
        server.want(at(taken.getsockname()[1]))  # on loopback, so without a password
        wait_until(lambda: server.trouble is not None, what="the trouble")
        assert (status(old), status(old, OLD)) == (401, 200)


@pytest.mark.parametrize(("before", "after"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "0.0.0.0")])
def test_from_every_address_of_a_port_to_one_and_back(before: str, after: str) -> None:
    port = free_port()
    with serving(at(port, address=before, password=OLD)) as server:
        server.want(at(port, address=after, password=NEW))

        def place() -> str:
            try:
                return requests.get(f"http://127.0.0.1:{port}/", auth=("", NEW), timeout=9).text
            except requests.ConnectionError:  # it has left, and is not there yet
                return ""

        wait_until(lambda: place() == f"{after}:{port}", what="the new place")
        assert server.trouble is None


def test_back_where_it_came_from_at_once() -> None:
    one, other = free_port(), free_port()
    with serving(at(one)) as server:
        for port in (other, one, other, one):
            server.want(at(port))
            # mypy gives the default of a lambda no type
            wait_until(lambda port=port: server.port == port, what="the place")  # type: ignore[misc] # see above
            assert (server.trouble, status(port)) == (None, 200)


def test_given_up_before_the_new_place_was_free_it_stays_and_all_is_well() -> None:
    old = free_port()
    with closing(socket.create_server(("127.0.0.1", 0))) as taken, serving(at(old)) as server:
        server.want(at(taken.getsockname()[1]))
        wait_until(lambda: server.trouble is not None, what="the trouble")
        server.want(at(old))
        wait_until(lambda: server.trouble is None, what="the end of the trouble")
        assert (server.port, status(old)) == (old, 200)


def test_it_ends_and_begins_again_and_what_is_not_wanted_is_no_trouble() -> None:
    port = free_port()
    with serving(at(port)) as server:
        for _ in range(2):
            server.want(None)
            wait_until(lambda: not is_open(port), what="the end")
            assert (server.port, server.trouble) == (None, None)
            server.want(at(port))
            wait_until(lambda: is_open(port) and server.port == port, what="the page")
            assert status(port) == 200


def test_without_a_page_no_thread_is_begun_and_it_can_be_stopped() -> None:
    server = WebServer(make)
    server.want(None)
    server.stop()
    assert server.wait(0)
    server.want(None)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        pytest.param(StateError("state.db: disk I/O error"), "state.db: disk I/O error", id="state.db"),
        pytest.param(ZeroDivisionError(), "it crashed (ZeroDivisionError); see the log", id="a bug of ours"),
    ],
)
def test_what_fails_while_it_is_made_is_a_trouble_and_tried_again(error: Exception, trouble: str) -> None:
    failures = [error, error]

    def made(web: WebSettings) -> ASGIApp:
        if failures:
            raise failures.pop()
        return make(web)

    port = free_port()
    server = WebServer(made, again_after_s=0.3)
    server.want(at(port))
    wait_until(lambda: server.trouble is not None, what="the trouble")
    assert server.trouble == trouble
    wait_until(lambda: server.port == port and server.trouble is None, what="the page")
    server.stop()
    assert server.wait(LONGEST_S)


def logged(caplog: pytest.LogCaptureFixture) -> dict[str, str]:
    """Return what the log says of the page that is served."""

    def lines() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.getMessage() == "page served"]

    wait_until(lines, what="the line")
    return lines()[0].__dict__


@pytest.mark.parametrize(
    ("address", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("127.9.8.7", "127.9.8.7"), ("localhost", "127.0.0.1"), ("0.0.0.0", None)],
)
def test_the_address_that_is_logged_can_be_opened(
    address: str, shown: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tallyd")
    with serving(WebSettings(listen=f"{address}:0", password=Secret(OLD))) as server:
        url = logged(caplog)["url"]
        if shown:
            assert url == f"http://{shown}:{server.port}/"
        assert requests.get(url, auth=("", OLD), timeout=10).status_code == 200


def test_what_it_is_known_as_outside_is_logged_beside_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tallyd")
    with serving(WebSettings(listen="127.0.0.1:0", public_url="https://tallyd.example/")):
        assert logged(caplog)["public_url"] == "https://tallyd.example/"
