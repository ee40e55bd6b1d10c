"""The HTTP client with normal servers: what it sends and returns, and which connections it keeps."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.asking import get, refused
from support.rawserver import Connection, always, answer, once, serving
from tallyd.adapters.http.client import HttpClient
from tallyd.contract.http import Http
from tallyd.core.errors import SourceError


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(user_agent="tallyd/1 (+https://tallyd.example)", timeout_s=10)
    _kept: Http = made  # the contract, checked by mypy
    yield made
    made.close()


def test_the_answer_comes_back_whole(client: HttpClient) -> None:
    with serving(always(answer(b'{"count": 3}', Content_Type="application/json", X_Unit="7"))) as server:
        reply = get(client, f"{server.url}/api/users")
    assert reply.status == 200
    assert reply.body == b'{"count": 3}'
    assert reply.headers["content-type"] == "application/json"
    assert reply.host == server.host
    assert 0 < reply.elapsed_s < 5


def test_parameters_headers_and_user_agent_are_sent_as_given(client: HttpClient) -> None:
    with serving(always(answer())) as server:
        get(
            client,
            f"{server.url}/a?b=1",
            params={"key": "ä &/"},
            headers={"X-Key": "s3cret", "accept": "text/html"},
        )
    lines = server.heads[0].decode().split("\r\n")
    assert lines[0] == "GET /a?b=1&key=%C3%A4+%26%2F HTTP/1.1"
    assert "User-Agent: tallyd/1 (+https://tallyd.example)" in lines
    assert "X-Key: s3cret" in lines
    assert "accept: text/html" in lines
    assert not any(line.lower().startswith("cookie") for line in lines)


ANSWERS = {
    "HTML with 200": (answer(b"<html>", Content_Type="text/html"), b"<html>"),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "another 2xx": (answer(b"x", status="203 Changed on the way"), b"x"),
    "no body": (answer(), b""),
    "no body, called gzip": (answer(Content_Encoding="gzip"), b""),
    "body that closing ends": (b"HTTP/1.0 200 OK\r\n\r\nuntil closed", b"until closed"),
    "Content-Length too small": (answer(b"hello", Content_Length="4"), b"hell"),
    "chunks": (
        answer(b"5\r\nhello\r\n3;x=y\r\n, w\r\n0\r\nTrailer: x\r\n\r\n", Transfer_Encoding="chunked"),
        b"hello, w",
    ),
    "gzip": (answer(gzip.compress(b"hello"), Content_Encoding="GZIP"), b"hello"),
    "two gzips": (answer(gzip.compress(b"hel") + gzip.compress(b"lo"), Content_Encoding="gzip"), b"hello"),
    "gzip in pieces": (answer(gzip.compress(b"0" * 300_000), Content_Encoding="gzip"), b"0" * 300_000),
}


@pytest.mark.parametrize(("raw", "body"), ANSWERS.values(), ids=ANSWERS)
def test_every_2xx_is_an_answer(client: HttpClient, raw: bytes, body: bytes) -> None:
    with serving(once(raw)) as server:
        assert get(client, server.url).body == body


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        pytest.param("", {}, id="empty"),
        pytest.param("app.divera247.com/s3cret", {}, id="no scheme"),
        pytest.param("ftp://host.example/s3cret", {}, id="another scheme"),
        pytest.param("httpx://host.example/s3cret", {}, id="nearly a scheme"),
        pytest.param("http:///s3cret", {}, id="no host"),
        pytest.param("http://host.example:port/s3cret", {}, id="port that is none"),
        pytest.param("http://host.example:99999/s3cret", {}, id="port too large"),
        pytest.param("http://[::1/s3cret", {}, id="half an IPv6 address"),
        pytest.param("http://*.example/s3cret", {}, id="wildcard"),
        pytest.param("http://host.example/", {"X-Key": "s3cret\r\nX: y"}, id="line break in a header"),
        pytest.param("http://host.example/", {"X-Key": "s3cret\n"}, id="line break behind a header"),
        pytest.param("http://host.example/", {"X-Key": "s3cret \u20ac"}, id="header outside Latin-1"),
        pytest.param("http://host.example/", {"X s3cret": "y"}, id="space in a header's name"),
        pytest.param("http://host.example/", {"": "s3cret"}, id="header without a name"),
    ],
)
def test_what_cannot_be_sent_is_a_failure_that_shows_nothing_of_it(
    client: HttpClient, url: str, headers: dict[str, str]
) -> None:
    with pytest.raises(SourceError) as caught:
        get(client, url, headers=headers)
    assert not caught.value.transient
    assert "s3cret" not in caught.value.text
    assert caught.value.__context__ is None


def test_parameters_that_cannot_be_sent_are_a_failure_too(client: HttpClient) -> None:
    with pytest.raises(SourceError, match="the address can't be read"):
        get(client, "http://host.example/", params={"key": "s3cret\ud800"})


def test_no_packing_is_asked_for_that_could_not_be_unpacked(client: HttpClient) -> None:
    with serving(always(answer())) as server:
        get(client, server.url, headers={"accept-encoding": "br, zstd"})
    lines = server.heads[0].decode().lower().split("\r\n")
    assert [line for line in lines if line.startswith("accept-encoding")] == ["accept-encoding: gzip"]


def test_connections_are_kept_and_used_again(client: HttpClient) -> None:
    with serving(always(answer(b"x"))) as server:
        for _ in range(5):
            get(client, server.url)
    assert server.connections == 1


def test_a_server_that_closed_an_idle_connection_is_asked_again_over_a_new_one(client: HttpClient) -> None:
    def one_answer_each(connection: Connection) -> None:
        if connection.request():
            connection.send(answer(b"x"))
            # Closes when the next request has come in: the client could not know when it sent it.
            connection.sock.recv(1)

    with serving(one_answer_each) as server:
        assert [get(client, server.url).body for _ in range(3)] == [b"x"] * 3
    assert server.connections == 3


def test_the_second_try_is_not_made_over_another_idle_connection(client: HttpClient) -> None:
    both_asked = threading.Barrier(2)

    def one_answer_each(connection: Connection) -> None:
        if connection.request():
            if connection.number <= 2:  # so that two connections are open, and then idle, at once
                both_asked.wait(timeout=5)
            connection.send(answer(b"x"))
            connection.sock.recv(1)

    with serving(one_answer_each) as server, ThreadPoolExecutor(2) as threads:
        assert [reply.body for reply in threads.map(get, [client] * 2, [server.url] * 2)] == [b"x"] * 2
        assert get(client, server.url).body == b"x"
    assert server.connections == 3


def test_a_server_that_resets_an_idle_connection_is_asked_again_over_a_new_one(client: HttpClient) -> None:
    def one_answer_each(connection: Connection) -> None:
        if connection.request():
            connection.send(answer(b"x"))
            connection.sock.recv(1)
            connection.reset()

    with serving(one_answer_each) as server:
        assert [get(client, server.url).body for _ in range(3)] == [b"x"] * 3


def test_a_server_that_closes_each_new_connection_is_asked_once(client: HttpClient) -> None:
    with serving(once(b"")) as server:
        failure = refused(client, server.url)
    assert failure.text == f"{server.host} closed the connection without an answer"
    assert server.connections == 1


def test_what_follows_a_too_short_body_is_not_taken_for_the_next_answer(client: HttpClient) -> None:
    with serving(always(answer(b"ab" + answer(b"smuggled"), Content_Length="2"))) as server:
        assert [get(client, server.url).body for _ in range(3)] == [b"ab"] * 3


def test_many_threads_each_get_their_own_answer(client: HttpClient) -> None:
    def echo(connection: Connection) -> None:
        while head := connection.request():
            connection.send(answer(head.split()[1]))

    paths = [f"/{n}" for n in range(300)]
    with serving(echo) as one, serving(echo) as two, ThreadPoolExecutor(16) as threads:
        urls = [f"{server.url}{path}" for path in paths for server in (one, two)]
        bodies = list(threads.map(lambda url: get(client, url).body.decode(), urls))
    assert bodies == [path for path in paths for _ in range(2)]
    assert one.connections <= 16


def test_cookies_are_not_sent_back(client: HttpClient) -> None:
    with serving(always(answer(b"x", Set_Cookie="id=1; Path=/"))) as server:
        get(client, server.url)
        get(client, server.url)
    assert b"Cookie" not in server.heads[1]


def test_no_proxy_and_no_password_come_from_the_environment(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with serving(always(answer(b"direct"))) as server:
        assert get(client, server.url).body == b"direct"
    assert b"Authorization" not in server.heads[0]


def test_every_text_goes_through_redact() -> None:
    client = HttpClient(
        user_agent="tallyd", timeout_s=10, redact=lambda text: text.replace("127.0.0.1", "***")
    )
    with serving(always(answer(status="503 X"))) as server:
        failure = refused(client, server.url)
    client.close()
    assert failure.text == f"***:{server.port} answered HTTP 503"


def test_a_thread_that_ends_leaves_the_connection_to_the_others(client: HttpClient) -> None:
    with serving(always(answer(b"x"))) as server:
        for _ in range(5):
            thread = threading.Thread(target=get, args=(client, server.url))
            thread.start()
            thread.join()
    assert server.connections == 1


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}], ids=["length", "chunks"])
def test_the_answer_to_head_ends_with_its_headers(client: HttpClient, headers: dict[str, str]) -> None:
    whole = answer(b"x" * 50, Last_Modified="Fri, 20 Nov 2026 14:00:00 GMT", **headers)
    with serving(always(whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")) as server:
        for _ in range(2):
            reply = get(client, server.url, method="HEAD")
            assert (reply.status, reply.body) == (200, b"")
            assert reply.headers["last-modified"] == "Fri, 20 Nov 2026 14:00:00 GMT"
    assert [head.split()[0] for head in server.heads] == [b"HEAD"] * 2
    assert server.connections == 1


def test_a_body_after_the_answer_to_head_is_not_the_next_answer(client: HttpClient) -> None:
    with serving(always(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))) as server:
        assert get(client, server.url, method="HEAD").body == b""
        assert get(client, server.url).body.startswith(b"HTTP/1.1 200 OK")
    assert server.connections == 2
