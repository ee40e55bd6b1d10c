"""Which problems begin, go on and end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.alerts import closed_by_reading, judge, lasted_s, unwatched
from tallyd.core.reading import Problem

AT = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
KEYS = ["a/count/failed", "a/count/missed", "a/1/below", "b/count/failed", "tallyd/out"]


def _problem(key: str, minutes: int = 0) -> Problem:
    return Problem(key=key, text=f"{key} {minutes}", since=AT + timedelta(minutes=minutes))


@given(
    rounds=st.lists(st.sets(st.sampled_from(KEYS)), max_size=12),
    closable=st.sets(st.sampled_from(KEYS)),
)
def test_each_problem_begins_once_and_ends_once(rounds: list[set[str]], closable: set[str]) -> None:
    open_now: dict[str, Problem] = {}
    for number, named in enumerate(rounds):
        before = set(open_now)
        found = judge(
            open_now, [_problem(key, number) for key in sorted(named)], may_close=closable.__contains__
        )
        assert {one.key for one in found.standing} == named
        assert {one.key for one in found.raised} == named - before
        assert {one.key for one in found.closed} == (before - named) & closable
        for one in found.standing:
            assert one.since == min(one.since, open_now.get(one.key, one).since)
            assert one.text == f"{one.key} {number}"
        open_now |= {one.key: one for one in found.standing}
        for one in found.closed:
            del open_now[one.key]


@pytest.mark.parametrize(
    ("key", "closes"),
    [
        ("a/count/failed", True),
        ("a/count/missed", True),
        ("a/count/crashed", True),
        ("a/50101/below", True),
        ("a/other/failed", False),
        ("a/count/overdue", False),
        ("b/count/failed", False),
        ("b/50101/below", False),
        ("tallyd/out", False),
    ],
)
def test_a_reading_closes_what_its_job_judges_and_what_was_said_of_its_runs(key: str, closes: bool) -> None:
    assert closed_by_reading("a", "count", frozenset({"below"}))(key) is closes


@pytest.mark.parametrize(
    ("key", "is_unwatched"),
    [
        ("a/count/failed", False),
        ("a/50101/below", False),
        ("a/count/overdue", False),
        ("gone/count/failed", True),
        ("a/gone/failed", True),
        ("tallyd/config", False),
    ],
)
def test_what_no_job_watches_any_more_is_unwatched(key: str, is_unwatched: bool) -> None:
    assert unwatched([("a", "count", frozenset({"below"}))])(key) is is_unwatched


def test_a_problem_never_lasted_less_than_nothing() -> None:
    assert lasted_s(_problem("a/b/c", 5), until=AT) == 0
    assert lasted_s(_problem("a/b/c"), until=AT + timedelta(hours=4)) == 4 * 3600
