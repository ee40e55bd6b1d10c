"""Which problems are raised, go on and end: one look after the other, without any notification."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallyd.core.alerts.rules import (
    Alert,
    Evaluation,
    Observations,
    Rules,
    acknowledge,
    closed_by_reading,
    evaluate,
    lasted_s,
    unwatched,
)
from tallyd.core.alerts.wording import OUTSIDE_HOURS
from tallyd.core.reading import Problem, Severity

AT = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
KEYS = ["a/count/failed", "a/count/missed", "a/1/below", "b/count/failed", "tallyd/out"]
KEY = "a/1/below"


def at(minutes: int) -> datetime:
    return AT + timedelta(minutes=minutes)


def problem(minutes: int = 0, *, key: str = KEY, severity: Severity = "error") -> Problem:
    """Return a problem that says in its texts when it was found."""
    return Problem(
        key=key, text=f"bad at {minutes}", over=f"good {minutes}", since=at(minutes), severity=severity
    )


class KnownAlerts:
    """What is known of KEY, or of several keys, over a few looks."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.known: dict[str, Alert] = {}

    def look(
        self,
        minutes: int,
        *named: Problem,
        counts: bool = True,
        is_unwatched: bool = False,
        outside_hours: bool = False,
    ) -> Evaluation:
        return self.take(
            Observations(
                named=named,
                may_resolve=lambda _key: True,
                now=at(minutes),
                rules=self.rules,
                counts=counts,
                is_unwatched=is_unwatched,
                outside_hours=frozenset({KEY} if outside_hours else ()),
            )
        )

    def take(self, observations: Observations) -> Evaluation:
        found = evaluate(self.known, observations)
        self.known |= {alert.key: alert for alert in found.changed}
        for key in found.gone:
            del self.known[key]
        return found


@given(
    rounds=st.lists(st.sets(st.sampled_from(KEYS)), max_size=12),
    closable=st.sets(st.sampled_from(KEYS)),
)
def test_where_one_reading_is_enough_each_problem_begins_once_and_ends_once(
    rounds: list[set[str]], closable: set[str]
) -> None:
    alerts, open_now = KnownAlerts(), dict[str, datetime]()
    for number, named in enumerate(rounds):
        before = set(open_now)
        problems = tuple(problem(number, key=key) for key in sorted(named))
        found = alerts.take(Observations(named=problems, may_resolve=closable.__contains__, now=at(number)))
        assert {one.key for one in found.raised} == named - before
        assert {one.key for one in found.closed} == (before - named) & closable
        assert [one.key for one in found.standing] == sorted(named)
        for one in found.standing:
            assert one.since == open_now.setdefault(one.key, at(number))
            assert one.text == f"bad at {number}"
        for ended in found.closed:
            del open_now[ended.key]
        assert {key for key, alert in alerts.known.items() if alert.is_open} == set(open_now)


@given(
    readings=st.lists(st.booleans(), max_size=40),
    raise_after=st.integers(1, 4),
    resolve_after=st.integers(1, 4),
)
def test_it_is_open_from_so_many_bad_readings_in_a_row_until_so_many_good_ones(
    readings: list[bool], raise_after: int, resolve_after: int
) -> None:
    alerts, is_open, row = KnownAlerts(Rules(raise_after, resolve_after)), False, list[bool]()
    for number, is_bad in enumerate(readings):
        alerts.look(number, *([problem(number)] if is_bad else []))
        row = [*row, is_bad] if row and row[-1] == is_bad else [is_bad]
        if is_bad != is_open and len(row) >= (raise_after if is_bad else resolve_after):
            is_open = is_bad
        assert (KEY in alerts.known and alerts.known[KEY].is_open) is is_open


def test_what_only_waits_is_forgotten_with_the_first_good_reading() -> None:
    alerts = KnownAlerts(Rules(raise_after=3))
    alerts.look(0, problem(0))
    assert [alert.is_waiting for alert in alerts.known.values()] == [True]
    found = alerts.look(1)
    assert (found.gone, found.changed, found.closed) == ((KEY,), (), ())


def test_the_trouble_began_with_the_first_of_the_readings_that_raised_it() -> None:
    alerts = KnownAlerts(Rules(raise_after=3))
    for minutes in (0, 1):
        assert not alerts.look(minutes, problem(minutes)).raised
    (raised,) = alerts.look(2, problem(2)).raised
    assert (raised.since, raised.raised_at, raised.text) == (at(0), at(2), "bad at 2")
    (standing,) = alerts.look(3, problem(3)).standing
    assert (standing.since, standing.text) == (at(0), "bad at 3")


def test_a_problem_that_knows_of_an_earlier_beginning_brings_it_along() -> None:
    alerts = KnownAlerts(Rules(raise_after=2))
    alerts.look(0, problem(0))
    (raised,) = alerts.look(1, replace(problem(1), since=at(-30))).raised
    assert raised.since == at(-30)
    alerts.look(2, replace(problem(2), since=at(-60)))
    assert alerts.known[KEY].since == at(-60)


