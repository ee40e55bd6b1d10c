"""POST with real servers: what the client sends, that it sends it once, and how it handles answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from support.asking import get, post
from support.rawserver import BROKEN, SLOW, UNWANTED, Connection, Script, always, answer, serving, unreachable
from tallyd.adapters.http.client import HttpClient
from tallyd.contract.http import Http
from tallyd.core.errors import SourceError, Stopped

BODY = '[{"SSID": "SS-007", "TagValue": "ä"}]'.encode()


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(user_agent="tallyd/1", timeout_s=10, max_bytes=1024 * 1024)
    _kept: Http = made  # the contract, checked by mypy
    yield made
    made.close()


@dataclass
class Upstream:
    """A script that reads whole requests, bodies included, and then does what a test wants."""

    then: Script
    bodies: list[bytes] = field(default_factory=list)

    def __call__(self, connection: Connection) -> None:
        while head := connection.request():
            lines = head.decode("latin-1").lower().split("\r\n")
            (size,) = [int(line.split(":")[1]) for line in lines if line.startswith("content-length:")]
            body = b""
            while len(body) < size:
                body += connection.sock.recv(size - len(body))
            self.bodies.append(body)
            self.then(connection)


def sending(data: bytes) -> Script:
    """Return what sends these bytes."""
    return lambda connection: connection.send(data)


def refused(client: HttpClient, url: str, *, timeout_s: float | None = None) -> SourceError:
    with pytest.raises(SourceError) as caught:
        post(client, url, BODY, timeout_s=timeout_s)
    assert caught.value.__context__ is None
    return caught.value


def test_the_body_is_sent_as_it_is_and_the_answer_comes_back(client: HttpClient) -> None:
    upstream = Upstream(sending(answer(b'{"Desc": "OK"}')))
    with serving(upstream) as server:
        reply = post(client, f"{server.url}/report?x=1", BODY, headers={"Content-Type": "application/json"})
    assert upstream.bodies == [BODY]
    assert (reply.status, reply.body, reply.host) == (200, b'{"Desc": "OK"}', server.host)
    lines = server.heads[0].decode().split("\r\n")
    assert lines[0] == "POST /report?x=1 HTTP/1.1"
    assert "Content-Type: application/json" in lines
    assert "User-Agent: tallyd/1" in lines


def test_an_empty_body_is_sent_with_its_length(client: HttpClient) -> None:
    upstream = Upstream(sending(answer()))
    with serving(upstream) as server:
        post(client, server.url, b"")
    assert upstream.bodies == [b""]


def test_each_post_has_its_own_connection_which_is_closed(client: HttpClient) -> None:
    upstream = Upstream(sending(answer()))
    with serving(upstream) as server:
        for _ in range(3):
            post(client, server.url, BODY, headers={"Connection": "keep-alive"})
    assert server.connections == 3
    assert all(b"Connection: close" in head for head in server.heads)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Moved", "308 Moved"])
def test_a_redirect_is_not_followed(client: HttpClient, status: str) -> None:
    upstream = Upstream(sending(answer(status=status, Location="/s3cret")))
    with serving(upstream) as server:
        failure = refused(client, server.url)
    assert upstream.bodies == [BODY]
    assert failure.text == (
        f"{server.host} redirects (HTTP {status[:3]}), which is not followed with a report; "
        "set the new address"
    )
    assert (failure.transient, failure.status) == (False, int(status[:3]))


REFUSALS = {
    "403": (answer(status="403 No"), False, None, ": access refused (HTTP 403)"),
    "400": (answer(status="400 Bad"), False, None, " answered HTTP 400"),
    "429 says when": (answer(status="429 Slow", Retry_After="120"), True, 120.0, " answered HTTP 429"),
    "503": (answer(status="503 Down"), True, None, " answered HTTP 503"),
    "redirect to nowhere": (answer(status="302 Found"), False, None, " answered HTTP 302"),
    "a part": (
        answer(b'{"Desc": "OK"}', status="206 Partial Content"),
        True,
        None,
        " sent only a part of its answer (HTTP 206)",
    ),
}


@pytest.mark.parametrize(("raw", "transient", "retry_after_s", "text"), REFUSALS.values(), ids=REFUSALS)
def test_a_status_that_is_not_2xx_is_a_failure(
    client: HttpClient, raw: bytes, transient: bool, retry_after_s: float | None, text: str
) -> None:
    with serving(Upstream(sending(raw))) as server:
        failure = refused(client, server.url)
    assert (failure.text, failure.transient) == (server.host + text, transient)
    assert failure.retry_after_s == retry_after_s


def test_nothing_is_sent_again_when_the_server_hangs_up_with_the_body_in_its_hands(
    client: HttpClient,
) -> None:
    upstream = Upstream(Connection.reset)
    with serving(upstream) as server:
        failure = refused(client, server.url)
        assert failure.transient
    assert upstream.bodies == [BODY]
    assert server.connections == 1


def test_a_post_never_uses_a_connection_that_a_get_has_left(client: HttpClient) -> None:
    def one_answer(connection: Connection) -> None:
        if connection.request():
            connection.send(answer(b"x"))
            connection.sock.recv(1)
            connection.reset()

    with serving(one_answer) as server:
        get(client, server.url)
        assert post(client, server.url, BODY).body == b"x"
    assert server.connections == 2


@pytest.mark.parametrize("name", [*BROKEN, *UNWANTED])
def test_a_broken_answer_is_a_failure_of_a_post_too(client: HttpClient, name: str) -> None:
    with serving((BROKEN | UNWANTED)[name]) as server:
        failure = refused(client, server.url)
        assert failure.text.startswith(server.host)


@pytest.mark.parametrize("name", SLOW)
def test_what_is_never_over_is_over_in_time(client: HttpClient, name: str) -> None:
    with serving(SLOW[name]) as server:
        failure = refused(client, server.url, timeout_s=0.3)
    assert failure.text == f"{server.host} timed out after 0.3 s"
    assert failure.transient


def test_a_server_that_never_reads_is_over_in_time(client: HttpClient) -> None:
    with serving(Connection.hang) as server:
        with pytest.raises(SourceError) as caught:
            post(client, server.url, b"x" * 30_000_000, timeout_s=0.3)
        assert caught.value.text == f"{server.host} timed out after 0.3 s"


def test_a_server_that_accepts_no_connection_times_out(client: HttpClient) -> None:
    with unreachable() as url:
        assert "timed out" in refused(client, url, timeout_s=0.3).text


def test_a_shutdown_ends_it_at_once(client: HttpClient) -> None:
    def abort(_connection: Connection) -> None:
        client.abort()

    with serving(Upstream(abort)) as server, pytest.raises(Stopped):
        post(client, server.url, BODY)
    with pytest.raises(Stopped):
        post(client, server.url, BODY)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        pytest.param("ftp://host.example/s3cret", {}, id="another scheme"),
        pytest.param("http://host.example:port/s3cret", {}, id="port that is none"),
        pytest.param("http://host.example/", {"X-Key": "s3cret\r\nX: y"}, id="line break in a header"),
    ],
)
def test_what_cannot_be_sent_is_a_failure_that_shows_nothing_of_it(
    client: HttpClient, url: str, headers: dict[str, str]
) -> None:
    with pytest.raises(SourceError) as caught:
        post(client, url, BODY, headers=headers)
    assert not caught.value.transient
    assert "s3cret" not in caught.value.text
    assert caught.value.__context__ is None


def test_every_text_goes_through_redact() -> None:
    client = HttpClient(user_agent="x", timeout_s=10, redact=lambda text: text.replace("127.0.0.1", "***"))
    with serving(always(answer(status="503 X"))) as server:
        failure = refused(client, server.url)
    client.close()
    assert failure.text == f"***:{server.port} answered HTTP 503"


def test_many_threads_each_post_their_own(client: HttpClient) -> None:
    upstream = Upstream(sending(answer()))
    with serving(upstream) as server:
        bodies = [str(number).encode() for number in range(40)]
        threads = [threading.Thread(target=post, args=(client, server.url, body)) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(upstream.bodies) == sorted(bodies)
