"""What a check changes: since when, how far it advanced, how long it stood still, what still stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.pollers.servers.freshness import (
    TROUBLES,
    CheckResult,
    Known,
    Limits,
    State,
    Step,
    check_result_of,
    follow,
    passed,
)

START = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
LIMITS = Limits(450.0, 900.0)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def seen(minute: float, *, computed: float) -> CheckResult:
    """Return a check at a minute that read a time of a minute."""
    return check_result_of(at(computed), now=at(minute), skew_s=0.0, limits=LIMITS, answered="200, 4 ms")


def broken(minute: float, state: State, reason: str = "why") -> CheckResult:
    return CheckResult(at=at(minute), state=state, reason=reason)


def steps_of(*results: CheckResult) -> list[Step]:
    known: Known | None = None
    steps = []
    for result in results:
        steps.append(follow(known, result))
        known = steps[-1].known
    return steps


def test_the_first_check_is_a_change_from_nothing() -> None:
    (step,) = steps_of(seen(0, computed=-1))
    assert (step.is_change, step.is_new, step.was) == (True, True, None)
    assert (step.advanced_s, step.unchanged_s) == (None, 0)
    assert (step.known.since, step.known.computed_at) == (at(0), at(-1))


def test_a_time_that_moves_on_has_advanced_and_begins_to_stand_still_anew() -> None:
    steps = steps_of(*(seen(minute, computed=minute // 5 * 5) for minute in range(11)))
    assert [step.advanced_s for step in steps] == [*([None] * 5), 300, *([None] * 4), 300]
    assert [step.unchanged_s for step in steps] == [0, 60, 120, 180, 240, 0, 60, 120, 180, 240, 0]
    assert [step.is_new for step in steps] == [number % 5 == 0 for number in range(11)]
    assert {step.known.since for step in steps} == {at(0)}


def test_a_time_that_goes_back_has_advanced_by_less_than_nothing() -> None:
    *_, step = steps_of(seen(0, computed=0), seen(1, computed=-4))
    assert (step.advanced_s, step.unchanged_s, step.is_new) == (-240, 0, True)


def test_since_is_when_the_state_began_and_begins_anew_with_another() -> None:
    steps = steps_of(
        seen(0, computed=0),
        seen(7, computed=0),
        seen(8, computed=0),
        seen(16, computed=0),
        seen(17, computed=17),
    )
    assert [step.known.state for step in steps] == ["fresh", "fresh", "late", "stale", "fresh"]
    assert [step.known.since for step in steps] == [at(0), at(0), at(8), at(16), at(17)]
    assert [step.was for step in steps] == [None, "fresh", "fresh", "late", "stale"]


def test_what_was_notified_last_is_known_while_nothing_is_notified() -> None:
    steps = steps_of(seen(0, computed=0), broken(1, "unreachable"), broken(2, "invalid"), seen(3, computed=0))
    assert [step.known.computed_at for step in steps] == [at(0)] * 4
    assert [step.unchanged_s for step in steps] == [0, None, None, 180]
    assert [step.is_new_time for step in steps] == [True, False, False, False]
    assert steps[-1].advanced_s is None


def test_the_first_time_after_none_has_nothing_to_advance_from() -> None:
    *_, step = steps_of(broken(0, "unreachable"), seen(1, computed=1))
    assert (step.advanced_s, step.unchanged_s, step.is_new_time) == (None, 0, True)


def test_a_clock_that_is_set_back_makes_nothing_begin_later_than_now() -> None:
    first, second = steps_of(seen(60, computed=59), seen(0, computed=59))
    assert first.known.since == at(60)
    assert second.known.state == "future"
    (_, again) = steps_of(seen(60, computed=-30), seen(0, computed=-30))
    assert (again.known.since, again.unchanged_s) == (at(0), 0)
    assert not again.is_new


# -- troubles ------------------------------------------------------------------------------------------------


STANDING = {
    "fresh: none": ([seen(0, computed=0)], []),
    "late: none": ([seen(0, computed=-10)], []),
    "stale": ([seen(0, computed=-20)], ["stale"]),
    "future": ([seen(0, computed=5)], ["future"]),
    "unreachable": ([broken(0, "unreachable")], ["unreachable"]),
    "stale, then silent": ([seen(0, computed=-20), broken(1, "unreachable")], ["stale", "unreachable"]),
    "worse and worse": (
        [seen(0, computed=-20), broken(1, "invalid"), broken(2, "unreachable")],
        ["stale", "invalid", "unreachable"],
    ),
    "an answer at least ends silence": ([broken(1, "unreachable"), broken(2, "invalid")], ["invalid"]),
    "an age ends what was known of the age": (
        [seen(0, computed=5), broken(1, "unreachable"), seen(2, computed=-20)],
        ["stale"],
    ),
    "all is well again": ([seen(0, computed=-20), broken(1, "unreachable"), seen(2, computed=2)], []),
    "nothing was hidden": ([seen(0, computed=0), broken(1, "unreachable")], ["unreachable"]),
}


@pytest.mark.parametrize(("results", "standing"), STANDING.values(), ids=STANDING)
def test_what_can_not_be_seen_any_more_still_stands(
    results: list[CheckResult], standing: list[State]
) -> None:
    *_, last = steps_of(*results)
    assert [trouble.state for trouble in last.known.troubles] == standing


def test_a_trouble_that_was_hidden_goes_on_since_it_began() -> None:
    *_, last = steps_of(seen(0, computed=-20), broken(1, "unreachable"), seen(2, computed=-20))
    assert [(trouble.state, trouble.since) for trouble in last.known.troubles] == [("stale", at(0))]


def test_a_trouble_that_goes_on_is_the_same_for_as_long_as_the_server_tells_the_same() -> None:
    steps = steps_of(*(seen(minute, computed=0) for minute in range(15, 181)))
    assert {step.known.troubles[0].seen for step in steps if step.known.troubles} == {seen(16, computed=0)}


def test_other_data_that_is_stale_as_well_is_seen_anew() -> None:
    *_, last = steps_of(seen(0, computed=-20), seen(1, computed=-19))
    (trouble,) = last.known.troubles
    assert (trouble.since, trouble.seen) == (at(0), seen(1, computed=-19))


def test_a_time_ahead_is_seen_anew_only_where_it_is_ahead_by_far_more_or_less() -> None:
    first, same, more = seen(0, computed=5), seen(1, computed=6), seen(2, computed=12)
    steps = steps_of(first, same, more)
    assert [step.known.troubles[0].seen for step in steps] == [first, first, more]


def test_another_reason_is_another_text() -> None:
    *_, last = steps_of(broken(0, "unreachable", "refused"), broken(1, "unreachable", "timed out"))
    (trouble,) = last.known.troubles
    assert (trouble.since, trouble.seen.reason) == (at(0), "timed out")


@pytest.mark.parametrize(
    ("before", "now", "has_passed"),
    [
        pytest.param(4, 5, True, id="just now"),
        pytest.param(5, 6, False, id="a while ago"),
        pytest.param(1, 4, False, id="not yet"),
        pytest.param(1, 40, True, id="several"),
        pytest.param(0, 0, False, id="at the beginning"),
    ],
)
def test_an_interval_has_passed_once_between_two_looks(
    before: float, now: float, *, has_passed: bool
) -> None:
    assert passed(at(0), at(before), at(now), 300.0) is has_passed
    assert not passed(at(0), at(before), at(now), None)


kinds = st.sampled_from(["ok", "unreachable", "invalid"])


@given(plan=st.lists(st.tuples(kinds, st.integers(1, 30), st.integers(-5, 40)), min_size=1, max_size=30))
def test_whatever_happens_the_state_stands_among_the_troubles_and_nothing_is_of_the_future(
    plan: list[tuple[State, int, int]],
) -> None:
    minute, known = 0, None
    for kind, passes, age in plan:
        minute += passes
        result = seen(minute, computed=minute - age) if kind not in TROUBLES else broken(minute, kind)
        step = follow(known, result)
        known = step.known
        assert known.since <= result.at
        states = [trouble.state for trouble in known.troubles]
        assert (known.state in states) is (known.state in TROUBLES)
        assert len(set(states)) == len(states)
        assert all(trouble.since <= result.at for trouble in known.troubles)
        assert (step.unchanged_s is None) is (result.computed_at is None)
        assert step.unchanged_s is None or step.unchanged_s >= 0