def test_it_is_over_since_the_first_of_the_good_readings_that_ended_it() -> None:
    alerts = KnownAlerts(Rules(resolve_after=3))
    alerts.look(0, problem(0))
    for minutes in (1, 2):
        assert not alerts.look(minutes).closed
    (closed,) = alerts.look(3).closed
    assert (closed.since, closed.over_at, closed.over) == (at(0), at(1), "good 0")
    assert lasted_s(closed, until=at(99)) == 60


def test_a_bad_reading_begins_the_good_ones_anew() -> None:
    alerts = KnownAlerts(Rules(resolve_after=2))
    alerts.look(0, problem(0))
    alerts.look(1)
    alerts.look(2, problem(2))
    assert not alerts.look(3).closed
    (closed,) = alerts.look(4).closed
    assert (closed.since, closed.over_at) == (at(0), at(3))


def test_at_once_waits_for_nothing() -> None:
    alerts = KnownAlerts(Rules(raise_after=5))
    (raised,) = alerts.look(0, replace(problem(0), at_once=True)).raised
    assert raised.raised_at == at(0)


@pytest.mark.parametrize("tries", [1, 7])
def test_tries_that_are_no_reading_raise_nothing_and_end_nothing(tries: int) -> None:
    alerts = KnownAlerts(Rules(raise_after=2, resolve_after=1))
    for minutes in range(tries):
        assert not alerts.look(minutes, problem(minutes), counts=False).raised
    assert not alerts.look(tries, problem(tries)).raised
    assert alerts.look(tries + 1, problem(tries + 1)).raised[0].since == at(0)
    assert not alerts.look(tries + 2, problem(tries + 2), counts=False).closed
    assert alerts.known[KEY].text == f"bad at {tries + 2}"


def test_it_becomes_worse_once_and_better_without_a_word() -> None:
    alerts = KnownAlerts()
    severities: list[Severity] = ["warning", "error", "error", "warning", "warning"]
    raised = [
        alerts.look(minutes, problem(minutes, severity=severity)).raised
        for minutes, severity in enumerate(severities)
    ]
    assert [[alert.severity for alert in each] for each in raised] == [["warning"], ["error"], [], [], []]
    assert alerts.known[KEY].severity == "warning"
    assert alerts.known[KEY].raised_at == at(0)


def test_that_an_error_will_stay_without_help_is_news() -> None:
    outage, refusal = problem(), replace(problem(), stays=True)
    known = KnownAlerts()
    versions = []
    for minute, found in enumerate((outage, refusal, refusal, outage)):
        known.look(minute, found)
        versions.append(known.known[KEY].version)
    assert versions == [1, 2, 2, 2]


def test_what_is_not_asked_for_any_more_ends_at_once() -> None:
    alerts = KnownAlerts(Rules(raise_after=1, resolve_after=9))
    alerts.look(0, problem(0))
    (closed,) = alerts.look(1, is_unwatched=True).closed
    assert closed.is_unwatched
    assert closed.over_at == at(1)


def test_outside_its_hours_it_ends_at_once_and_without_a_word_that_it_is_good() -> None:
    alerts = KnownAlerts(Rules(resolve_after=9))
    alerts.look(0, problem(0))
    (closed,) = alerts.look(1, outside_hours=True).closed
    assert (closed.over, closed.is_unwatched, closed.over_at) == (OUTSIDE_HOURS, True, at(1))
    assert not alerts.look(2, outside_hours=True).changed
    (raised,) = alerts.look(3, problem(3)).raised
    assert (raised.over, raised.is_unwatched) == ("good 3", False)


def test_looks_outside_its_hours_say_nothing_about_readings_in_a_row() -> None:
    alerts = KnownAlerts(Rules(raise_after=2))
    alerts.look(0, problem(0))
    for minutes in (1, 2):
        assert not alerts.look(minutes, outside_hours=True).changed
    (raised,) = alerts.look(3, problem(3)).raised
    assert (raised.since, raised.raised_at) == (at(0), at(3))
    alerts.look(4)
    alerts.look(5, problem(5))
    alerts.look(6, outside_hours=True)
    assert alerts.look(7, problem(7)).raised, "after an end too"


def test_what_is_over_and_not_forgotten_is_raised_anew_under_a_higher_version() -> None:
    alerts = KnownAlerts(Rules(raise_after=2))
    alerts.look(0, problem(0))
    alerts.look(1, problem(1))
    alerts.look(2)
    over = alerts.known[KEY]
    (standing,) = alerts.look(3, problem(3)).standing
    assert standing.since == at(3), "not since the trouble that is over"
    assert alerts.known[KEY].over_at == over.over_at, "its end may still have to be notified"
    (raised,) = alerts.look(4, problem(4)).raised
    assert raised.version > over.version
    assert (raised.since, raised.raised_at, raised.over_at) == (at(3), at(4), None)


