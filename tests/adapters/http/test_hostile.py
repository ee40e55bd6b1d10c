"""The HTTP client with hostile servers and bad networks: it ends in time and uses little memory."""

from __future__ import annotations

import gc
import socket
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.asking import begin_check, get
from support.rawserver import (
    BROKEN,
    SLOW,
    UNWANTED,
    Connection,
    Script,
    always,
    answer,
    gzip_bomb,
    once,
    serving,
    unreachable,
)
from tallyd.adapters.http.client import HttpClient
from tallyd.core.errors import SourceError

LIMIT_S = 0.3
LONG_S = 30.0
"""Less than what any of these servers takes, and more than a busy machine needs after `LIMIT_S`."""
MIB = 1024 * 1024


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(user_agent="tallyd", timeout_s=LIMIT_S, max_bytes=MIB)
    yield made
    made.close()


def refused(client: HttpClient, url: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        get(client, url, timeout_s=10)
    return caught.value


@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW.keys())
def test_the_deadline_is_that_of_the_whole_request(client: HttpClient, script: Script) -> None:
    with serving(script) as server:
        began = time.monotonic()
        with pytest.raises(SourceError) as caught:
            get(client, server.url)
        took_s = time.monotonic() - began
    assert caught.value.text == f"{server.host} timed out after 0.3 s"
    assert caught.value.transient
    assert LIMIT_S <= took_s < LONG_S


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connecting_and_the_tls_handshake_are_under_the_deadline(client: HttpClient, scheme: str) -> None:
    def dripping_handshake(connection: Connection) -> None:
        connection.drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + bytes(10_000))

    with unreachable() as url, serving(dripping_handshake) as server:
        for slow in (url.replace("http:", f"{scheme}:"), f"https://{server.host}"):
            began = time.monotonic()
            with pytest.raises(SourceError, match=r"timed out after 0\.3 s$"):
                get(client, slow)
            assert LIMIT_S <= time.monotonic() - began < LONG_S


def test_an_address_that_swallows_packets_leaves_time_for_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(once(b"")) as gone:
        pass
    with unreachable() as swallowing, serving(always(answer())) as server:
        ports = [int(url.rpartition(":")[2]) for url in (gone.url, swallowing, server.url)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
        client = HttpClient(user_agent="tallyd", timeout_s=6.0)
        reply = get(client, "http://three.example/")
        client.close()
    assert 2.0 < reply.elapsed_s < 6.0


def test_the_deadline_is_that_of_all_redirects_together(client: HttpClient) -> None:
    def slowly_on(connection: Connection) -> None:
        while connection.request():
            connection.server.stopping.wait(LIMIT_S * 0.6)
            connection.send(answer(status="302 Found", Location="/again"))

    with serving(slowly_on) as server:
        began = time.monotonic()
        with pytest.raises(SourceError, match="timed out"):
            get(client, server.url)
        assert time.monotonic() - began < LONG_S


def test_the_deadline_of_one_call_may_differ(client: HttpClient) -> None:
    with (
        serving(SLOW["no answer at all"]) as server,
        pytest.raises(SourceError, match=r"timed out after 0\.1 s"),
    ):
        get(client, server.url, timeout_s=0.1)


def test_a_later_request_with_an_earlier_deadline_is_ended_first(client: HttpClient) -> None:
    ended: list[str] = []

    def ask(url: str, limit_s: float) -> None:
        with pytest.raises(SourceError):
            get(client, url, timeout_s=limit_s)
        ended.append(f"{limit_s:g}")

    with serving(SLOW["body byte by byte"]) as server, ThreadPoolExecutor(3) as threads:
        for limit_s in (3, 2, 1):
            threads.submit(ask, server.url, limit_s)
    assert ended == ["1", "2", "3"]


def test_the_deadline_holds_on_a_connection_that_is_used_again(client: HttpClient) -> None:
    def drip_second(connection: Connection) -> None:
        connection.request()
        connection.send(answer(b"first"))
        SLOW["headers byte by byte"](connection)

    with serving(drip_second) as server:
        assert get(client, server.url, timeout_s=20).body == b"first"
        began = time.monotonic()
        with pytest.raises(SourceError, match="timed out"):
            get(client, server.url)
        assert time.monotonic() - began < LONG_S
    assert server.connections == 1


def test_a_connection_on_which_a_request_timed_out_is_not_used_again(client: HttpClient) -> None:
    def slow_first(connection: Connection) -> None:
        while connection.request():
            if len(connection.server.heads) == 2:
                connection.server.stopping.wait(LIMIT_S * 2)
            connection.send(answer(str(len(connection.server.heads)).encode()))

    with serving(slow_first) as server:
        assert get(client, server.url, timeout_s=20).body == b"1"
        with pytest.raises(SourceError, match="timed out"):
            get(client, server.url)
        assert get(client, server.url, timeout_s=20).body == b"3"
    assert server.connections == 2


@pytest.mark.parametrize("failing", ["no answer", "a reset", "nobody listens", "no address"])
def test_a_request_that_fails_leaves_no_cycles_behind(client: HttpClient, failing: str) -> None:
    """Thousands of servers that fail would otherwise hold memory until the garbage collector comes."""
    with serving(once(b"")) as gone:
        pass
    with serving(SLOW["no answer at all"]) as slow, serving(BROKEN["reset without a byte"]) as resetting:
        url, timeout_s = {
            "no answer": (slow.url, 0.01),
            "a reset": (resetting.url, 10),
            "nobody listens": (gone.url, 10),
            "no address": ("http://nowhere.invalid/", 10),
        }[failing]
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                assert isinstance(begin_check(client, url, timeout_s=timeout_s).exception(), SourceError)
            assert gc.collect() < 20 * 5
        finally:
            gc.enable()


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN.keys())
def test_an_incomplete_answer_is_a_transient_failure(client: HttpClient, script: Script) -> None:
    with serving(script) as server:
        failure = refused(client, server.url)
    assert failure.text.startswith(server.host)
    assert failure.transient
    assert "timed out" not in failure.text


