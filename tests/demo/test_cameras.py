"""The cameras: which files come and what is in them is a pure rule; that they are written is tried."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.conftest import Serve, ask
from support.daemon import wait_until
from tallyd.demo.world.cameras import (
    CONTROL,
    EVERY_S,
    MODES,
    Cameras,
    Clock,
    Drop,
    content,
    drops,
    name,
    played,
)
from tallyd.demo.world.crowd import CYCLE_S, HOSTS, QUIET_FROM_S, QUIET_HOST, QUIET_UNTIL_S, passages
from tallyd.pollers.visitors.ingest.json_stream import CutShortError, Elements

BEGAN_AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
CLOCK = Clock(BEGAN_AT, ZoneInfo("Europe/Berlin"))
DIGITS = "%Y%m%d%H%M%S"


def coming(mode: str, end_s: int = CYCLE_S, first_s: int = 0) -> list[Drop]:
    return [drop for each in drops(first_s, end_s) if (drop := played(each, mode))]


# -- the rule ------------------------------------------------------------------------------------------------


def test_each_host_drops_a_file_every_few_seconds() -> None:
    for host in HOSTS:
        seconds = [drop.second for drop in drops(0, 60) if drop.host == host and drop.fault is None]
        assert {later - before for before, later in pairwise(seconds)} == {EVERY_S}
        assert len(seconds) >= 14


@given(st.integers(-200, 500), st.integers(0, 200), st.integers(0, 200))
def test_looking_more_often_finds_the_same_files(first: int, one: int, other: int) -> None:
    middle, end = first + one, first + one + other

    assert list(drops(first, end)) == [*drops(first, middle), *drops(middle, end)]


def test_no_two_files_have_the_same_name() -> None:
    files = [(drop.host, name(drop, CLOCK)) for drop in drops(-500, 3 * CYCLE_S)]

    assert len(set(files)) == len(files)


def test_a_name_is_the_local_time_at_which_the_file_comes() -> None:
    assert name(Drop(host="12", second=64), CLOCK) == "20261120090104.json"


@given(st.integers(0, 3600), st.sampled_from(HOSTS))
def test_a_file_tells_of_the_seconds_since_the_one_before(second: int, host: str) -> None:
    drop = Drop(host=host, second=second)
    records = json.loads(content(drop, CLOCK))

    assert [record["ID"] for record in records] == [
        passage.track for passage in passages(host, second - EVERY_S, second)
    ]
    for record in records:
        assert list(record) == ["ID", "inOut", "time", "frameNumber", "outputTime"]
        at = datetime.strptime(record["time"], DIGITS).replace(tzinfo=CLOCK.zone)
        assert timedelta(seconds=second - EVERY_S) <= at - BEGAN_AT < timedelta(seconds=second)
        assert record["outputTime"] == name(drop, CLOCK).removesuffix(".json")
        assert record["inOut"] in {0, 1, 2}


def test_many_files_hold_nobody() -> None:
    texts = [content(drop, CLOCK) for drop in coming("cycle", 90)]

    assert 0.2 < sum(text == "[]" for text in texts) / len(texts) < 0.6


def test_the_files_of_a_cycle_tell_of_everybody_though_a_host_falls_quiet_in_it() -> None:
    end_s = 2 * CYCLE_S + len(HOSTS)
    whole = [drop for drop in coming("cycle", end_s) if drop.fault is None]
    records = Counter(record["ID"] for drop in whole for record in json.loads(content(drop, CLOCK)))
    last = {drop.host: drop.second for drop in whole}

    passed = [passage for host in HOSTS for passage in passages(host, 0, last[host])]
    assert records == Counter(passage.track for passage in passed)


def test_one_host_falls_quiet_and_comes_again() -> None:
    seconds = [drop.second for drop in coming("cycle") if drop.host == QUIET_HOST]
    gaps = list(pairwise(seconds))

    assert [gap for gap in gaps if gap[1] - gap[0] > EVERY_S] == [(QUIET_FROM_S, QUIET_UNTIL_S + EVERY_S)]


@pytest.mark.parametrize(
    "drop", [drop for drop in drops(-200, 60) if drop.fault], ids=lambda drop: drop.fault
)
def test_a_broken_file_is_what_the_parser_calls_it(drop: Drop) -> None:
    text = content(drop, CLOCK).encode()

    if drop.fault == "cut short":
        with pytest.raises(CutShortError, match="ends in the middle of a record"):
            Elements().read(text, is_last=True)
    else:
        records = Elements().read(text, is_last=True)
        assert [type(record["ID"]) for record in records][-1] is str


def test_one_broken_file_was_left_over_long_before() -> None:
    assert [drop.second for drop in drops(-500, 0)] == [-120]


@pytest.mark.parametrize(("mode", "hosts"), [("fine", {*HOSTS}), ("quiet", {*HOSTS} - {QUIET_HOST})])
def test_what_can_be_played(mode: str, hosts: set[str]) -> None:
    found = coming(mode, QUIET_UNTIL_S, QUIET_FROM_S + EVERY_S + 1)

    assert {drop.host for drop in found} == hosts


# -- the part ------------------------------------------------------------------------------------------------


class World:
    """The cameras at a standstill: `elapsed_s` moves only when a test says so."""

    def __init__(self, inbox: Path) -> None:
        self.elapsed_s = 0.0
        self.cameras = Cameras(
            inbox, CLOCK.zone, elapsed=lambda: self.elapsed_s, now=lambda: BEGAN_AT, pieces_apart_s=0.0
        )

    def drop_until(self, elapsed_s: float) -> None:
        self.elapsed_s = elapsed_s
        self.cameras.drop_due()


def files_in(inbox: Path) -> set[str]:
    return {str(path.relative_to(inbox)) for path in inbox.rglob("*.json")}


def test_what_is_due_is_written_once_below_each_host(tmp_path: Path) -> None:
    world = World(tmp_path)
    for elapsed_s in (0.0, 7.5, 7.9, 30.0):
        world.drop_until(elapsed_s)

    expected = {
        f"{drop.host}/{name(drop, CLOCK)}": content(drop, CLOCK) for drop in coming("cycle", 31, -500)
    }
    assert files_in(tmp_path) == expected.keys()
    for file, text in expected.items():
        assert (tmp_path / file).read_text() == text


def test_the_file_that_was_left_over_is_as_old_as_its_name_says(tmp_path: Path) -> None:
    World(tmp_path).drop_until(0.0)

    (file,) = tmp_path.rglob("*.json")
    assert file.name == "20261120085800.json"
    assert file.stat().st_mtime == (BEGAN_AT - timedelta(seconds=120)).timestamp()


def test_what_cannot_be_written_is_lost_and_counted(tmp_path: Path, serve: Serve) -> None:
    world = World(tmp_path / "inbox")
    world.drop_until(10.0)
    (tmp_path / "inbox").mkdir()
    world.drop_until(20.0)

    _status, found = ask(serve(world.cameras.routes()) + CONTROL)
    assert found["lost"] == len(coming("cycle", 11, -500))
    assert sum(found["dropped"].values()) == len(files_in(tmp_path)) == len(coming("cycle", 21, 11))


def test_a_mode_is_played_from_now_on(tmp_path: Path, serve: Serve) -> None:
    world = World(tmp_path)
    world.drop_until(8.0)
    before = files_in(tmp_path)
    control = serve(world.cameras.routes()) + CONTROL
    assert ask(control, {"mode": "quiet"}) == (200, {"mode": "quiet", "modes": list(MODES)})
    world.drop_until(12.0)
    assert {file[:2] for file in files_in(tmp_path) - before} == {*HOSTS} - {QUIET_HOST}
    assert ask(control, {"mode": "asleep"})[0] == 400
    assert ask(control)[1]["mode"] == "quiet"


def test_while_it_runs_files_come_by_themselves(tmp_path: Path) -> None:
    cameras = Cameras(tmp_path, pieces_apart_s=0.0)
    with cameras.running():
        wait_until(lambda: files_in(tmp_path))
        assert f"below {tmp_path}/" in "\n".join(cameras.about("http://127.0.0.1:1"))
    found = files_in(tmp_path)
    assert found
    assert cameras.seen()["lost"] == 0
