"""The alerts while state.db cannot be used, and what is forgotten once it can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.fakeworld import disk_refuses
from tallyd.adapters.state import State
from tallyd.core.alerts.notices import Notified
from tallyd.core.alerts.rules import Observations, Rules
from tallyd.core.reading import Problem
from tallyd.storage.alert_store import AlertStore

NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
PROBLEM = Problem(key="one/gate/below", text="too few", since=NOW)
TWICE = Rules(raise_after=2)
GOOD = Observations(named=(), may_resolve=lambda _key: True, now=NOW, rules=TWICE)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A state with one bad reading, of two that raise an alert."""
    with closing(State(tmp_path / "state.db")) as state:
        state.alerts.evaluate(
            Observations(named=(PROBLEM,), may_resolve=lambda _key: False, now=NOW, rules=TWICE)
        )
        yield state


@pytest.fixture
def alerts(state: State) -> AlertStore:
    return AlertStore(state, now=lambda: NOW)


def test_a_good_reading_that_is_only_in_memory_ends_what_waited_for_the_next_bad_one(
    alerts: AlertStore,
) -> None:
    assert [each.is_waiting for each in alerts.alerts().values()] == [True]
    assert alerts.remember(GOOD)
    assert alerts.alerts() == {}
    assert not alerts.remember(GOOD)
    alerts.caught_up()
    assert list(alerts.alerts()) == [PROBLEM.key]


def test_if_state_db_cannot_be_read_the_alerts_are_those_that_were_read_last(
    state: State, alerts: AlertStore
) -> None:
    before = alerts.alerts()
    state.close()
    assert alerts.alerts() == before != {}


def test_that_state_db_works_again_is_known_once_it_is_stored(state: State, alerts: AlertStore) -> None:
    alerts.state_fails("the disk is full", since=NOW - timedelta(hours=1))
    assert alerts.alerts()["tallyd/state"].is_open
    with disk_refuses():
        alerts.state_works()
        assert alerts.alerts()["tallyd/state"].is_open
    alerts.state_works()
    assert [
        each.over_at for each in (alerts.alerts()["tallyd/state"], state.alerts.all()["tallyd/state"])
    ] == [NOW] * 2


def test_that_state_db_fails_again_before_its_end_could_be_stored_is_one_problem(alerts: AlertStore) -> None:
    alerts.state_fails("the disk is full", since=NOW - timedelta(hours=1))
    first = alerts.alerts()["tallyd/state"]
    with disk_refuses():
        alerts.state_works()
        alerts.state_fails("the disk is full", since=NOW - timedelta(hours=1))
    assert alerts.alerts()["tallyd/state"] == first


def test_a_notification_is_stored_once_its_alert_is(state: State, alerts: AlertStore) -> None:
    told = {("ops", "one/gate/below"): Notified(version=1, at=NOW)}
    alerts.remember(GOOD)
    alerts.mark(told)
    assert state.notifications.notified() == {}, "killed here, it would pass for one of the next alert"
    assert alerts.notified() == told
    alerts.caught_up()
    assert state.notifications.notified() == told


def test_of_a_channel_that_left_the_config_nothing_is_kept(state: State, alerts: AlertStore) -> None:
    told = Notified(version=1, at=NOW)
    state.notifications.mark({("ops", PROBLEM.key): told, ("gone", PROBLEM.key): told})
    alerts.alerts()
    alerts.forget(lambda _alert: False, is_mute_settled=lambda _mute: False, channels=frozenset({"ops"}))
    assert state.notifications.notified() == {("ops", PROBLEM.key): told}


def test_of_what_was_delivered_while_state_db_failed_the_first_begin_and_the_last_end_are_stored(
    state: State, alerts: AlertStore
) -> None:
    state.alerts.evaluate(Observations(named=(PROBLEM,), may_resolve=lambda _key: False, now=NOW))
    with disk_refuses():
        for hours in range(3):
            at, whose = NOW + timedelta(hours=hours), (PROBLEM.key, NOW)
            alerts.mark(
                {("ops", PROBLEM.key): Notified(1, at)},
                {(whose, "ops", "begins"): at, (whose, "ops", "over"): at},
            )
    alerts.caught_up()
    (incident,) = state.incidents.between(NOW - timedelta(days=1), NOW + timedelta(days=1))
    assert {each.news: each.at for each in incident.notices} == {
        "begins": NOW,
        "over": NOW + timedelta(hours=2),
    }
