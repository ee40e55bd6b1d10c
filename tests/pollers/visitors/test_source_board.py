"""The view of one source: its numbers of today, and for how much of the time it was well."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.past import BERLIN, FakePast
from tallyd.contract.board import Asked
from tallyd.core.alerts.incidents import Incident
from tallyd.core.panels import Gap, StateTimeline, Table, tables_of
from tallyd.core.reading import Severity
from tallyd.core.states import State, Timeline
from tallyd.pollers.visitors.poller import VisitorsPoller

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SILENT, WELL = State("error", "trouble"), State("fine", "all well")


def poller() -> VisitorsPoller:
    keys = {"kind": "visitors", "inbox": "inbox", "sources": {"12": {"label": "Gate 12"}, "23": {}}}
    return VisitorsPoller.model_validate_json(json.dumps(keys))


def incident(subject: str, began: datetime, ended: datetime | None, severity: Severity = "error") -> Incident:
    return Incident(
        key=f"park/{subject}/no_files",
        severity=severity,
        text="",
        over="",
        since=began,
        raised_at=began,
        severities=((began, severity),),
        ended_at=ended,
    )


def past(
    *incidents: Incident, on: Sequence[tuple[datetime, datetime]] = ((NOW - 10 * DAY, NOW),)
) -> FakePast:
    return FakePast(poller="park", now=NOW, happened=incidents, was_on=on)


def test_its_shares_are_of_the_time_in_which_tallyd_was_on() -> None:
    found = past(incident("12", NOW - 30 * HOUR, NOW - 18 * HOUR), incident("23", NOW - 5 * HOUR, None))
    board = poller().subject_board(found, "12")
    (shares,) = tables_of(board.panels)
    assert [round(float(str(each)), 6) for each in shares.cells("well_share")] == [
        round(1 - hours, 6) for hours in (6 / 24, 12 / 158, 12 / 240, 12 / 240)
    ]
    assert shares.cells("no_data_share")[:2] == (0.0, 0.0)
    assert {stat.key for stat in board.stats} == {"name", "state", "last_file", "in", "out", "inside"}


def test_of_a_source_that_nobody_knows_no_number_is_invented() -> None:
    board = poller().subject_board(past(on=()), "77")
    assert board.stats == ()
    (shares,) = tables_of(board.panels)
    assert set(shares.cells("well_share")) == {Gap.UNKNOWN}
    assert set(shares.cells("no_data_share")) == {1.0}
    assert board.notes == ("This source is not configured, and no file came from it lately.",)


def test_each_source_has_its_last_day() -> None:
    found = past(incident("12", NOW - 3 * HOUR, NOW - 2 * HOUR))
    table = next(each for each in tables_of(poller().now_board(found).panels) if each.key == "sources")
    gate, other = (row[-1] for row in table.whole(table.rows))
    assert isinstance(gate, Timeline)
    assert isinstance(other, Timeline)
    assert gate.amounts == ((SILENT, 3600.0), (WELL, 23 * 3600.0))
    assert other.amounts == ((WELL, 24 * 3600.0),)


@pytest.mark.parametrize(("source", "trouble_s"), [("", 2 * 3600.0), ("12", 3600.0)])
def test_its_states_over_time_are_those_of_its_own_incidents(source: str, trouble_s: float) -> None:
    found = past(incident("12", NOW - 3 * HOUR, NOW - 2 * HOUR), incident("23", NOW - 2 * HOUR, NOW - HOUR))
    asked = Asked(first=NOW.date() - DAY, last=NOW.date(), range="24h", options={"source": source})
    states = poller().states(found, asked)
    assert isinstance(states, StateTimeline)
    assert dict(states.timeline.amounts)[SILENT] == trouble_s
    assert states.title == f"State of {poller().subject_label(source) if source else 'park'}, last 24 hours"


def test_a_week_has_one_beginning_for_its_numbers_and_its_states() -> None:
    asked = Asked.read(back="7d", today=NOW.date(), default_days=lambda _by: 1)
    states = poller().states(past(), asked)
    assert isinstance(states, StateTimeline)
    assert states.title == "State of park"
    assert states.timeline.spans[0].begin == asked.span(BERLIN)[0] == datetime(2026, 11, 13, 23, tzinfo=UTC)


@pytest.mark.parametrize("subject", ["inbox", "database", "sweep"])
def test_what_stops_all_counting_is_an_incident_of_every_source(subject: str) -> None:
    found = past(incident(subject, NOW - 6 * HOUR, NOW - 3 * HOUR), incident("report", NOW - HOUR, None))
    table = next(each for each in tables_of(poller().now_board(found).panels) if each.key == "sources")
    for row in table.whole(table.rows):
        assert isinstance(row[-1], Timeline)
        assert dict(row[-1].amounts)[SILENT] == 3 * 3600.0
    asked = Asked(first=NOW.date() - DAY, last=NOW.date(), range="24h", options={"source": "12"})
    states = poller().states(found, asked)
    assert isinstance(states, StateTimeline)
    assert dict(states.timeline.amounts)[SILENT] == 3 * 3600.0
    (shares,) = tables_of(poller().subject_board(found, "12").panels)
    assert shares.cells("well_share")[0] == 1 - 3 / 24


def test_a_source_named_inbox_is_not_the_inbox() -> None:
    keys = {"kind": "visitors", "inbox": "inbox", "sources": {"12": {}, "inbox": {}}}
    named = VisitorsPoller.model_validate_json(json.dumps(keys))
    found = past(incident("inbox", NOW - HOUR, None))
    (shares,) = tables_of(named.subject_board(found, "12").panels)
    assert shares.cells("well_share")[0] == 1.0


def test_days_that_have_not_come_have_no_state() -> None:
    day = NOW.date() + 2 * DAY
    states = poller().states(past(), Asked(first=day, last=day))
    assert isinstance(states, StateTimeline)
    assert (states.timeline.spans, states.nothing) == ((), "These days have not come yet.")
    assert isinstance(states.table, Table)


def test_what_began_since_the_last_minute_that_was_noted_is_not_hidden() -> None:
    found = past(incident("12", NOW - MINUTE, None), on=((NOW - DAY, NOW - 2 * MINUTE),))
    asked = Asked(first=NOW.date() - DAY, last=NOW.date(), range="24h")
    states = poller().states(found, asked)
    assert isinstance(states, StateTimeline)
    assert dict(states.timeline.amounts)[SILENT] == 60.0
    stopped = replace(found, was_on=((NOW - DAY, NOW - 9 * MINUTE),))
    states = poller().states(stopped, asked)
    assert isinstance(states, StateTimeline)
    assert SILENT not in dict(states.timeline.amounts)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=9))
def test_no_share_is_below_zero(microseconds: list[int]) -> None:
    pieces = [incident("12", NOW - timedelta(microseconds=each), NOW) for each in microseconds]
    (shares,) = tables_of(poller().subject_board(past(*pieces), "12").panels)
    assert all(isinstance(each, float) and 0 <= each <= 1 for each in shares.cells("no_data_share"))
