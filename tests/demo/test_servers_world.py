"""The application servers of the small world, over real HTTP, evaluated by the poller's own rule."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.conftest import Serve
from tallyd.core.schedule.due_times import DueTime, near
from tallyd.demo.world.servers import (
    APPS,
    CONTROL,
    CYCLE_S,
    DUE_BY,
    MODES,
    STALE_AFTER_S,
    STANDS_STILL_FROM_S,
    STANDS_STILL_UNTIL_S,
    STEP_S,
    Servers,
    computed_s,
    poller,
    ran_at,
)
from tallyd.pollers.servers.computed_time import read_time
from tallyd.pollers.servers.freshness import Limits, State, lag_of, state_of

BEGAN_AT = 1_790_000_000.0
LIMITS = Limits(STALE_AFTER_S / 2, STALE_AFTER_S)
KEYS: dict[str, dict[str, str]] = {
    "fresh": {},
    "changing": {},
    "nested": {"field": "data.finished", "format": "epoch_ms"},
}
"""The keys that the target of each server needs in a config."""


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 # hypothesis adds the zone
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland", "Etc/GMT+12"]
    ),
)
def test_the_job_of_nightly_is_in_time_in_any_zone(now: datetime, zone: str) -> None:
    due = DueTime(frozenset(range(5)), time.fromisoformat(DUE_BY))
    assert near((due,), now, ZoneInfo(zone)).before < ran_at(now) <= now  # type: ignore[operator] # not None


class World:
    """The servers at a standstill: `elapsed_s` moves only when a test says so."""

    def __init__(self) -> None:
        self.elapsed_s = 5.0
        self.servers = Servers(elapsed=lambda: self.elapsed_s, now=lambda: BEGAN_AT + self.elapsed_s)
        self.base_url = ""

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=10)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def play(self, mode: str) -> int:
        return self.ask("POST", CONTROL, json.dumps({"mode": mode}).encode())[0]

    def state(self, name: str) -> State:
        """Return what the poller would call a server now."""
        try:
            status, answer = self.ask("GET", f"{APPS}{name}")
        except http.client.RemoteDisconnected:
            return "unreachable"
        if status != 200:
            return "unreachable"
        now = datetime.fromtimestamp(BEGAN_AT + self.elapsed_s, UTC)
        keys = KEYS[name]
        try:
            value = json.loads(answer)
            for key in keys.get("field", "computed_time").split("."):
                value = value[key]
            at = read_time(
                value,
                keys.get("format", "iso"),
                zone=ZoneInfo("Pacific/Apia"),
                now=now,
            )
        except (ValueError, KeyError, TypeError):
            return "invalid"
        return state_of(lag_of(at, now=now, skew_s=None), LIMITS)


@pytest.fixture
def world(serve: Serve) -> World:
    made = World()
    made.base_url = serve(made.servers.routes())
    return made


@pytest.mark.parametrize("name", KEYS)
def test_fresh_data_is_computed_again_and_again(world: World, name: str) -> None:
    assert world.state(name) == "fresh"
    before = world.ask("GET", f"{APPS}{name}")
    same = world.ask("GET", f"{APPS}{name}")
    world.elapsed_s += STEP_S

    assert before == same != world.ask("GET", f"{APPS}{name}")


def test_the_changing_one_goes_stale_and_comes_back_by_itself_in_each_cycle(world: World) -> None:
    for cycle in (0, 1, 7):
        seen: dict[State, list[float]] = {}
        for into_s in range(int(CYCLE_S)):
            world.elapsed_s = cycle * CYCLE_S + into_s
            seen.setdefault(world.state("changing"), []).append(into_s)
        stale = seen["stale"]
        assert (
            STANDS_STILL_FROM_S + STALE_AFTER_S - STEP_S
            <= stale[0]
            <= STANDS_STILL_FROM_S + STALE_AFTER_S + 1
        )
        assert stale[-1] == STANDS_STILL_UNTIL_S - 1
        assert len(stale) >= 10
        assert seen.keys() == {"fresh", "late", "stale"}


def test_what_was_computed_never_goes_back_nor_ahead() -> None:
    times = [computed_s(second / 2) for second in range(int(4 * CYCLE_S))]

    assert times == sorted(times)
    assert all(computed <= second / 2 for second, computed in enumerate(times))


def test_the_changing_one_can_be_made_stale_and_fresh(world: World) -> None:
    assert world.play("stale") == 200
    assert world.state("changing") == "fresh"
    world.elapsed_s = STANDS_STILL_UNTIL_S + 20
    assert world.state("changing") == "stale"
    assert world.play("stale") == 200  # once more: it stands still since the first time
    assert world.state("changing") == "stale"
    assert world.play("fresh") == 200
    assert world.state("changing") == "fresh"


def test_the_changing_one_can_be_down(world: World) -> None:
    world.play("down")
    assert world.state("changing") == "unreachable"
    assert world.state("fresh") == "fresh"
    world.play("cycle")
    assert world.state("changing") == "fresh"


def test_an_unknown_mode_is_rejected_and_changes_nothing(world: World) -> None:
    assert world.play("asleep") == 400
    assert json.loads(world.ask("GET", CONTROL)[1]) == {"mode": "cycle", "modes": list(MODES)}


def test_each_has_a_line_with_its_address(world: World) -> None:
    about = "\n".join(world.servers.about(world.base_url))

    assert all(f"  {world.base_url}{APPS}{name} " in about for name in KEYS)


def test_the_targets_of_the_example_are_served(world: World) -> None:
    targets: Any = poller(world.base_url)["targets"]

    for target in targets.values():
        assert world.ask("GET", urlsplit(target["url"]).path)[0] == 200
