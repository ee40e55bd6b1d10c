"""Which problems a mute covers, and for how long."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.alerts.mutes import MUTE_KEY, Mute, may_meet, mute_of, near_keys
from tallyd.core.naming import key_segments, problem_key

AT = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
NASTY = st.text(st.sampled_from("ab*?[]!-/%\n é"), max_size=6)


def mute(pattern: str, hours: float = 1) -> Mute:
    return Mute(pattern=pattern, since=AT, until=AT + timedelta(hours=hours), why="moved", by="anna")


@pytest.mark.parametrize(
    ("pattern", "key", "covers"),
    [
        ("divera/count/failed", "divera/count/failed", True),
        ("divera/count/failed", "divera/count/missed", False),
        ("divera/*", "divera/count/failed", True),
        ("divera/*", "divera/50101/below", True),
        ("divera/*", "divera2/count/failed", False),
        ("*/failed", "divera/count/failed", True),
        ("*", "tallyd/out", True),
        ("apps/*/stale", "apps/PROD %2F main/stale", True),
        ("apps/?/stale", "apps/A/stale", True),
        ("apps/?/stale", "apps/AB/stale", False),
        ("divera/COUNT/failed", "divera/count/failed", False),
        ("failed", "divera/count/failed", False),
        ("", "divera/count/failed", False),
    ],
)
def test_a_pattern_covers_whole_keys(pattern: str, key: str, covers: bool) -> None:
    assert mute(pattern).covers(key) is covers


@given(mine=st.lists(NASTY, min_size=1, max_size=3), other=st.lists(NASTY, min_size=1, max_size=3))
def test_a_key_as_a_pattern_covers_that_key_alone_whatever_is_in_its_names(
    mine: list[str], other: list[str]
) -> None:
    key, another = problem_key(*mine), problem_key(*other)
    assert key_segments(key) == tuple(mine)
    assert mute(key).covers(key)
    assert mute(key).covers(another) is (mine == other)


@given(subject=NASTY)
def test_a_star_stands_for_any_subject(subject: str) -> None:
    assert mute("apps/*/stale").covers(problem_key("apps", subject, "stale"))


def test_a_mute_is_in_force_until_it_runs_out_or_is_ended() -> None:
    one = mute("*")
    assert one.is_in_force(AT)
    assert one.is_in_force(one.until - timedelta(microseconds=1))
    assert not one.is_in_force(one.until)
    assert not replace(one, ended_by="").is_in_force(AT), "by whom is not always known"


def test_of_several_mutes_the_one_that_lasts_longest_counts() -> None:
    short, long, other = mute("divera/*", 1), mute("*/failed", 3), mute("apps/*", 9)
    ended = replace(mute("*", 12), ended_by="anna")
    mutes = [short, long, other, ended]
    assert mute_of("divera/count/failed", mutes, now=AT) == long
    assert mute_of("divera/50101/below", mutes, now=AT) == short
    assert mute_of("divera/50101/below", mutes, now=AT + timedelta(hours=2)) is None
    assert mute_of("tallyd/out", mutes, now=AT) is None
    assert mute_of("tallyd/out", [], now=AT) is None


@given(st.lists(NASTY, min_size=1, max_size=3))
def test_a_notification_of_a_mute_is_never_taken_for_one_of_a_problem(segments: list[str]) -> None:
    assert mute("x").key.startswith(MUTE_KEY)
    assert not problem_key("divera", *segments).startswith(MUTE_KEY)


POSSIBLE = (
    "divera/count/failed",
    "divera/50101/below",
    "park/*/rejected",
    "park/12/no-files",
    "tallyd/out",
    "tallyd/*/crashed",
)


@pytest.mark.parametrize(
    ("pattern", "meets"),
    [
        ("divera/50101/below", ["divera/50101/below"]),
        ("divera/50101/belwo", []),
        ("divera/50102/below", []),
        ("Divera/50101/below", []),
        ("divera/*", ["divera/count/failed", "divera/50101/below"]),
        ("*", list(POSSIBLE)),
        ("*/below", ["divera/50101/below"]),
        ("park/24/rejected", ["park/*/rejected"]),
        ("park/2?/rejected", ["park/*/rejected"]),
        ("park/1?/*", ["park/*/rejected", "park/12/no-files"]),
        ("park/a/b/rejected", []),
        ("park/*/stale", []),
        ("tallyd/web/crashed", ["tallyd/*/crashed"]),
        ("tallyd", []),
        ("", []),
    ],
)
def test_a_pattern_is_known_by_the_keys_that_may_fall_under_it(pattern: str, meets: list[str]) -> None:
    assert [keys for keys in POSSIBLE if may_meet(pattern, keys)] == meets


@given(
    pattern=st.text(st.sampled_from("ab*?/"), max_size=8),
    key=st.lists(st.text(st.sampled_from("ab"), max_size=3), min_size=1, max_size=3),
    any_segment=st.integers(0, 2),
)
def test_a_pattern_that_covers_a_key_may_meet_whatever_the_key_is_one_of(
    pattern: str, key: list[str], any_segment: int
) -> None:
    covers = mute(pattern).covers("/".join(key))
    assert may_meet(pattern, "/".join(key)) is covers
    key[any_segment % len(key)] = "*"
    assert may_meet(pattern, "/".join(key)) or not covers


@pytest.mark.parametrize(
    ("pattern", "near"),
    [
        ("divera/50101/belwo", "divera/50101/below"),
        ("divera/*/belwo", "divera/*/below"),
        ("aprk/24/rejected", "park/24/rejected"),
        ("tallyd/outt", "tallyd/out"),
        ("divera/5010?/belwo", "divera/5010?/below"),
    ],
)
def test_what_was_meant_is_among_what_is_near(pattern: str, near: str) -> None:
    assert near in near_keys(pattern, POSSIBLE)