def test_what_is_over_does_not_add_up_bad_readings_that_are_not_in_a_row() -> None:
    alerts = KnownAlerts(Rules(raise_after=2))
    for minutes, is_bad in enumerate([True, True, False, True, False, True]):
        found = alerts.look(minutes, *([problem(minutes)] if is_bad else []))
    assert not found.raised
    (raised,) = alerts.look(6, problem(6)).raised
    assert raised.since == at(5)


def test_of_two_problems_with_one_key_the_later_counts() -> None:
    alerts = KnownAlerts()
    found = alerts.look(5, problem(1), problem(2))
    assert [alert.text for alert in found.raised] == ["bad at 2"]
    assert len(found.standing) == 1


def test_a_look_that_finds_things_as_they_were_changes_nothing() -> None:
    alerts = KnownAlerts()
    alerts.look(0, problem(0))
    again = alerts.look(9, problem(0))
    assert (again.changed, again.gone, again.raised, again.closed) == ((), (), (), ())
    alerts.look(10)
    assert alerts.look(11).changed == ()


def test_a_further_acknowledgement_counts_if_it_says_something_new() -> None:
    alert = Alert(key="a/50101/below", text="bad", since=AT, raised_at=AT, version=1)
    first = acknowledge(alert, by="anna", why="", now=AT)
    known = acknowledge(first, by="bert", why="on site", now=AT)
    assert [each.version for each in (first, known)] == [2, 3]
    assert acknowledge(known, by="carl", why="", now=AT) is known
    assert acknowledge(known, by="carl", why="on site", now=AT) is known
    third = acknowledge(known, by="carl", why="parts come at noon", now=AT)
    worse = replace(third, version=third.version + 1)
    anew = acknowledge(worse, by="anna", why="needs two people", now=AT)
    found = [each.acknowledged for each in (first, known, third, anew)]
    assert [each and (each.by, each.version, each.times) for each in found] == [
        ("anna", 2, 1),
        ("bert", 3, 2),
        ("carl", 4, 3),
        ("anna", 6, 1),
    ]


@pytest.mark.parametrize(
    ("key", "closes"),
    [
        ("a/count/failed", True),
        ("a/count/missed", True),
        ("a/count/crashed", True),
        ("a/50101/below", True),
        ("a/50101 %2F 50102/below", True),
        ("a/jobs/import/below", True),
        ("b/jobs/import/below", False),
        ("a/other/failed", False),
        ("a/count/overdue", False),
        ("b/count/failed", False),
        ("b/50101/below", False),
        ("tallyd/out", False),
        ("a/below", False),
        ("a/count/x/failed", False),
    ],
)
def test_a_reading_closes_what_its_job_evaluates_and_what_was_said_of_its_runs(
    key: str, closes: bool
) -> None:
    assert closed_by_reading("a", "count", frozenset({"below"}))(key) is closes


@pytest.mark.parametrize(
    ("key", "is_unwatched"),
    [
        ("a/count/failed", False),
        ("a/50101/below", False),
        ("a/count/overdue", False),
        ("gone/count/failed", True),
        ("gone/50101/below", True),
        ("a/gone/failed", True),
        ("tallyd/config", False),
        ("tallyd/ops/undelivered", False),
    ],
)
def test_what_no_job_watches_any_more_is_unwatched(key: str, is_unwatched: bool) -> None:
    assert unwatched([("a", "count", frozenset({"below"}))])(key) is is_unwatched


@pytest.mark.parametrize(
    ("key", "is_unwatched"),
    [
        ("a/50101/below", False),
        ("a/50102/below", True),
        ("a/50102/above", False),
        ("b/50102/below", False),
        ("a/count/failed", False),
    ],
)
def test_of_what_has_subjects_the_others_are_unwatched(key: str, is_unwatched: bool) -> None:
    jobs = [(poller, "count", frozenset({"below", "above"})) for poller in "ab"]
    assert unwatched(jobs, {"a": {"below": frozenset({"50101"})}})(key) is is_unwatched


@pytest.mark.parametrize(
    ("ended", "until", "lasted"),
    [
        pytest.param(None, 240, 4 * 3600, id="until now"),
        pytest.param(10, 240, 600, id="until its end"),
        pytest.param(None, -5, 0, id="the clock was set back"),
    ],
)
def test_a_problem_lasts_until_its_end_or_until_now_and_never_less_than_nothing(
    ended: int | None, until: int, lasted: float
) -> None:
    alerts = KnownAlerts()
    alerts.look(0, problem(0))
    alert = replace(alerts.known[KEY], over_at=None if ended is None else at(ended))
    assert lasted_s(alert, until=at(until)) == lasted