@pytest.mark.parametrize("script", UNWANTED.values(), ids=UNWANTED.keys())
def test_what_another_try_would_not_mend_does_not_pass(client: HttpClient, script: Script) -> None:
    with serving(script) as server:
        failure = refused(client, server.url)
    assert failure.text.startswith(server.host)
    assert not failure.transient


@pytest.mark.parametrize(
    ("misdeed", "text"),
    [
        ("no HTTP", " answered with something that is not HTTP"),
        ("closed without a byte", " closed the connection without an answer"),
        ("closed between two headers", " ended in the middle of its answer"),
        ("Content-Length too large", " ended in the middle of its answer"),
        ("100,000 headers", " sent too many headers"),
        ("a header of a megabyte", " sent headers that are too long"),
        ("100 Continue for ever", " sent headers that are too long"),
        ("two Content-Lengths", " sent an answer that can't be read (Duplicate Content-Length)"),
        ("gzip that breaks off", " sent a body that can't be unpacked"),
        ("gzip bomb", " sent more than 1 MiB"),
        ("endless body", " sent more than 1 MiB"),
        ("reset in the body", ": connection reset by peer"),
    ],
)
def test_a_broken_answer_is_described_in_plain_words(client: HttpClient, misdeed: str, text: str) -> None:
    with serving(BROKEN[misdeed]) as server:
        assert refused(client, server.url).text == server.host + text


def test_a_refused_connection_is_named_as_such(client: HttpClient) -> None:
    with serving(once(b"")) as gone:
        pass
    failure = refused(client, gone.url)
    assert failure.text == f"{gone.host}: connection refused"
    assert failure.transient
    assert failure.status is None


@pytest.mark.parametrize(
    ("host", "text", "transient"),
    [
        ("nowhere.invalid", "nowhere.invalid: its name can't be resolved", True),
        ("a..b", "a..b: this is not a valid host name", False),
        ("a" * 64 + ".example", "a" * 64 + ".example: this is not a valid host name", False),
    ],
)
def test_a_name_without_an_address_is_named_as_such(
    client: HttpClient, host: str, text: str, transient: bool
) -> None:
    failure = refused(client, f"http://{host}/")
    assert failure.text == text
    assert failure.transient is transient


@pytest.mark.parametrize("packed", [True, False], ids=["gzip bomb", "endless body"])
def test_a_body_costs_no_more_memory_than_its_limit(client: HttpClient, packed: bool) -> None:
    bomb = once(answer(gzip_bomb(64 * MIB), Content_Encoding="gzip"))
    with serving(bomb if packed else BROKEN["endless body"]) as server:
        tracemalloc.start()
        refused(client, server.url)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 4 * MIB


def test_an_answer_of_exactly_the_limit_is_accepted(client: HttpClient) -> None:
    with serving(once(answer(bytes(MIB)))) as server:
        assert len(get(client, server.url, timeout_s=10).body) == MIB
    with serving(once(answer(bytes(MIB + 1)))) as server:
        assert refused(client, server.url).text == f"{server.host} sent more than 1 MiB"


def test_a_call_may_set_a_lower_limit_and_learns_that_there_was_an_answer(client: HttpClient) -> None:
    with serving(once(answer(bytes(2048)))) as server, pytest.raises(SourceError) as caught:
        begin_check(client, server.url, max_bytes=1024).result()
    assert caught.value.status == 200
    assert caught.value.text.startswith(f"{server.host} sent more than ")
    with serving(once(answer(bytes(MIB + 1)))) as server, pytest.raises(SourceError, match="1 MiB"):
        begin_check(client, server.url, max_bytes=64 * MIB).result()


@pytest.mark.parametrize(
    ("misdeed", "status"),
    [
        ("gzip that breaks off", 200),
        ("endless body", 200),
        ("Content-Length too large", 200),
        ("closed between two headers", None),
    ],
)
def test_an_unusable_answer_has_a_status_and_no_answer_has_none(
    client: HttpClient, misdeed: str, status: int | None
) -> None:
    with serving(BROKEN[misdeed]) as server:
        assert refused(client, server.url).status == status
