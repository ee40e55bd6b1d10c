"""The Divera API of the small world, over real HTTP."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from demo.conftest import Serve
from tallyd.demo.world.divera import CONTROL, KEY, MODES, OUTAGE_FROM_S, OUTAGE_UNTIL_S, PULL, USERS, Divera
from tallyd.demo.world.people import MEMBERS, OUT, READY, STATUSES, counts_at
from tallyd.pollers.divera.parse import read_monitor, read_names, read_users
from tallyd.pollers.divera.personal_data import texts_of_pull, texts_of_users

BEGAN_AT = 1_790_000_000
QUIET = {f"ts_{block}": str(BEGAN_AT + 10**6) for block in ("user", "alarm", "news", "event", "status")}
QUIET |= {f"ts_{block}": str(BEGAN_AT + 10**6) for block in ("statusplan", "cluster", "localmonitor")}


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Message
    body: bytes


class World:
    """The API at a standstill: `elapsed_s` moves only when a test says so."""

    def __init__(self) -> None:
        self.elapsed_s = 25.0
        self.divera = Divera(elapsed=lambda: self.elapsed_s, now=lambda: BEGAN_AT + self.elapsed_s)
        self.base_url = ""

    def ask(
        self,
        path: str,
        query: dict[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Answered:
        with self.connection() as connection:
            whole = f"{path}?{urlencode({'accesskey': KEY} if query is None else query)}"
            connection.request(method, whole, body)
            answer = connection.getresponse()
            return Answered(answer.status, answer.headers, answer.read())

    def connection(self) -> AbstractContextManager[http.client.HTTPConnection]:
        return closing(http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=10))

    def json(self, path: str, query: dict[str, str] | None = None) -> Any:
        return json.loads(self.ask(path, query).body)

    def play(self, mode: str) -> None:
        assert self.ask(CONTROL, {}, method="POST", body=json.dumps({"mode": mode}).encode()).status == 200


@pytest.fixture
def world(serve: Serve) -> World:
    made = World()
    made.base_url = serve(made.divera.routes())
    return made


def row(world: World, number: int) -> Any:
    return world.json(USERS)["data"][number - 1]


def pulled(world: World) -> Any:
    return world.json(PULL)["data"]


SHAPES: dict[str, tuple[Callable[[World], object], object]] = {
    "users succeed": (lambda world: world.json(USERS)["success"], True),
    "users are a flat list": (lambda world: len(world.json(USERS)["data"]), 25),
    "ids of a user are numbers": (
        lambda world: {type(row(world, 1)[key]) for key in ("user_id", "cluster_id", "status_id")},
        {int},
    ),
    "one person of two units has two rows": (
        lambda world: (
            row(world, 25)["user_id"] == row(world, 1)["user_id"]
            and row(world, 25)["user_cluster_relation_id"] != row(world, 1)["user_cluster_relation_id"]
        ),
        True,
    ),
    "somebody's status is null": (lambda world: row(world, 13)["status_id"], None),
    "somebody's status is 0": (lambda world: row(world, 23)["status_id"], 0),
    "somebody has no status at all": (lambda world: "status_id" in row(world, 24), False),
    "an empty list of phones is a list": (lambda world: row(world, 2)["phonenumbers"], []),
    "pull succeeds": (lambda world: world.json(PULL)["success"], True),
    "pull says when": (lambda world: pulled(world)["ts"], BEGAN_AT + 25),
    "monitors are 1, 2 and 3": (
        lambda world: sorted(pulled(world)["monitor"]),
        ["1", "2", "3", "cached", "ts"],
    ),
    "monitor 1 has numbers": (
        lambda world: pulled(world)["monitor"]["1"][str(OUT.id)]["all"],
        counts_at(25.0)[OUT],
    ),
    "qualifications are keyed by text": (
        lambda world: {type(key) for key in pulled(world)["monitor"]["1"][str(OUT.id)]["qualification"]},
        {str},
    ),
    "no qualification is an empty list": (
        lambda world: pulled(world)["monitor"]["1"]["50105"]["qualification"],
        [],
    ),
    "monitor 2 has persons and notes": (
        lambda world: sorted(pulled(world)["monitor"]["2"][str(OUT.id)][0]),
        ["id", "note"],
    ),
    "names of statuses have spaces behind": (
        lambda world: pulled(world)["cluster"]["status"][str(READY.id)]["name"],
        "Einsatzbereit ",
    ),
    "a status is hidden": (lambda world: pulled(world)["cluster"]["status"]["50105"]["hidden"], True),
    "the consumers are everybody": (lambda world: len(pulled(world)["cluster"]["consumer"]), 25),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_answers_have_the_shape_of_the_real_ones(world: World, shape: str) -> None:
    found, expected = SHAPES[shape]

    assert found(world) == expected


def test_a_timestamp_suppresses_the_names_and_not_the_monitor(world: World) -> None:
    assert set(pulled(world)) == {"ts", "monitor", "cluster"}
    assert set(world.json(PULL, {"accesskey": KEY, **QUIET})["data"]) == {"ts", "monitor"}


def test_the_poller_reads_the_same_counts_and_names_from_both(world: World) -> None:
    users, pull = world.ask(USERS).body, world.ask(PULL).body
    tally = read_users(users)

    assert sum(tally.counts.values()) == len(MEMBERS)
    assert {status: count for status, count in read_monitor(pull).counts.items() if count} == {
        status: count for status, count in tally.counts.items() if status != "none"
    }
    assert read_names(pull) == {str(status.id): status.name.strip() for status in STATUSES}


def test_the_answers_hold_personal_texts_for_the_privacy_check_to_look_for(world: World) -> None:
    in_users = {value for _field, value in texts_of_users(world.ask(USERS).body)}
    in_pull = {value for _field, value in texts_of_pull(world.ask(PULL).body)}

    assert {"Mara", "Ahorn", "mara.ahorn@feuerwehr.example", "+49 30 23125 001"} <= in_users
    assert {"Mara", "Ahorn", "Ahorn, Mara"} <= in_pull


def test_time_moves_people(world: World) -> None:
    at_first = read_users(world.ask(USERS).body).counts
    world.elapsed_s = 40.0

    assert read_users(world.ask(USERS).body).counts != at_first


@pytest.mark.parametrize("path", [USERS, PULL])
@pytest.mark.parametrize(
    "query", [{}, {"accesskey": ""}, {"accesskey": KEY + "x"}], ids=["none", "empty", "wrong"]
)
def test_a_wrong_key_is_refused_with_403(world: World, path: str, query: dict[str, str]) -> None:
    answer = world.ask(path, query)

    assert answer.status == 403
    assert json.loads(answer.body)["success"] is False


def test_every_answer_says_what_time_it_is(world: World) -> None:
    for answer in (world.ask(USERS), world.ask(USERS, {}), world.ask("/nowhere")):
        date = parsedate_to_datetime(answer.headers["Date"])
        assert abs(date.timestamp() - time.time()) < 5


def test_a_connection_is_kept_for_further_requests(world: World) -> None:
    with world.connection() as connection:
        ports = set()
        for path in (USERS, "/nowhere", PULL):
            connection.request("GET", f"{path}?accesskey={KEY}")
            connection.getresponse().read()
            assert connection.sock is not None
            ports.add(connection.sock.getsockname()[1])

    assert len(ports) == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("POST", "/api/users/", 404), ("POST", USERS, 405), ("PUT", USERS, 405)],
)
def test_only_what_is_in_the_table_of_routes_is_answered(
    world: World, method: str, path: str, status: int
) -> None:
    assert world.ask(path, method=method).status == status


def test_down_closes_the_connection_without_a_word(world: World) -> None:
    world.play("down")

    with pytest.raises(http.client.RemoteDisconnected):
        world.ask(USERS)


def test_an_outage_comes_once_and_ends(world: World) -> None:
    world.play("outage")
    statuses = {}
    for second in (0, OUTAGE_FROM_S - 1, OUTAGE_UNTIL_S, 3600 + OUTAGE_FROM_S):
        world.elapsed_s = second
        statuses[second] = world.ask(USERS).status
    assert set(statuses.values()) == {200}
    for second in (OUTAGE_FROM_S, OUTAGE_UNTIL_S - 1):
        world.elapsed_s = second
        with pytest.raises(http.client.RemoteDisconnected):
            world.ask(USERS)


def test_after_every_mode_ok_brings_it_back(world: World) -> None:
    for mode in MODES:
        world.play(mode)
        assert world.json(CONTROL)["mode"] == mode
    world.play("ok")

    assert world.ask(USERS).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"mode": "odd"}', b'{"mode": []}', b"\xff"])
def test_an_unknown_mode_is_rejected_and_changes_nothing(world: World, body: bytes) -> None:
    answer = world.ask(CONTROL, {}, method="POST", body=body)

    assert answer.status == 400
    assert json.loads(answer.body)["modes"] == list(MODES)
    assert world.json(CONTROL)["mode"] == "ok"
