"""The made-up crowd: who passes which gate is a pure rule."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tallyd.demo.world.crowd import (
    CYCLE_S,
    HOSTS,
    LONGEST_STAY_S,
    QUIET_FROM_S,
    QUIET_HOST,
    QUIET_UNTIL_S,
    SHORTEST_STAY_S,
    Passage,
    is_quiet,
    passages,
)

HOUR_S = 3600


def everywhere(first_s: int, end_s: int) -> list[Passage]:
    return sorted(passage for host in HOSTS for passage in passages(host, first_s, end_s))


def test_nobody_is_there_before_the_world_begins() -> None:
    assert everywhere(-HOUR_S, 0) == []


@given(st.integers(0, HOUR_S), st.integers(0, 60), st.integers(0, 60), st.sampled_from(HOSTS))
def test_a_span_is_the_same_whole_or_in_pieces(begin: int, first: int, second: int, host: str) -> None:
    middle, end = begin + first, begin + first + second

    assert passages(host, begin, end) == passages(host, begin, middle) + passages(host, middle, end)


def test_nobody_leaves_who_did_not_come() -> None:
    inside = 0
    for passage in everywhere(0, HOUR_S):
        inside += {0: 1, 1: -1, 2: 0}[passage.way]
        assert inside >= 0


def test_everybody_who_came_leaves_after_a_while_and_once() -> None:
    found = everywhere(0, 600 + LONGEST_STAY_S + 1)
    came = {passage.track: passage.second for passage in found if passage.way == 0}
    left = {passage.track - 1: passage.second for passage in found if passage.way == 1}

    assert len(left) == sum(passage.way == 1 for passage in found)
    assert left.keys() <= came.keys()
    assert {track for track, second in came.items() if second < 600} <= left.keys()
    assert all(SHORTEST_STAY_S <= left[track] - came[track] < LONGEST_STAY_S for track in left)


def test_it_is_a_crowd_and_some_turn_round() -> None:
    ways = Counter(passage.way for passage in everywhere(0, 600))

    assert 200 < ways[0] < 600
    assert 0.7 * ways[0] < ways[1] < ways[0]
    assert 0 < ways[2] < 0.1 * ways[0]


def test_at_the_quiet_gate_nobody_passes_while_it_is_quiet() -> None:
    for cycle in range(5):
        begin = cycle * CYCLE_S
        assert passages(QUIET_HOST, begin + QUIET_FROM_S, begin + QUIET_UNTIL_S) == ()
        assert passages(QUIET_HOST, begin + QUIET_UNTIL_S, begin + CYCLE_S)


def test_only_one_host_is_ever_quiet() -> None:
    assert {host for host in HOSTS for second in range(2 * CYCLE_S) if is_quiet(host, second)} == {QUIET_HOST}
