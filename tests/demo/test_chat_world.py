"""The chat of the small world, over real HTTP."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from demo.conftest import Serve
from tallyd.adapters.channels.markup import for_rocketchat
from tallyd.demo.world.chat import CONTROL, HOOK, HOOKS, ID, MODES, MOST_KEPT, TOKEN, Chat, as_shown

BEGAN_AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


class World:
    """The chat with a clock that moves on by a second with each message."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.chat = Chat(tell=self.texts.append, now=self._now)
        self.base_url = ""
        self._seconds = 0

    def _now(self) -> datetime:
        self._seconds += 1
        return BEGAN_AT + timedelta(seconds=self._seconds)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        with closing(http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=10)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def send(self, content: object, path: str = HOOK) -> tuple[int, Any]:
        return self.ask("POST", path, json.dumps(content).encode())

    def heard(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.ask("GET", CONTROL)[1]["messages"]
        return messages


@pytest.fixture
def world(serve: Serve) -> World:
    made = World()
    made.base_url = serve(made.chat.routes())
    return made


def test_what_is_sent_is_kept_with_its_time_and_passed_on(world: World) -> None:
    assert world.send({"text": "Größe\nzwei", "alias": "x"}) == (200, {"success": True})
    world.send({"text": r"second\*"})

    assert world.heard() == [
        {"at": "2026-11-20T08:00:01.000+00:00", "text": "Größe\nzwei"},
        {"at": "2026-11-20T08:00:02.000+00:00", "text": "second*"},
    ]
    assert world.texts == ["Größe\nzwei", "second*"]


def test_a_form_with_a_payload_is_read_too(world: World) -> None:
    form = urlencode({"payload": json.dumps({"text": "a & b + c"})}).encode()

    assert world.ask("POST", HOOK, form) == (200, {"success": True})
    assert [heard["text"] for heard in world.heard()] == ["a & b + c"]


@pytest.mark.parametrize(
    "path",
    [f"{HOOK}x", f"{HOOKS}other/{TOKEN}", f"{HOOKS}{ID}/", f"{HOOKS}{ID}/{TOKEN}/more", HOOKS],
    ids=["wrong token", "wrong id", "no token", "more behind it", "nothing"],
)
def test_a_wrong_webhook_is_answered_as_the_real_one_does(world: World, path: str) -> None:
    status, answer = world.send({"text": "x"}, path)

    assert status == 404
    assert answer == {"success": False, "error": "Invalid integration id or token provided."}
    assert world.heard() == []


NO_TEXT = {
    "empty": b"",
    "cut": b"{",
    "list": b"[]",
    "no text": b"{}",
    "empty text": b'{"text": ""}',
    "number": b'{"text": 7}',
    "bytes": b"\xff",
    "empty form": b"payload=",
    "cut form": b"payload=%7B",
    "deep": b"[" * 99_999,
}


@pytest.mark.parametrize("body", NO_TEXT.values(), ids=NO_TEXT)
def test_what_holds_no_text_is_rejected(world: World, body: bytes) -> None:
    status, answer = world.ask("POST", HOOK, body)

    assert (status, answer["success"]) == (400, False)
    assert world.heard() == []


def test_only_the_newest_are_kept(world: World) -> None:
    for number in range(MOST_KEPT + 3):
        world.send({"text": f"message {number}"})

    kept = [heard["text"] for heard in world.heard()]
    assert kept == [f"message {number}" for number in range(3, MOST_KEPT + 3)]


def test_down_gives_no_answer_and_keeps_nothing_until_it_is_over(world: World) -> None:
    assert world.send({"mode": "down"}, CONTROL) == (200, {"mode": "down", "modes": list(MODES)})
    with pytest.raises(http.client.RemoteDisconnected):
        world.send({"text": "lost"})
    assert world.ask("GET", CONTROL)[1]["mode"] == "down"

    world.send({"mode": "ok"}, CONTROL)
    assert world.send({"text": "arrives"})[0] == 200
    assert [heard["text"] for heard in world.heard()] == ["arrives"]


def test_an_unknown_mode_is_rejected_and_changes_nothing(world: World) -> None:
    assert world.send({"mode": "slow"}, CONTROL)[0] == 400
    assert world.ask("GET", CONTROL)[1]["mode"] == "ok"


def test_it_says_how_to_ask_it() -> None:
    about = "\n".join(Chat().about("http://127.0.0.1:1"))

    assert f"http://127.0.0.1:1{HOOK}" in about
    assert f"http://127.0.0.1:1{CONTROL}" in about


@pytest.mark.parametrize(
    "text",
    [
        "[small-world] divera: 4 people on Einsatzbereit (50101), minimum 8",
        "*bold* _slanted_ ~gone~ `code` @all #general :smile: 08:00:00 \\* a\\b",
        "2 problems:\n- one\n- 1. two\n> three",
    ],
    ids=["usual", "markup", "lines"],
)
def test_people_see_what_the_sender_meant(text: str) -> None:
    assert as_shown(for_rocketchat(text)) == text
