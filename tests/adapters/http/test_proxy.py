"""The HTTP client with a proxy: what the proxy sees, and the messages when it fails."""

from __future__ import annotations

import base64
import contextlib
import functools
import gc
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from support.asking import get, refused
from support.rawserver import SLOW, RawServer, always, answer, once, serving, tunnel
from tallyd.adapters.http.client import HttpClient
from tallyd.core.errors import SourceError


def test_the_configured_proxy_is_asked_for_other_hosts_and_not_for_this_machine() -> None:
    with ExitStack() as stack:
        proxy = stack.enter_context(serving(always(answer(b"by proxy"))))
        server = stack.enter_context(serving(always(answer(b"direct"))))
        client = HttpClient(user_agent="tallyd", timeout_s=10, proxy=proxy.url)
        stack.callback(client.close)
        assert get(client, "http://host.example/a", params={"b": "c"}).body == b"by proxy"
        assert get(client, server.url).body == b"direct"
    assert proxy.heads[0].startswith(b"GET http://host.example/a?b=c HTTP/1.1\r\n")
    assert len(proxy.heads) == 1


def test_a_proxy_gets_the_password_as_it_is_however_it_was_escaped() -> None:
    with serving(always(answer(b"by proxy"))) as proxy:
        url = f"http://us%40er:p%40ss%2Fw%3A%23@{proxy.host}"
        with contextlib.closing(HttpClient(user_agent="tallyd", timeout_s=10, proxy=url)) as client:
            get(client, "http://host.example/a")
    login = base64.b64encode(b"us@er:p@ss/w:#")
    assert b"\r\nProxy-Authorization: Basic " + login + b"\r\n" in proxy.heads[0]


CLOSED_WAYS = {
    "refused": (
        answer(status="407 Proxy Authentication Required"),
        "the proxy on the way to host.example refused (HTTP 407)",
        False,
    ),
    "host away": (
        answer(status="502 Bad Gateway"),
        "the proxy on the way to host.example refused (HTTP 502)",
        True,
    ),
    "closed": (b"", "the proxy on the way to host.example closed the connection without an answer", True),
    "no HTTP": (
        b"SSH-2.0-OpenSSH_9.6\r\n",
        "the proxy on the way to host.example answered with something that is not HTTP",
        True,
    ),
}


@pytest.mark.parametrize(("raw", "text", "transient"), CLOSED_WAYS.values(), ids=CLOSED_WAYS)
def test_a_proxy_that_does_not_open_the_way_is_named_as_such(raw: bytes, text: str, transient: bool) -> None:
    with serving(once(raw)) as proxy:
        client = HttpClient(user_agent="tallyd", timeout_s=10, proxy=proxy.url)
        failure = refused(client, "https://host.example/")
        client.close()
    assert failure.text == text
    assert failure.transient is transient


def test_a_proxy_that_is_away_is_named_as_such() -> None:
    with serving(once(b"")) as gone:
        client = HttpClient(user_agent="tallyd", timeout_s=10, proxy=gone.url)
    failure = refused(client, "http://host.example/")
    client.close()
    assert failure.text == "the proxy on the way to host.example: connection refused"
    assert failure.transient


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_a_proxy_that_does_not_speak_tls_is_named_as_such_and_left() -> None:
    with serving(lambda connection: connection.send(b"220 mail.example\r\n")) as proxy:
        client = HttpClient(user_agent="tallyd", timeout_s=10, proxy=proxy.url.replace("http:", "https:"))
        failure = refused(client, "http://host.example/")
        gc.collect()  # a socket that is not closed warns when it goes
        client.close()
    assert failure.text.startswith("the proxy on the way to host.example does not speak TLS")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certified(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("host.example").configure_cert(context)
    return context


@pytest.fixture
def by_proxy(authority: trustme.CA, tmp_path: Path) -> Iterator[tuple[HttpClient, RawServer]]:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    with serving(tunnel) as proxy:
        client = HttpClient(user_agent="tallyd", timeout_s=10, ca_file=ca_file, proxy=proxy.url)
        yield client, proxy
        client.close()


def test_a_proxy_sees_of_tls_only_the_host(
    by_proxy: tuple[HttpClient, RawServer], certified: ssl.SSLContext
) -> None:
    client, proxy = by_proxy
    with serving(always(answer(b"x")), tls=certified) as server:
        for _ in range(2):
            reply = get(client, f"https://host.example:{server.port}/path", params={"k": "s3cret"})
            assert reply.body == b"x"
            assert reply.host == f"host.example:{server.port}"
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(f"CONNECT host.example:{server.port} HTTP/1.".encode())
    assert b"s3cret" not in proxy.heads[0]
    assert b"tallyd" not in proxy.heads[0]


def test_a_proxy_may_be_reached_over_tls_and_carry_tls(
    authority: trustme.CA, certified: ssl.SSLContext, tmp_path: Path
) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(own)
    with serving(tunnel, tls=own) as proxy, serving(always(answer(b"x" * 100_000)), tls=certified) as server:
        client = HttpClient(user_agent="tallyd", timeout_s=10, ca_file=ca_file, proxy=proxy.url)
        for _ in range(2):
            assert len(get(client, f"https://host.example:{server.port}/").body) == 100_000
        client.close()
    assert len(proxy.heads) == 1


@pytest.mark.parametrize("by_tls", [False, True], ids=["plain proxy", "TLS proxy"])
@pytest.mark.parametrize("headers", [b"", b"Content-Length: 0\r\n"], ids=["no length", "a length"])
def test_a_proxy_that_sends_more_than_its_answer_to_connect_is_refused(
    authority: trustme.CA, certified: ssl.SSLContext, tmp_path: Path, by_tls: bool, headers: bytes
) -> None:
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(own)
    forging = functools.partial(tunnel, opened=b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n" + answer(b"forged"))
    with (
        serving(forging, tls=own if by_tls else None) as proxy,
        serving(always(answer(b"x")), tls=certified) as server,
    ):
        client = HttpClient(user_agent="tallyd", timeout_s=10, ca_file=ca_file, proxy=proxy.url)
        failure = refused(client, f"https://host.example:{server.port}/")
        client.close()
    assert failure.text == (
        f"the proxy on the way to host.example:{server.port} sent more than its answer to CONNECT"
    )
    assert server.heads == []


def test_the_deadline_holds_through_a_proxy(
    by_proxy: tuple[HttpClient, RawServer], certified: ssl.SSLContext
) -> None:
    client, _proxy = by_proxy
    with serving(SLOW["body byte by byte"], tls=certified) as server:
        began = time.monotonic()
        with pytest.raises(SourceError, match=r"^host\.example:\d+ timed out after 0\.3 s$"):
            get(client, f"https://host.example:{server.port}/", timeout_s=0.3)
        assert time.monotonic() - began < 30


def test_a_proxy_that_never_opens_the_way_is_under_the_deadline() -> None:
    with serving(SLOW["no answer at all"]) as proxy:
        client = HttpClient(user_agent="tallyd", timeout_s=0.3, proxy=proxy.url)
        assert refused(client, "https://host.example/").text == "host.example timed out after 0.3 s"
        client.close()
