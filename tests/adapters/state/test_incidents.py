"""The state: what is kept of alerts that were raised, of their notices, and of when tallyd was on."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from adapters.state.conftest import sqlite_of
from adapters.state.damage import execute, expect_damage
from tallyd.adapters.state import State
from tallyd.core.alerts.incident_states import incident_timeline
from tallyd.core.alerts.incidents import Incident, IncidentNotice
from tallyd.core.alerts.notices import Notified
from tallyd.core.alerts.rules import Alert, Observations, Rules
from tallyd.core.naming import problem_key
from tallyd.core.reading import Problem, Severity

AT = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = HOUR / 60
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
KEY = "apps/main/stale"


def stale(text: str = "bad", key: str = KEY, **more: object) -> Problem:
    problem = Problem(key=key, text=text, over=f"{text} no more", since=AT - HOUR, severity="warning")
    return replace(problem, **more)  # type: ignore[arg-type] # each caller names fields of a problem


def look(state: State, hours: float, *named: Problem, **more: object) -> None:
    """Evaluate what was found at AT + hours."""
    seen = Observations(named=named, may_resolve=lambda _key: True, now=AT + hours * HOUR)
    state.alerts.evaluate(replace(seen, **more))  # type: ignore[arg-type] # as above


def known(state: State) -> tuple[Incident, ...]:
    return state.incidents.between(*ALWAYS)


def test_an_alert_that_is_raised_and_ends_is_one_incident_from_its_beginning_to_its_end(state: State) -> None:
    look(state, 0, stale())
    (is_open,) = known(state)
    assert is_open.ended_at is None
    look(state, 2)
    state.alerts.forget(lambda _alert: True)
    assert state.alerts.all() == {}
    assert known(state) == (replace(is_open, ended_at=AT + 2 * HOUR),)
    assert (is_open.since, is_open.raised_at) == (AT - HOUR, AT)
    assert (is_open.poller, is_open.subject, is_open.text) == ("apps", "main", "bad")


def test_what_only_waits_to_be_raised_is_no_incident(state: State) -> None:
    rules = Rules(raise_after=2)
    look(state, 0, stale(), rules=rules)
    look(state, 1, rules=rules)
    assert known(state) == ()


def test_an_incident_keeps_the_text_of_its_worst_and_of_those_the_last(state: State) -> None:
    found = [
        stale("a warning"),
        stale("an error", severity="error"),
        stale("an error, still", severity="error", fields={"limit": 3}),
        stale("a warning again"),
    ]
    for hours, problem in enumerate(found):
        look(state, hours, problem)
    assert state.alerts.all()[KEY].text == "a warning again"
    look(state, 9)
    (incident,) = known(state)
    assert (incident.severity, incident.text) == ("error", "an error, still")
    assert (incident.over, incident.fields) == ("an error, still no more", {"limit": 3})
    assert incident.ended_at == AT + 9 * HOUR


@pytest.mark.parametrize("seed", range(20))
def test_each_minute_of_an_incident_counts_as_what_it_was_then(state: State, seed: int) -> None:
    """The same is computed a second time, minute by minute, from what was found."""
    chance, minute = random.Random(seed), HOUR / 60
    looks = sorted(chance.sample(range(60 * 24), 30))
    found: dict[int, Severity | None] = {at: chance.choice(("warning", "error", None)) for at in looks}
    for at, severity in found.items():
        since = AT + (at - chance.choice((0, 0, 7))) * minute
        look(state, at / 60, *([stale(severity=severity, since=since)] if severity else ()))
    levels: list[str] = ["fine"] * (60 * 25)
    for at, until in pairwise((*looks, len(levels))):
        levels[at:until] = [found[at] or "fine"] * (until - at)
    for each in known(state):  # a problem may be older than the look that found it
        begin, raised = ((at - AT) // minute for at in (each.since, each.raised_at))
        for at in range(max(0, begin), raised):  # there may have been another one, and the worse one counts
            levels[at] = min(levels[at], levels[raised], key=("error", "warning", "fine").index)
    borders = [AT + hour * HOUR for hour in range(26)]
    shown = incident_timeline(known(state), [(borders[0], borders[-1])], borders)
    for number, span in enumerate(shown.spans):
        hour = Counter(levels[number * 60 : number * 60 + 60])
        assert {state.level: held_s / 60 for state, held_s in span.seconds.items()} == hour


def test_after_the_clock_was_set_back_the_last_severity_is_the_one_that_came_last(state: State) -> None:
    look(state, 0, stale(since=AT))
    look(state, -0.75, stale(severity="error", since=AT))
    (is_open,) = known(state)
    assert (is_open.severity_now, [severity for _, severity in is_open.severities]) == (
        "error",
        ["warning", "error"],
    )
    look(state, -0.5)
    (incident,) = known(state)
    borders = [AT - HOUR, AT + HOUR]
    shown = incident_timeline((incident,), [(AT - HOUR, AT + HOUR)], borders)
    assert {state.level: held_s / 60 for state, held_s in shown.amounts} == {"fine": 105, "error": 15}


@pytest.mark.parametrize(
    ("changed_at", "ended_at", "minutes"),
    [
        pytest.param(30, 60, [(0, 30), (30, 60)], id="a-clock-that-goes-on"),
        pytest.param(-20, -10, [(-20, -20), (-20, -10)], id="set-back-before-the-change"),
        pytest.param(30, 20, [(0, 20), (20, 20)], id="set-back-after-the-change"),
        pytest.param(30, -10, [(-10, -10), (-10, -10)], id="ends-before-it-began"),
        pytest.param(30, None, [(0, 30), (30, 90)], id="open"),
    ],
)
def test_no_part_of_an_incident_is_after_its_end(
    state: State, changed_at: int, ended_at: int | None, minutes: list[tuple[int, int]]
) -> None:
    look(state, 0, stale(since=AT))
    look(state, changed_at / 60, stale(severity="error", since=AT))
    if ended_at is not None:
        look(state, ended_at / 60)
    (incident,) = known(state)
    parts = [*incident.parts(until=AT + 1.5 * HOUR)]
    assert [((begin - AT) // MINUTE, (end - AT) // MINUTE) for begin, end, _ in parts] == minutes
    assert [severity for *_, severity in parts] == ["warning", "error"]


def test_a_key_that_is_raised_again_is_another_incident(state: State) -> None:
    for hours, named in enumerate([(stale("once"),), (), (stale("twice", since=AT + 2 * HOUR),), ()]):
        look(state, hours, *named)
    assert [(each.text, each.raised_at, each.ended_at) for each in known(state)] == [
        ("twice", AT + 2 * HOUR, AT + 3 * HOUR),
        ("once", AT, AT + HOUR),
    ]


def test_an_alert_that_nobody_asks_for_any_more_says_so(state: State) -> None:
    look(state, 0, stale())
    look(state, 1, is_unwatched=True)
    assert known(state)[0].is_unwatched


def test_notices_go_to_the_incident_that_they_were_about(state: State) -> None:
    look(state, 0, stale())
    look(state, 1)
    look(state, 2, stale())
    first, again = (KEY, AT), (KEY, AT + 2 * HOUR)
    sent = [
        (first, "begins", 0.1),
        (first, "reminder", 0.3),
        (first, "reminder", 0.5),
        (first, "begins", 0.6),
    ]
    for incident, news, hours in [*sent, (again, "begins", 2.1), (first, "over", 2.2)]:
        at = AT + hours * HOUR
        state.notifications.mark({("ops", KEY): Notified(1, at)}, {(incident, "ops", news): at})  # type: ignore[dict-item] # a list of text
    later, earlier = known(state)
    assert later.notices == (IncidentNotice("ops", "begins", AT + 2.1 * HOUR),)
    assert earlier.notices == (
        IncidentNotice("ops", "begins", AT + 0.1 * HOUR),
        IncidentNotice("ops", "reminder", AT + 0.5 * HOUR),
        IncidentNotice("ops", "over", AT + 2.2 * HOUR),
    )


def test_an_incident_knows_who_muted_it_whether_before_it_began_or_after(state: State) -> None:
    def mute(pattern: str, by: str, hours: float) -> None:
        begin = AT + hours * HOUR
        state.notifications.mute(pattern, since=begin, until=begin + 3 * HOUR, why="", by=by)

    look(state, 0, stale(), stale(key="apps/other/stale"))
    mute("apps/main/*", "ada", 1)
    look(state, 2, stale(), stale(key="apps/main/failed"))
    state.notifications.unmute("apps/main/*", now=AT + 3 * HOUR, by="bob")
    look(state, 4)
    mute("*", "carl", 5)
    look(state, 9, stale("after the mute", key="apps/main/late"))
    by = {each.key: each.muted_by for each in known(state)}
    assert by == {
        KEY: "ada",
        "apps/main/failed": "ada",
        "apps/other/stale": None,
        "apps/main/late": None,
    }


# -- which ones ----------------------------------------------------------------------------------------------


def put(state: State, key: str, begin: float, end: float | None) -> None:
    """Store an incident that lasted from hour to hour."""
    began = AT + begin * HOUR
    over_at = None if end is None else AT + end * HOUR
    state.alerts.put(
        Alert(
            key=key,
            severity="error",
            text=f"{begin}-{end}",
            over="",
            since=began,
            raised_at=began,
            over_at=over_at,
        )
    )


def test_those_that_overlap_are_found_the_last_first(state: State) -> None:
    for begin, end in [(0, 1), (1, 2), (2, 5), (4, None), (6, 7)]:
        put(state, KEY, begin, end)
    found = state.incidents.between(AT + 2 * HOUR, AT + 6 * HOUR)
    assert [each.text for each in found] == ["4-None", "2-5"]
    assert [each.text for each in state.incidents.between(*ALWAYS, most=2, skip=1)] == ["4-None", "2-5"]


def test_a_poller_and_a_subject_are_found_by_whole_segments(state: State) -> None:
    odd = problem_key("apps", "PROD / main", "stale")
    for key in (KEY, "apps/mainly/stale", "apps/main/failed", "apps-2/main/stale", "tallyd/out", odd):
        put(state, key, 0, 1)

    def keys(poller: str, subject: str = "") -> list[str]:
        return [each.key for each in state.incidents.between(*ALWAYS, poller=poller, subject=subject)]

    assert keys("apps") == [odd, "apps/main/failed", KEY, "apps/mainly/stale"]
    assert keys("apps", "main") == ["apps/main/failed", KEY]
    assert keys("apps", "PROD / main") == [odd]
    put(state, "apps/main/import/stale", 2, 3)
    assert keys("apps", "main") == ["apps/main/import/stale", "apps/main/failed", KEY], "also of its items"
    assert keys("tallyd") == ["tallyd/out"]
    assert keys("app") == []
    assert state.incidents.pollers() == ("apps", "apps-2", "tallyd")


# -- retention, and damage -----------------------------------------------------------------------------------


def test_what_ended_long_ago_is_deleted_with_its_notices_and_what_is_open_stays(state: State) -> None:
    for begin, end in [(0, 1), (0.5, None), (2, 9)]:
        put(state, KEY if end else "apps/other/stale", begin, end)
        at = AT + (begin + 0.1) * HOUR
        state.notifications.mark(
            {}, {((KEY if end else "apps/other/stale", AT + begin * HOUR), "ops", "begins"): at}
        )
    state.incidents.prune(AT + 5 * HOUR)
    assert [each.text for each in known(state)] == ["2-9", "0.5-None"]
    assert all(each.notices for each in known(state))
    assert execute(state, "SELECT count(*) FROM incident_notice") == [(2,)]


def test_a_notice_whose_incident_is_still_to_be_stored_is_kept(state: State) -> None:
    state.notifications.mark({}, {((KEY, AT), "ops", "begins"): AT + HOUR})
    state.incidents.prune(AT)
    look(state, 0, stale())
    assert known(state)[0].notices == (IncidentNotice("ops", "begins", AT + HOUR),)


def test_when_tallyd_was_on_is_found_clipped_and_without_overlaps_and_the_old_is_deleted(
    state: State,
) -> None:
    state.uptime.note({AT: AT + HOUR})
    state.uptime.note({AT: AT + 2 * HOUR, AT + 5 * HOUR: AT + 6 * HOUR})
    state.uptime.note({AT + HOUR: AT + 3 * HOUR})
    assert state.uptime.between(*ALWAYS, now=AT + 24 * HOUR) == (
        (AT, AT + 3 * HOUR),
        (AT + 5 * HOUR, AT + 6 * HOUR),
    )
    assert state.uptime.between(AT + 2 * HOUR, AT + 5.5 * HOUR, now=AT + 24 * HOUR) == (
        (AT + 2 * HOUR, AT + 3 * HOUR),
        (AT + 5 * HOUR, AT + 5.5 * HOUR),
    )
    now = AT + 6 * HOUR + timedelta(minutes=1)
    assert state.uptime.between(AT + 6 * HOUR, now, now=now) == ((AT + 6 * HOUR, now),), (
        "its last beat is older"
    )
    for before in (AT + 2 * HOUR, AT + 2 * HOUR):
        state.uptime.prune(before)
        assert state.uptime.between(*ALWAYS, now=AT + 24 * HOUR) == (
            (before, AT + 3 * HOUR),
            (AT + 5 * HOUR, AT + 6 * HOUR),
        )
    state.uptime.prune(AT + 4 * HOUR)
    assert state.uptime.between(*ALWAYS, now=AT + 24 * HOUR) == ((AT + 5 * HOUR, AT + 6 * HOUR),)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param("UPDATE incident SET since='yesterday'", id="a-time"),
        pytest.param("UPDATE incident SET fields='['", id="the-fields"),
        pytest.param("UPDATE incident_notice SET at='yesterday'", id="the-time-of-a-notice"),
        pytest.param("UPDATE uptime SET seen_at='yesterday'", id="a-time-of-the-uptime"),
        pytest.param("DROP TABLE incident_notice", id="no-notices"),
        pytest.param("ALTER TABLE uptime RENAME TO uptimes", id="no-uptime"),
    ],
)
def test_the_check_finds_what_the_daemon_could_not_go_on_with(spoil: str, state: State) -> None:
    look(state, 0, stale())
    state.notifications.mark({}, {((KEY, AT), "ops", "begins"): AT})
    state.uptime.note({AT: AT})
    expect_damage(state, spoil)


QUERIES = {
    "all": ({}, "incident_by_end"),
    "of-a-poller": ({"poller": "apps"}, "incident_by_end"),
    "the-newest": ({"most": 5}, "incident_by_begin"),
    "the-newest-of-a-poller": ({"poller": "apps", "most": 5}, "incident_by_begin"),
    "of-a-subject": ({"poller": "apps", "subject": "main", "most": 5}, "sqlite_autoindex_incident_1"),
}


@pytest.mark.parametrize(("keys", "index"), QUERIES.values(), ids=list(QUERIES))
def test_each_query_uses_an_index(keys: dict[str, Any], index: str, state_file: State) -> None:
    state, db = state_file, sqlite_of(state_file)  # what SQLite is asked is seen nowhere else
    look(state, 0, stale())
    asked: list[str] = []
    with state._connection.reading():
        db.set_trace_callback(asked.append)
        assert state.incidents.between(*ALWAYS, **keys)
        db.set_trace_callback(None)
        incidents, notices = ([row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {each}")] for each in asked)
    assert f"USING INDEX {index} " in incidents[0]
    assert any(
        "SEARCH incident_notice USING INDEX sqlite_autoindex_incident_notice_1" in each for each in notices
    )
