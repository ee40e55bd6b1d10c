"""What the chat and the upstream received, as the demo shows it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from tallyd.core.passages import Count
from tallyd.demo.client import Client
from tallyd.demo.received import Received
from tallyd.demo.world import chat, upstream
from tallyd.demo.world.chat import Chat
from tallyd.demo.world.http_server import serving
from tallyd.demo.world.upstream import Upstream
from tallyd.pollers.visitors.visits import TAGS, Form, body


class World:
    def __init__(self, base_url: str) -> None:
        self.client = Client(base_url)

    def say(self, text: str) -> None:
        assert self.client.post(chat.HOOK, {"text": text})

    def report(self, came: int) -> None:
        form = Form(zone=UTC, window="records", every_s=300.0, time_format="%Y%m%d%H%M%S", tags=TAGS)
        count = Count(came, 2, 0, "2026-11-20 06:10:00", "2026-11-20 07:59:01")
        at = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
        content = body("SS-007", count, form, day=date(2026, 11, 20), due_at=at)
        self.client.post(upstream.REPORT, content)


@pytest.fixture
def world() -> Iterator[World]:
    with serving([*Chat().routes(), *Upstream().routes()]) as base_url:
        yield World(base_url)


@pytest.fixture
def received(world: World) -> Received:
    return Received(world.client)


def test_what_came_since_the_last_look_is_shown_once(world: World, received: Received) -> None:
    assert list(received.new_lines()) == []
    world.say(r"two\nlines\_of it".replace(r"\n", "\n"))
    world.report(9)
    world.report(12)

    assert list(received.new_lines()) == [
        "upstream: report 1 of SS-007, up to 07:59:01: 7 inside, 9 came, 2 left",
        "upstream: report 2 of SS-007, up to 07:59:01: 10 inside, 12 came, 2 left",
        "chat: two\n      lines_of it",
    ]
    world.say("more")
    assert list(received.new_lines()) == ["chat: more"]
    assert (received.messages, received.reports) == (2, 2)


def test_a_world_that_gives_no_answer_has_nothing_new() -> None:
    with serving([]) as base_url:
        received = Received(Client(base_url))
    assert list(received.new_lines()) == []
