"""The upstream of the small world, over real HTTP."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from demo.conftest import Serve
from tallyd.contract.passages import Count
from tallyd.demo.world.upstream import CONTROL, MODES, MOST_KEPT, OK, REPORT, SSID, Upstream
from tallyd.pollers.visitors.inside import DayCount
from tallyd.pollers.visitors.report.upstream import TAGS, Form, body, is_success

BEGAN_AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def report_of(*, ssid: str = SSID, came: int = 9, left: int = 2) -> list[Any]:
    """Return what the visitors poller sends."""
    form = Form(zone=UTC, window="records", every_s=300.0, time_format="%Y%m%d%H%M%S", tags=TAGS)
    count = Count(came, left, 0, "2026-11-20 06:10:00", "2026-11-20 07:59:01")
    return body(ssid, DayCount(count, came - left), form, day=date(2026, 11, 20), due_at=BEGAN_AT)


class World:
    """The upstream with a clock that moves on by a second with each report."""

    def __init__(self) -> None:
        self.upstream = Upstream(now=self._now)
        self.base_url = ""
        self._seconds = 0

    def _now(self) -> datetime:
        self._seconds += 1
        return BEGAN_AT + timedelta(seconds=self._seconds)

    def ask(self, method: str, path: str, sent: bytes | None = None) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=10)) as connection:
            connection.request(method, path, sent)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def send(self, content: object) -> tuple[int, str]:
        status, answer = self.ask("POST", REPORT, json.dumps(content).encode())
        return status, json.loads(answer.decode("utf-8-sig"))["Desc"]

    def play(self, mode: str) -> None:
        assert self.ask("POST", CONTROL, json.dumps({"mode": mode}).encode())[0] == 200

    def listed(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("GET", CONTROL)[1])
        return found


@pytest.fixture
def world(serve: Serve) -> World:
    made = World()
    made.base_url = serve(made.upstream.routes())
    return made


def test_what_the_poller_sends_is_taken_and_kept(world: World) -> None:
    assert world.send(report_of()) == (200, OK)
    assert world.send(report_of(ssid="SS-012", left=3)) == (200, OK)

    first, second = world.listed()["reports"]
    assert first == {
        "at": "2026-11-20T08:00:01.000+00:00",
        "SSID": SSID,
        "StartTime": "20261120061000",
        "EndTime": "20261120075901",
        "Count": 7,
        "CountAccuIn": 9,
        "CountAccuOut": 2,
    }
    assert (second["SSID"], second["Count"]) == ("SS-012", 6)


def test_it_answers_behind_a_byte_order_mark_as_the_poller_reads_it(world: World) -> None:
    answer = world.ask("POST", REPORT, json.dumps(report_of()).encode())[1]

    assert answer.startswith(b"\xef\xbb\xbf")
    assert is_success(answer, field="Desc", equals=[OK])


def changed(**values: object) -> list[Any]:
    first, *others = report_of()
    return [{**first, **values}, *others]


WRONG: dict[str, object] = {
    "an object": {},
    "two objects": report_of()[:2],
    "four objects": [*report_of(), report_of()[0]],
    "one type twice": [*report_of()[:2], report_of()[1]],
    "a number that is no text": changed(TagValue=7),
    "a number that is null": changed(TagValue=None),
    "a number below zero": changed(TagValue="-1"),
    "a number with a line behind": changed(TagValue="7\n"),
    "an unknown type": changed(TagType="CountOut"),
    "another tag": changed(TagID="902"),
    "a further key": changed(Note="x"),
    "a missing key": [
        {key: value for key, value in report_of()[0].items() if key != "SSID"},
        *report_of()[1:],
    ],
    "no name": changed(SSID=""),
    "a time with signs": changed(StartTime="2026-11-20 06:10:00"),
    "a time of 13 digits": changed(StartTime="2026112006100"),
}


@pytest.mark.parametrize("content", WRONG.values(), ids=WRONG)
def test_what_is_no_report_is_rejected_with_a_reason_and_not_kept(world: World, content: object) -> None:
    status, desc = world.send(content)

    assert (status, desc != OK) == (200, True)
    assert desc
    listed = world.listed()
    assert (listed["reports"], listed["refused"], listed["last_refusal"]) == ([], 1, desc)


@pytest.mark.parametrize("sent", [b"", b"[", b"\xff", b"[" * 99_999], ids=["empty", "cut", "bytes", "deep"])
def test_what_is_not_json_is_rejected(world: World, sent: bytes) -> None:
    status, answer = world.ask("POST", REPORT, sent)

    assert status == 200
    assert not is_success(answer, field="Desc", equals=[OK])
    assert world.listed()["refused"] == 1


def test_it_can_refuse_what_is_fine(world: World) -> None:
    world.play("refusing")
    status, desc = world.send(report_of())

    assert (status, desc != OK) == (200, True)
    assert world.listed()["reports"] == []
    world.play("ok")
    assert world.send(report_of()) == (200, OK)


def test_down_gives_no_answer_and_keeps_nothing(world: World) -> None:
    world.play("down")
    with pytest.raises(http.client.RemoteDisconnected):
        world.send(report_of())

    assert (world.listed()["mode"], world.listed()["reports"]) == ("down", [])


def test_an_unknown_mode_is_rejected_and_changes_nothing(world: World) -> None:
    status, answer = world.ask("POST", CONTROL, b'{"mode": "asleep"}')

    assert (status, json.loads(answer)["modes"]) == (400, list(MODES))
    assert world.listed()["mode"] == "ok"


def test_only_the_newest_are_kept(world: World) -> None:
    for came in range(MOST_KEPT + 3):
        world.send(report_of(came=came, left=0))

    assert [each["CountAccuIn"] for each in world.listed()["reports"]] == list(range(3, MOST_KEPT + 3))


def test_it_says_how_to_ask_it() -> None:
    about = "\n".join(Upstream().about("http://127.0.0.1:1"))

    assert f"http://127.0.0.1:1{REPORT}" in about
    assert f"http://127.0.0.1:1{CONTROL}" in about
