"""What the chat received, as the demo shows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tallyd.demo.client import Client
from tallyd.demo.received import Received
from tallyd.demo.world import chat
from tallyd.demo.world.chat import Chat
from tallyd.demo.world.http_server import serving


class World:
    def __init__(self, base_url: str) -> None:
        self.client = Client(base_url)

    def say(self, text: str) -> None:
        assert self.client.post(chat.HOOK, {"text": text})


@pytest.fixture
def world() -> Iterator[World]:
    with serving(Chat().routes()) as base_url:
        yield World(base_url)


@pytest.fixture
def received(world: World) -> Received:
    return Received(world.client)


def test_what_came_since_the_last_look_is_shown_once(world: World, received: Received) -> None:
    assert list(received.new_lines()) == []
    world.say("one")
    world.say(r"two\nlines\_of it".replace(r"\n", "\n"))

    assert list(received.new_lines()) == ["chat: one", "chat: two\n      lines_of it"]
    world.say("more")
    assert list(received.new_lines()) == ["chat: more"]
    assert received.messages == 3


def test_a_world_that_gives_no_answer_has_nothing_new() -> None:
    with serving([]) as base_url:
        received = Received(Client(base_url))
    assert list(received.new_lines()) == []
