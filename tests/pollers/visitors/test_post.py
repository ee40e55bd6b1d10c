"""Sending a report: what is posted, and what each answer means."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest

from support.park import settings
from support.rawserver import Connection, serving
from support.rawserver import answer as raw_answer
from support.toolbox import FakeHttp, answer, refusal, timeout, toolbox
from tallyd.adapters.http.client import HttpClient
from tallyd.contract.delivery import Accepted, Refused
from tallyd.core.errors import SourceError, Stopped
from tallyd.core.reading import OutboxMessage
from tallyd.pollers.visitors.report.post import deliver

MESSAGE = OutboxMessage(ssid="Tor Süd", day=date(2026, 11, 20), body=[{"SSID": "Tor Süd", "TagValue": "7"}])
BODY = '[{"SSID":"Tor Süd","TagValue":"7"}]'.encode()
KEY = "canary-8f3a-key"
YES = {"field": "Desc", "equals": ["OK", "成功"]}


def sent(http: FakeHttp, **keys: Any) -> Accepted | Refused:
    return deliver(settings(**keys), MESSAGE, toolbox(http), timeout_s=7)


def test_it_is_posted_once_as_compact_utf_8_with_its_headers() -> None:
    http = FakeHttp(answer(b""))
    sent(http, headers={"X-Key": KEY})
    (call,) = http.calls
    assert (call.url, call.body, call.timeout_s) == ("https://upstream.example/report", BODY, 7)
    assert call.headers == {"X-Key": KEY, "Content-Type": "application/json; charset=utf-8"}


@pytest.mark.parametrize(
    ("body", "success", "outcome"),
    [
        pytest.param(b"", None, Accepted("HTTP 200"), id="any answer means yes"),
        pytest.param(b'{"Desc": "OK"}', YES, Accepted("OK"), id="it says yes"),
        pytest.param('\ufeff{"Desc": "成功"}'.encode(), YES, Accepted("成功"), id="behind a mark"),
        pytest.param(
            b'{"Desc": "not\\nunlocked"}',
            YES,
            Refused('HTTP 200, Desc "not\\nunlocked"', for_good=False),
            id="a refusal with 200",
        ),
        pytest.param(
            b"<html>", YES, Refused("HTTP 200, no Desc in the answer", for_good=False), id="a web page"
        ),
        pytest.param(b"", YES, Refused("HTTP 200, no Desc in the answer", for_good=False), id="nothing"),
    ],
)
def test_an_answer_means_what_the_config_says(
    body: bytes, success: dict[str, Any] | None, outcome: Accepted | Refused
) -> None:
    assert sent(FakeHttp(answer(body)), success=success) == outcome


def test_another_2xx_is_named() -> None:
    assert sent(FakeHttp(answer(b"", status=204))) == Accepted("HTTP 204")


def test_an_answer_is_shortened_and_shows_no_secret() -> None:
    said = json.dumps({"Desc": f"your key {KEY} is locked " + "x" * 500}).encode()
    outcome = sent(FakeHttp(answer(said)), headers={"X-Key": KEY}, success=YES)
    assert isinstance(outcome, Refused)
    assert outcome.answer.startswith('HTTP 200, Desc "your key *** is locked xxx')
    assert len(outcome.answer) < 230


def test_an_answer_shows_only_headers_that_are_no_secrets() -> None:
    headers = {"X-AuthToken": "canary-a", "X-Session": "canary-b", "X-Pin": "4711", "X-Env": "prod"}
    said = json.dumps({"Desc": "got " + " ".join(headers.values())}).encode()
    outcome = sent(FakeHttp(answer(said)), headers=headers, success=YES)
    assert outcome == Refused('HTTP 200, Desc "got *** *** *** prod"', for_good=False)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_that_will_not_pass_is_for_good(status: int) -> None:
    assert sent(FakeHttp(refusal(status))) == Refused(f"HTTP {status}", for_good=True)


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(timeout(), id="no answer"),
        pytest.param(SourceError("upstream.example: HTTP 503", transient=True, status=503), id="503"),
        pytest.param(SourceError("upstream.example: HTTP 408", transient=True, status=408), id="408"),
        pytest.param(SourceError("upstream.example: HTTP 425", transient=True, status=425), id="425"),
        pytest.param(SourceError("upstream.example: HTTP 429", transient=True, status=429), id="429"),
        pytest.param(SourceError("upstream.example: redirect", transient=False, status=302), id="302"),
    ],
)
def test_what_may_go_better_later_is_passed_on(failure: SourceError) -> None:
    with pytest.raises(SourceError) as caught:
        sent(FakeHttp(failure))
    assert caught.value is failure


def test_a_shutdown_is_passed_on() -> None:
    with pytest.raises(Stopped):
        sent(FakeHttp(Stopped()))


@dataclass
class Upstream:
    """Reads whole requests, and gives each the same answer."""

    raw: bytes
    bodies: list[bytes] = field(default_factory=list)

    def __call__(self, connection: Connection) -> None:
        while head := connection.request():
            found = re.search(rb"(?i)content-length: (\d+)", head)
            assert found is not None
            body = b""
            while len(body) < int(found[1]):
                body += connection.sock.recv(int(found[1]) - len(body))
            self.bodies.append(body)
            connection.send(self.raw)


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(user_agent="tallyd/1", timeout_s=10)
    yield made
    made.close()


def test_a_real_server_gets_all_of_it(client: HttpClient) -> None:
    upstream = Upstream(raw_answer('\ufeff{"Desc": "成功"}'.encode()))
    with serving(upstream) as server:
        wanted = settings(url=f"{server.url}/report", headers={"X-Key": KEY}, success=YES)
        outcome = deliver(wanted, MESSAGE, replace(toolbox(FakeHttp()), http=client), timeout_s=7)
        (head,) = server.heads
    assert outcome == Accepted("成功")
    assert upstream.bodies == [BODY]
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /report HTTP/1.1"
    assert f"X-Key: {KEY}" in lines
    assert "Content-Type: application/json; charset=utf-8" in lines


def test_a_real_refusal_is_for_good(client: HttpClient) -> None:
    with serving(Upstream(raw_answer(b"", status="403 Forbidden"))) as server:
        wanted = settings(url=f"{server.url}/report")
        outcome = deliver(wanted, MESSAGE, replace(toolbox(FakeHttp()), http=client), timeout_s=7)
    assert outcome == Refused("HTTP 403", for_good=True)
