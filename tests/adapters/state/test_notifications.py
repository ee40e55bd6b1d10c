"""The state: the alerts, the notifications of channels, and the mutes."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.state.conftest import Reopen
from adapters.state.damage import expect_damage
from tallyd.adapters.state import State
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.notices import Notified
from tallyd.core.alerts.rules import Alert, Observations, Rules
from tallyd.core.alerts.values import Age, At, Several, Span
from tallyd.core.reading import Problem

AT = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY, OTHER = "divera/count/failed", "divera/50101/below"
OPEN = Alert(
    key=KEY,
    severity="error",
    text="bad",
    over="good",
    since=AT,
    version=1,
    raised_at=AT + timedelta(minutes=6),
)
OVER = replace(OPEN, version=2, over_at=AT + HOUR)
WAITING = Alert(key=OTHER, severity="warning", text="few", over="", since=AT, bad=2, bad_since=AT)


def observations(*named: Problem, rules: Rules | None = None, hours: int = 0) -> Observations:
    return Observations(
        named=named, may_resolve=lambda _key: True, now=AT + hours * HOUR, rules=rules or Rules()
    )


def bad(hours: int = 0) -> Problem:
    return Problem(key=KEY, text="bad", over="good", since=AT + hours * HOUR)


# -- alerts --------------------------------------------------------------------------------------------------

instants = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)).map(  # noqa: DTZ001 # it is given one here
    lambda at: at.replace(tzinfo=UTC)
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
templates = texts.map(lambda text: re.sub(r"[\[\]{}]", r"\g<0>\g<0>", text)) | st.just(
    "{a}[ for {b:# day|# days}]"
)
values = st.one_of(
    texts,
    st.integers(),
    st.builds(At, instants, st.booleans()),
    st.builds(Age, instants),
    st.builds(Span, st.floats(allow_nan=False, allow_infinity=False)),
    st.builds(Several, st.lists(texts | st.builds(At, instants)).map(tuple), st.integers(0)),
)
alerts = st.builds(
    Alert,
    key=texts,
    severity=st.sampled_from(["warning", "error"]),
    text=templates,
    over=templates,
    fields=st.dictionaries(texts, values),
    since=instants,
    version=st.integers(0, 10**6),
    bad=st.integers(0, 99),
    bad_since=st.none() | instants,
    good=st.integers(0, 99),
    good_since=st.none() | instants,
    raised_at=st.none() | instants,
    over_at=st.none() | instants,
    is_unwatched=st.booleans(),
)


@given(each=alerts)
def test_every_alert_comes_back_as_it_was(each: Alert, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("state")
    with closing(State(folder / "state.db")) as state:
        state.alerts.put(each)
    with closing(State(folder / "state.db")) as state:
        assert state.alerts.all() == {each.key: each}


def test_an_alert_that_is_put_takes_the_place_of_the_one_with_its_key(state: State) -> None:
    for alert in (OPEN, WAITING, OVER):
        state.alerts.put(alert)
    assert state.alerts.all() == {KEY: OVER, OTHER: WAITING}


def test_only_open_alerts_are_listed_as_open_errors_first_then_the_oldest(state: State) -> None:
    listed = [
        replace(OPEN, key="c"),
        replace(OPEN, key="b", since=AT + HOUR),
        replace(OPEN, key="a", severity="warning"),
    ]
    for alert in (*reversed(listed), OVER, WAITING):
        state.alerts.put(alert)
    assert list(state.alerts.open()) == listed
    assert list(state.alerts.standing()) == [*listed, WAITING]
    assert list(state.alerts.standing(most=2)) == listed[:2]
    assert state.alerts.standing_keys() == (frozenset("abc"), frozenset({WAITING.key}))


def test_an_evaluation_is_stored_through_restarts(state: State, reopened: Reopen) -> None:
    rules = Rules(raise_after=2, resolve_after=2)
    raised = []
    for hours, named in enumerate([(bad(0),), (bad(1),), (), ()]):
        raised.append(
            [
                each.version
                for each in state.alerts.evaluate(observations(*named, rules=rules, hours=hours)).raised
            ]
        )
        state = reopened(state)
    assert raised == [[], [1], [], []]
    (alert,) = state.alerts.all().values()
    assert (alert.since, alert.raised_at, alert.over_at) == (AT, AT + HOUR, AT + 2 * HOUR)
    state.close()


def test_what_only_waited_is_gone_with_a_good_reading(state: State) -> None:
    rules = Rules(raise_after=2)
    state.alerts.evaluate(observations(bad(), rules=rules))
    assert state.alerts.evaluate(observations(rules=rules)).gone == (KEY,)
    assert state.alerts.all() == {}


def test_only_settled_resolved_alerts_are_forgotten_with_their_notifications(state: State) -> None:
    other = replace(OVER, key=OTHER)
    third = replace(OPEN, key="divera/count/missed")
    for alert in (OVER, other, third):
        state.alerts.put(alert)
    state.notifications.mark(
        {(channel, key): Notified(2, AT) for channel in ("ops", "phone") for key in (KEY, OTHER)}
    )
    state.alerts.forget(lambda alert: alert.key != OTHER)
    assert set(state.alerts.all()) == {OTHER, third.key}
    assert set(state.notifications.notified()) == {("ops", OTHER), ("phone", OTHER)}


def test_an_alert_that_is_raised_again_while_it_is_being_forgotten_stays(
    state: State, place: Path | str
) -> None:
    state.alerts.put(OVER)
    state.notifications.mark({("ops", KEY): Notified(2, AT)})

    def is_settled(alert: Alert) -> bool:
        if alert == OVER:
            state.alerts.put(replace(OPEN, version=3))
        return True

    with closing(State(place)) as other:
        other.alerts.forget(is_settled)
    assert state.alerts.all() == {KEY: replace(OPEN, version=3)}
    assert state.notifications.notified() == {("ops", KEY): Notified(2, AT)}


# -- what was notified ---------------------------------------------------------------------------------------


def test_the_last_notification_is_stored_by_channel_and_key(state: State, reopened: Reopen) -> None:
    state.notifications.mark(
        {("ops", KEY): Notified(1, AT), ("phone", KEY): Notified(1, AT), ("ops", OTHER): Notified(4, AT)}
    )
    state.notifications.mark({("ops", KEY): Notified(2, AT + HOUR)})
    state = reopened(state)
    assert state.notifications.notified() == {
        ("ops", KEY): Notified(2, AT + HOUR),
        ("phone", KEY): Notified(1, AT),
        ("ops", OTHER): Notified(4, AT),
    }
    state.close()


def test_notifications_of_removed_channels_are_forgotten(state: State) -> None:
    state.notifications.mark({(channel, KEY): Notified(1, AT) for channel in ("ops", "phone", "mail")})
    state.notifications.forget_channels(frozenset({"ops", "new"}))
    assert set(state.notifications.notified()) == {("ops", KEY)}


# -- mutes ---------------------------------------------------------------------------------------------------


def muted(state: State, pattern: str = "divera/*", hours: int = 2) -> None:
    state.notifications.mute(pattern, since=AT, until=AT + hours * HOUR, why="moved", by="anna")


def test_a_mute_is_remembered_whole(state: State, reopened: Reopen) -> None:
    muted(state)
    state = reopened(state)
    assert state.notifications.mutes() == (
        Mute(pattern="divera/*", since=AT, until=AT + 2 * HOUR, why="moved", by="anna"),
    )
    state.close()


def test_each_change_of_a_mute_has_a_new_version(state: State) -> None:
    muted(state)
    assert state.notifications.unmute("divera/*", now=AT, by="bert")
    (ended,) = state.notifications.mutes()
    assert (ended.version, ended.ended_by) == (2, "bert")
    assert not ended.is_in_force(AT)
    muted(state, hours=9)
    (again,) = state.notifications.mutes()
    assert (again.version, again.ended_by, again.until) == (3, None, AT + 9 * HOUR)


@pytest.mark.parametrize(
    ("pattern", "hours"), [("other/*", 0), ("divera/*", 2)], ids=["never muted", "ran out"]
)
def test_what_is_not_muted_cannot_be_unmuted(pattern: str, hours: int, state: State) -> None:
    muted(state)
    before = state.notifications.mutes()
    assert not state.notifications.unmute(pattern, now=AT + hours * HOUR, by="bert")
    assert state.notifications.mutes() == before


def test_a_mute_is_unmuted_once(state: State) -> None:
    muted(state)
    assert state.notifications.unmute("divera/*", now=AT, by="bert")
    assert not state.notifications.unmute("divera/*", now=AT, by="carl")


def test_a_mute_is_forgotten_with_its_notifications_unless_it_was_changed_meanwhile(state: State) -> None:
    for pattern in ("a/*", "b/*", "c/*"):
        muted(state, pattern)
    keys = {each.pattern: each.key for each in state.notifications.mutes()}
    state.notifications.mark({("ops", key): Notified(1, AT) for key in keys.values()})
    muted(state, "b/*", hours=9)
    state.notifications.forget_mutes(frozenset({"a/*", "b/*"}), versions={"a/*": 1, "b/*": 1, "c/*": 1})
    assert [each.pattern for each in state.notifications.mutes()] == ["b/*", "c/*"]
    assert set(state.notifications.notified()) == {("ops", keys["b/*"]), ("ops", keys["c/*"])}


# -- nothing is written when nothing changes -----------------------------------------------------------------

IDLE: dict[str, Callable[[State], object]] = {
    "the same problem": lambda state: state.alerts.evaluate(observations(bad(), hours=5)),
    "nothing over is settled": lambda state: state.alerts.forget(lambda _alert: False),
    "nothing that is settled is over": lambda state: state.alerts.forget(lambda alert: alert.key == KEY),
    "no channel is gone": lambda state: state.notifications.forget_channels(frozenset({"ops"})),
    "no mute is over": lambda state: state.notifications.forget_mutes(frozenset(), versions={}),
    "not muted": lambda state: state.notifications.unmute("nothing", now=AT, by=""),
    "nobody was notified": lambda state: state.notifications.mark({}),
    "looked at": lambda state: (state.alerts.all(), state.alerts.open(), state.notifications.notified()),
}


@pytest.mark.parametrize("idle", IDLE.values(), ids=list(IDLE))
def test_nothing_is_written_if_nothing_changes(
    idle: Callable[[State], object], state: State, watcher: State
) -> None:
    state.alerts.evaluate(observations(bad()))
    state.alerts.put(replace(OVER, key="tallyd/log"))
    state.notifications.mark({("ops", KEY): Notified(1, AT)})
    muted(state)
    watcher.was_changed_elsewhere()
    idle(state)
    assert not watcher.was_changed_elsewhere()


# -- damage, and older tables --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        """UPDATE alert SET body=replace(body, '"since":"', '"since":"x')""",
        """UPDATE alert SET body=replace(body, '"raised_at":"', '"raised_at":"x')""",
        """UPDATE alert SET body=replace(body, '"over_at":"', '"over_at":"x')""",
        "UPDATE notified SET at='yesterday'",
        "UPDATE mute SET until='yesterday'",
    ],
)
def test_the_check_finds_an_invalid_time(statement: str, state: State) -> None:
    state.alerts.put(OVER)
    state.notifications.mark({("ops", KEY): Notified(1, AT)})
    muted(state)
    expect_damage(state, statement)
