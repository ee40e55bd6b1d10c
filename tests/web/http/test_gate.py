"""What every request has to pass, and what every answer bears."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from starlette.responses import PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from support.webfolder import serving_app
from tallyd.web.http.auth import MOST_ADDRESSES, MOST_WAITING, Names, Passwords
from tallyd.web.http.gate import PIECE_BYTES, Gate

PASSWORD = "canary-web-5f1c"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer `hello`, or as many bytes as the path says."""
    path = scope["path"].strip("/")
    body = b"x" * int(path) if path.isdigit() else b"hello"
    await Response(body, media_type="text/plain")(scope, receive, send)


@contextmanager
def door(*, password: str | None = None, hosts: tuple[str, ...] = ()) -> Iterator[HTTPConnection]:
    passwords = Passwords(password, monotonic=time.monotonic) if password else None
    made = Gate(hello, names=Names("127.0.0.1", hosts), passwords=passwords)
    with serving_app(made) as url:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
        try:
            yield connection
        finally:
            connection.close()


def basic(password: str, user: str = "anybody") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


def asked(
    connection: HTTPConnection, path: str = "/", *, method: str = "GET", **headers: str
) -> tuple[int, str, dict[str, str]]:
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_it_can_only_be_read(method: str) -> None:
    with door() as connection:
        status, text, headers = asked(connection, method=method)
    assert (status, headers["allow"], headers["connection"]) == (405, "GET, HEAD", "close")
    assert text == "This page can only be read.\n"


def test_a_head_is_answered_without_a_body() -> None:
    with door() as connection:
        status, text, headers = asked(connection, method="HEAD")
    assert (status, text, headers["content-length"]) == (200, "", "5")


@pytest.mark.parametrize("headers", [{"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}])
def test_a_request_with_a_body_is_refused_and_its_connection_closed(headers: dict[str, str]) -> None:
    with door() as connection:
        status, _, answered = asked(connection, **headers)
    assert (status, answered["connection"]) == (400, "close")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("127.0.0.1:8710", 200, id="the address"),
        pytest.param("LocalHost", 200, id="localhost"),
        pytest.param("[::1]:8710", 200, id="localhost of IPv6"),
        pytest.param("tallyd.example:80", 200, id="a name of the config"),
        pytest.param("evil.example", 421, id="another name"),
        pytest.param("127.0.0.1.evil.example", 421, id="a name that begins with the address"),
        pytest.param("192.0.2.7", 421, id="another address"),
        pytest.param("", 421, id="none"),
        pytest.param("tallyd.example@evil.example", 421, id="with a user"),
        pytest.param("tallyd.example:80@evil.example", 421, id="with a user and a password"),
        pytest.param("tallyd.example:80/evil", 421, id="with a path"),
        pytest.param("tallyd.example:port", 421, id="with a port that is no number"),
        pytest.param("[::1", 421, id="with half a bracket"),
        pytest.param("[::1]evil.example", 421, id="with a name behind the address"),
    ],
)
def test_it_is_asked_for_by_its_address_localhost_and_the_names_of_the_config(host: str, status: int) -> None:
    with door(hosts=("tallyd.example",)) as connection:
        found, text, _ = asked(connection, Host=host)
    assert found == status
    assert status == 200 or "add the name to web.hosts" in text


def test_where_it_listens_everywhere_any_address_is_one_and_no_other_name() -> None:
    names = Names("0.0.0.0", ("tallyd.example",))
    assert [names.may(host) for host in ("192.0.2.7:8710", "[2001:db8::1]", "evil.example")] == [
        True,
        True,
        False,
    ]


def test_health_is_open_under_any_name_and_without_a_password() -> None:
    with door(password=PASSWORD) as connection:
        assert asked(connection, "/healthz", Host="probe.example")[0] == 200
        assert asked(connection, "/healthz/x", Host="probe.example")[0] == 421
        assert asked(connection, "/healthz/../", Host="127.0.0.1")[0] == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 401, id="none"),
        pytest.param(basic(PASSWORD), 200, id="right"),
        pytest.param(basic(PASSWORD, user=""), 200, id="right, without a user"),
        pytest.param(basic(PASSWORD + "x"), 401, id="longer"),
        pytest.param(basic(""), 401, id="empty"),
        pytest.param({"Authorization": "Basic !!!"}, 401, id="no base64"),
        pytest.param({"Authorization": "Basic /w=="}, 401, id="no UTF-8"),
        pytest.param({"Authorization": "Bearer " + PASSWORD}, 401, id="another scheme"),
    ],
)
def test_the_password_is_asked_for(headers: dict[str, str], status: int) -> None:
    with door(password=PASSWORD) as connection:
        found, text, answered = asked(connection, **headers)
    assert found == status
    assert status == 200 or answered["www-authenticate"].startswith('Basic realm="tallyd"')
    assert PASSWORD not in text


