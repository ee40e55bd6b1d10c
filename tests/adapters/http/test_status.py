"""How the HTTP client interprets status and headers: refusals, redirects, waiting times, the other clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from support.asking import get, refused
from support.rawserver import Connection, always, answer, serving
from tallyd.adapters.http.client import HttpClient
from tallyd.adapters.http.responses import followed
from tallyd.contract.http import Request

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(user_agent="tallyd", timeout_s=10, now=lambda: NOW)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("date", "skew_s"),
    [
        pytest.param("Fri, 20 Nov 2026 07:59:30 GMT", 30.0, id="we are ahead"),
        pytest.param("Fri, 20 Nov 2026 09:01:00 +0100", -60.0, id="we are behind, another zone"),
        pytest.param("Fri, 20 Nov 2026 08:00:00 -0000", 0.0, id="no zone"),
        pytest.param("soon", None, id="no date"),
        pytest.param("Fri, 99 Nov 2026 08:00:00 GMT", None, id="no such day"),
        pytest.param("Fri, 20 Nov 99999 08:00:00 GMT", None, id="no such year"),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_skew_is_our_clock_minus_theirs(client: HttpClient, date: str, skew_s: float | None) -> None:
    with serving(always(answer(Date=date))) as server:
        assert get(client, server.url).skew_s == skew_s


def test_without_a_date_there_is_no_skew(client: HttpClient) -> None:
    with serving(always(answer())) as server:
        assert get(client, server.url).skew_s is None


@pytest.mark.parametrize(
    ("status", "text", "transient"),
    [
        ("206 Partial Content", "sent only a part of its answer (HTTP 206)", True),
        ("301 Moved Permanently", "answered HTTP 301", False),
        ("304 Not Modified", "answered HTTP 304", False),
        ("400 Bad Request", "answered HTTP 400", False),
        ("401 Unauthorized", ": access refused (HTTP 401)", False),
        ("403 Forbidden", ": access refused (HTTP 403)", False),
        ("404 Not Found", "answered HTTP 404", False),
        ("407 Proxy Authentication Required", ": the proxy refused access (HTTP 407)", False),
        ("408 Request Timeout", "answered HTTP 408", True),
        ("425 Too Early", "answered HTTP 425", True),
        ("429 Too Many Requests", "answered HTTP 429", True),
        ("500 Internal Server Error", "answered HTTP 500", True),
        ("503 Service Unavailable", "answered HTTP 503", True),
        ("999 Odd", "answered HTTP 999", True),
    ],
)
def test_any_other_status_is_a_failure(client: HttpClient, status: str, text: str, transient: bool) -> None:
    with serving(always(answer(b"some body", status=status))) as server:
        failure = refused(client, server.url)
    assert failure.text == server.host + (text if text.startswith(":") else f" {text}")
    assert failure.transient is transient
    assert failure.status == int(status[:3])
    assert failure.retry_after_s is None


A_YEAR_S = 366 * 86400.0


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"Retry_After": "120"}, 120.0, id="seconds"),
        pytest.param({"Retry_After": "0"}, 0.0, id="at once"),
        pytest.param({"Retry_After": "-5"}, 0.0, id="negative"),
        pytest.param({"Retry_After": str(10 * 366 * 86400)}, A_YEAR_S, id="ten years"),
        pytest.param({"Retry_After": "Fri, 20 Nov 2026 08:02:00 GMT"}, 120.0, id="date"),
        pytest.param({"Retry_After": "Fri, 20 Nov 2026 07:00:00 GMT"}, 0.0, id="date that has passed"),
        pytest.param(
            {"Retry_After": "Fri, 20 Nov 2026 08:02:00 GMT", "Date": "Fri, 20 Nov 2026 08:01:00 GMT"},
            60.0,
            id="date by a clock ahead of ours",
        ),
        pytest.param({"Retry_After": "a while"}, None, id="garbage"),
        pytest.param({"Retry_After": "1.5"}, None, id="fraction"),
        pytest.param({"Retry_After": "9" * 5000}, A_YEAR_S, id="5,000 digits"),
        pytest.param({"Retry_After": "-" + "9" * 5000}, 0.0, id="5,000 digits, negative"),
        pytest.param({"Retry_After": "Fri, 31 Dec 9999 23:59:59 GMT"}, A_YEAR_S, id="the last date"),
        pytest.param(
            {"Retry_After": "Fri, 31 Dec 9999 23:59:59 GMT", "Date": "Mon, 01 Jan 0001 00:00:00 GMT"},
            A_YEAR_S,
            id="the last date, from the first",
        ),
        pytest.param({"Retry_After": "Fri, 32 Nov 2026 08:02:00 GMT"}, None, id="no date"),
        pytest.param({"Retry_After": ""}, None, id="empty"),
    ],
)
def test_retry_after_is_seconds_or_a_date(
    client: HttpClient, status: str, headers: dict[str, str], seconds: float | None
) -> None:
    with serving(always(answer(b"", status=status, **headers))) as server:
        assert refused(client, server.url).retry_after_s == seconds


def test_retry_after_counts_only_if_another_try_may_help(client: HttpClient) -> None:
    with serving(always(answer(status="403 Forbidden", Retry_After="5"))) as server:
        assert refused(client, server.url).retry_after_s is None


def redirecting(location: str, *, status: str = "302 Found") -> Callable[[Connection], None]:
    """Return a script that sends `/` to `location` and answers everything else."""

    def script(connection: Connection) -> None:
        while head := connection.request():
            first = head.startswith(b"GET / ")
            connection.send(answer(status=status, Location=location) if first else answer(b"there"))

    return script


@pytest.mark.parametrize("status", ["301 M", "302 F", "303 S", "307 T", "308 P"])
@pytest.mark.parametrize(
    ("location", "asked"),
    [
        pytest.param("/new?x=1", b"GET /new?x=1 ", id="absolute path"),
        pytest.param("new", b"GET /new ", id="relative"),
        pytest.param("?x=1", b"GET /?x=1 ", id="query alone"),
        pytest.param("/\xfc", b"GET /%C3%BC ", id="Latin-1"),
    ],
)
def test_a_redirect_within_one_host_is_followed(
    client: HttpClient, status: str, location: str, asked: bytes
) -> None:
    with serving(redirecting(location, status=status)) as server:
        reply = get(client, server.url, headers={"X-Key": "s3cret"})
    assert reply.body == b"there"
    assert server.heads[-1].startswith(asked)
    assert b"X-Key: s3cret" in server.heads[-1]


def test_a_redirect_to_the_full_address_of_the_same_host_is_followed(client: HttpClient) -> None:
    def script(connection: Connection) -> None:
        while head := connection.request():
            there = head.startswith(b"GET /new ")
            location = f"HTTP://{connection.server.host}/new"
            connection.send(answer(b"there") if there else answer(status="302 F", Location=location))

    with serving(script) as server:
        assert get(client, server.url).body == b"there"


def test_a_redirect_to_another_port_is_not_followed_and_gets_no_key(client: HttpClient) -> None:
    with serving(always(answer(b"there"))) as other, serving(redirecting(f"{other.url}/?k=s3cret")) as server:
        failure = refused(client, server.url)
    assert failure.text == (
        f"{server.host} redirects to {other.host}, which is not followed; "
        "if that is right, set the new address"
    )
    assert not failure.transient
    assert other.connections == 0


def test_a_redirect_to_the_usual_port_of_https_is_followed() -> None:
    target = followed("http://a.example:8080/x", "https://a.example/y", host="a.example:8080")
    assert target == "https://a.example/y"


REDIRECTS = {
    "another host": ("https://elsewhere.example/s3cret", "to elsewhere.example,"),
    "without a scheme": ("//elsewhere.example:8443/s3cret", "to elsewhere.example:8443,"),
    "IPv6": ("http://[::1]:99/s3cret", "to [::1]:99,"),
    "another scheme": ("ftp://elsewhere.example/s3cret", "to an address that can't be read"),
    "no address": ("javascript:s3cret", "to an address that can't be read"),
    "no port": ("http://elsewhere.example:port/s3cret", "to an address that can't be read"),
    "control characters": ("http://a\x1bb.example/s3cret", r"to a\x1bb.example,"),
}


@pytest.mark.parametrize(("location", "named"), REDIRECTS.values(), ids=REDIRECTS)
def test_a_redirect_that_is_not_followed_is_shown_only_by_its_host(
    client: HttpClient, location: str, named: str
) -> None:
    with serving(redirecting(location)) as server:
        failure = refused(client, server.url)
    assert f"redirects {named}" in failure.text
    assert "s3cret" not in failure.text
    assert not failure.transient


def test_a_redirect_with_a_password_is_not_followed(client: HttpClient) -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(answer(status="302 F", Location=f"http://me:s3cret@{connection.server.host}/"))

    with serving(script) as server:
        failure = refused(client, server.url)
    assert "not followed" in failure.text
    assert len(server.heads) == 1


def test_a_redirect_loop_ends_after_five(client: HttpClient) -> None:
    with serving(always(answer(status="302 Found", Location="/again"))) as server:
        failure = refused(client, server.url)
    assert failure.text == f"{server.host} redirects more than 5 times"
    assert not failure.transient
    assert len(server.heads) == 6


@pytest.mark.parametrize(
    ("date_s", "skew_s"),
    [
        pytest.param(0, 0.0, id="stamped, then sent slowly"),
        pytest.param(8, 0.0, id="it thought, then stamped"),
        pytest.param(10, 0.0, id="stamped at the very end"),
        pytest.param(-3, 3.0, id="its clock is behind the request"),
        pytest.param(14, -4.0, id="its clock is ahead of the answer"),
    ],
)
def test_only_what_the_round_trip_does_not_explain_is_skew(date_s: int, skew_s: float) -> None:
    asked_at, answered_at = NOW, NOW + timedelta(seconds=10)
    times = iter([asked_at, answered_at])
    client = HttpClient(user_agent="tallyd", timeout_s=10, now=lambda: next(times))
    date = format_datetime(NOW + timedelta(seconds=date_s), usegmt=True)
    with serving(always(answer(Date=date))) as server:
        reply = get(client, server.url)
    client.close()
    assert (reply.skew_s, reply.answered_at) == (skew_s, answered_at)


@pytest.mark.parametrize(
    ("status", "method"),
    [("301 M", b"GET"), ("302 F", b"GET"), ("303 S", b"GET"), ("307 T", b"POST"), ("308 P", b"POST")],
)
def test_a_redirected_question_is_asked_as_a_browser_would(
    client: HttpClient, status: str, method: bytes
) -> None:
    bodies = []

    def script(connection: Connection) -> None:
        while head := connection.request():
            if b"Content-Length: 4\r\n" in head:
                bodies.append(connection.sock.recv(4))
            there = b" /new " in head.split(b"\r\n", 1)[0]
            connection.send(answer(b"there") if there else answer(status=status, Location="/new"))

    request = Request(
        url="", method="POST", body=b"ask?", headers={"Content-Type": "text/x-question", "X-Key": "s3cret"}
    )
    with serving(script) as server:
        reply = client.request(replace(request, url=server.url)).result()
    first, second = server.heads
    is_sent_again = method == b"POST"
    assert (reply.body, bodies) == (b"there", [b"ask?"] * (1 + is_sent_again))
    assert first.startswith(b"POST / ")
    assert second.startswith(method + b" /new ")
    assert b"X-Key: s3cret\r\n" in second
    assert (b"text/x-question" in second, b"Content-Length" in second) == (is_sent_again, is_sent_again)
