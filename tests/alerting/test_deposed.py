"""A daemon that another one has replaced, or that cannot know whether it was: what it still says."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.fakeclock import FakeClock, at
from support.fakeworld import World, disk_refuses
from support.outages import Source, minutely, top
from support.upstream import SendingPoller, Upstream
from tallyd.adapters.state import DeposedError, StateError


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(at("2026-11-20 07:59"))


def deposed() -> None:
    raise DeposedError("PostgreSQL")


def away() -> None:
    raise StateError("PostgreSQL is away")


def test_a_daemon_that_was_deposed_notifies_nobody(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source()
    with clock, World(tmp_path, clock, minutely(source), top=top()) as world:
        world.run(minutes=2)
        monkeypatch.setattr(world.state, "confirm", deposed)
        source.below = ["gate"]
        world.run(minutes=4)
        assert world.chats.texts() == []
        monkeypatch.undo()
        world.run(minutes=2)
        assert world.chats.texts() == ["[box] one: too few on gate"]


def test_a_daemon_that_cannot_reach_the_state_says_only_that(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source()
    with clock, World(tmp_path, clock, minutely(source), top=top()) as world:
        world.run(minutes=2)
        monkeypatch.setattr(world.state, "confirm", away)
        with disk_refuses():
            source.below = ["gate"]
            world.run(minutes=4, least_s=1)
            (text,) = world.chats.texts()
            assert text.startswith("[box] cannot write ")
            assert "gate" not in text
        monkeypatch.undo()
        world.run(minutes=2)
        assert any("too few on gate" in text for text in world.chats.texts())


@pytest.mark.parametrize("why", [deposed, away], ids=["deposed", "cut off"])
def test_who_is_not_surely_the_leader_posts_no_report(
    why: object, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = Upstream(clock)
    with clock, World(tmp_path, clock, SendingPoller(upstream=upstream), top=top()) as world:
        monkeypatch.setattr(world.state, "confirm", why)
        world.run(minutes=12)
        assert upstream.posts == []
        monkeypatch.undo()
        world.run(minutes=10)
        assert upstream.posts != []


@pytest.mark.parametrize("why", [deposed, away], ids=["deposed", "cut off"])
def test_who_is_not_surely_the_leader_is_no_second_host(
    why: object, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    beats: list[int] = []
    with clock, World(tmp_path, clock, minutely(Source()), top=top()) as world:
        world.host_beat = lambda: beats.append(1)
        monkeypatch.setattr(world.state, "confirm", why)
        world.run(minutes=3)
        assert beats == []
        monkeypatch.undo()
        world.run(minutes=2)
        assert beats != []