def test_each_wrong_password_of_an_address_is_answered_later_and_others_are_not() -> None:
    passwords = Passwords(PASSWORD, monotonic=lambda: 0.0)
    delays = []
    for _ in range(8):
        assert passwords.check("192.0.2.7", basic("wrong")["Authorization"]) == "wrong"
        delays.append(passwords.delay_s("192.0.2.7"))
    assert delays == [0.5, 1, 2, 4, 8, 8, 8, 8]
    assert passwords.delay_s("192.0.2.8") == 0.25
    assert passwords.check("192.0.2.7", basic(PASSWORD)["Authorization"]) == "right"
    assert passwords.delay_s("192.0.2.7") == 0.25


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_no_header_makes_another_client_of_who_guesses(header: str) -> None:
    with door(password=PASSWORD) as connection:
        for number, seconds in enumerate((0.5, 1.0)):
            claimed = f"for=192.0.2.{number}" if header == "Forwarded" else f"192.0.2.{number}"
            began_s = time.monotonic()
            assert asked(connection, **basic("wrong"), **{header: claimed})[0] == 401
            assert time.monotonic() - began_s >= seconds


@pytest.mark.parametrize("header", ["X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host"])
def test_no_other_header_is_believed_for_the_name(header: str) -> None:
    with door(hosts=("tallyd.example",)) as connection:
        assert asked(connection, Host="evil.example", **{header: "tallyd.example"})[0] == 421
        assert asked(connection, Host="tallyd.example", **{header: "evil.example"})[0] == 200


def test_an_address_that_tries_many_at_once_is_not_even_looked_at() -> None:
    passwords = Passwords(PASSWORD, monotonic=lambda: 0.0)
    for _ in range(MOST_WAITING):
        passwords.begin_waiting("192.0.2.7")
    assert passwords.check("192.0.2.7", basic(PASSWORD)["Authorization"]) == "busy"
    assert passwords.check("192.0.2.8", basic(PASSWORD)["Authorization"]) == "right"
    passwords.end_waiting("192.0.2.7")
    assert passwords.check("192.0.2.7", basic(PASSWORD)["Authorization"]) == "right"


def test_a_network_of_ipv6_is_one_address_since_one_machine_has_all_of_it() -> None:
    passwords = Passwords(PASSWORD, monotonic=lambda: 0.0)
    for host in range(1, 4):
        passwords.check(f"2001:db8:0:7::{host}", basic("wrong")["Authorization"])
        passwords.check(f"::ffff:192.0.2.{host}", basic("wrong")["Authorization"])
    assert passwords.delay_s("2001:db8:0:7:a:b:c:d") == 2
    assert passwords.delay_s("2001:db8:0:8::1") == 0.25
    assert passwords.delay_s("::ffff:192.0.2.1") == 0.5


def test_of_very_many_addresses_the_oldest_are_forgotten() -> None:
    passwords = Passwords(PASSWORD, monotonic=lambda: 0.0)
    for number in range(MOST_ADDRESSES + 1):
        passwords.check(str(number), basic("wrong")["Authorization"])
    assert (passwords.delay_s("0"), passwords.delay_s(str(MOST_ADDRESSES))) == (0.25, 0.5)


def test_a_wrong_password_is_answered_late_while_others_are_served() -> None:
    async def story() -> list[int]:
        passwords = Passwords(PASSWORD, monotonic=lambda: 0.0)
        made = Gate(hello, names=Names("127.0.0.1", ()), passwords=passwords)
        began_s = time.monotonic()
        wrong = asyncio.create_task(status_of(made, "192.0.2.7", basic("wrong")))
        while passwords.delay_s("192.0.2.7") < 0.5:
            await asyncio.sleep(0)
        right = await status_of(made, "192.0.2.8", basic(PASSWORD))
        assert not wrong.done()
        found = [right, await wrong]
        assert time.monotonic() - began_s >= 0.5
        return found

    assert asyncio.run(story()) == [200, 401]


async def status_of(app: Gate, client: str, headers: dict[str, str]) -> int:
    found: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    pairs = [(b"host", b"localhost")] + [(k.lower().encode(), v.encode()) for k, v in headers.items()]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": pairs,
        "client": (client, 1),
        "query_string": b"",
    }
    await app(scope, receive, send)
    return found[0]


def test_every_answer_forbids_what_a_page_must_not_do() -> None:
    with door() as connection:
        answers = [asked(connection)[2], asked(connection, Host="evil.example")[2]]
    for headers in answers:
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert (headers["x-frame-options"], headers["cache-control"]) == ("DENY", "no-store")
        assert "set-cookie" not in headers
        assert "server" not in headers


@pytest.mark.parametrize("size", [1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_a_large_answer_arrives_whole(size: int) -> None:
    with door() as connection:
        status, text, headers = asked(connection, f"/{size}")
    assert (status, len(text), headers["content-length"]) == (200, size, str(size))


def test_headers_that_an_answer_has_already_are_left_alone() -> None:
    async def kept(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse(json.dumps({}), headers={"cache-control": "max-age=9"})(scope, receive, send)

    made = Gate(kept, names=Names("127.0.0.1", ()), passwords=None)
    with serving_app(made) as url:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
        assert asked(connection)[2]["cache-control"] == "max-age=9"
        connection.close()
