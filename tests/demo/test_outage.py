"""The outage that the demo plays by itself, against a real world."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tallyd.demo.client import Client
from tallyd.demo.outage import Outage
from tallyd.demo.timetable import Pace
from tallyd.demo.world.divera import Divera
from tallyd.demo.world.http_server import serving

PACE = Pace(every_s=10, outage_after_s=40.0, outage_lasts_s=30.0)


class World:
    def __init__(self, base_url: str, divera: Divera) -> None:
        self.divera = divera
        self.client = Client(base_url)

    def outage(self, *, lasts_s: float | None = None) -> Outage:
        return Outage(self.client, PACE, lasts_s=lasts_s)


@pytest.fixture
def world() -> Iterator[World]:
    divera = Divera()
    with serving(divera.routes()) as base_url:
        yield World(base_url, divera)


def test_divera_goes_away_once_and_comes_back(world: World) -> None:
    outage = world.outage()
    seen = []
    for elapsed_s in range(0, 200, 5):
        said = outage.play(float(elapsed_s))
        seen.append((elapsed_s, (said or "").partition(" (")[0], world.divera.mode))

    assert [one for one in seen if one[1]] == [
        (40, "Divera goes down", "down"),
        (70, "Divera is back", "ok"),
    ]
    assert {mode for elapsed_s, _, mode in seen if 40 <= elapsed_s < 70} == {"down"}
    assert {mode for elapsed_s, _, mode in seen if not 40 <= elapsed_s < 70} == {"ok"}


@pytest.mark.parametrize(("lasts_s", "is_played"), [(79.9, False), (80.0, True), (None, True)])
def test_it_is_played_only_where_its_end_can_be_seen(
    world: World, lasts_s: float | None, is_played: bool
) -> None:
    said = world.outage(lasts_s=lasts_s).play(50.0)

    assert (said is not None) is is_played
    assert world.divera.mode == ("down" if is_played else "ok")


def test_one_that_somebody_plays_by_hand_is_left_alone(world: World) -> None:
    outage = world.outage()
    world.divera.mode = "html"

    assert (outage.play(40.0), outage.play(70.0)) == (None, None)
    assert world.divera.mode == "html"


def test_one_that_somebody_changes_by_hand_stays_as_it_is(world: World) -> None:
    outage = world.outage()
    outage.play(40.0)
    world.divera.mode = "forbidden"

    assert outage.play(70.0) is None
    assert world.divera.mode == "forbidden"


def test_a_world_that_gives_no_answer_is_no_reason_to_fail() -> None:
    with serving([]) as base_url:
        client = Client(base_url)
        assert client.get("/nowhere") is None
    assert client.get("/nowhere") is None
    assert Outage(client, PACE, lasts_s=None).play(50.0) is None
