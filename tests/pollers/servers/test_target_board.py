"""The view of one target: its facts, its shares, its states over time and its last changes."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from support.past import BERLIN, FakePast, FakeRecords
from tallyd.contract.board import Asked
from tallyd.contract.lags import HourCount, LagRow, held, hour_of
from tallyd.contract.passages import seen_text
from tallyd.core.alerts.incidents import Incident
from tallyd.core.panels import Board, Chart, Gap, Limit, StateTimeline, Table, tables_of
from tallyd.core.states import State
from tallyd.core.timeline import Range, borders_of
from tallyd.pollers.servers.freshness import Known
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.servers.rounds.target_memory import TargetMemory

NOW = datetime(2026, 11, 20, 13, 20, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RANGES: tuple[Range, ...] = ("24h", "7d", "30d", "90d")
Check = tuple[datetime, str]


def poller(**keys: Any) -> ServersPoller:
    target = {"url": "http://127.0.0.1:9/version", **keys}
    return ServersPoller.model_validate_json(json.dumps({"kind": "servers", "targets": {"PROD": target}}))


def past_of(checks: Sequence[Check], **keys: Any) -> FakePast:
    """Return a past in which PROD was checked so, as a daemon without a restart stores it."""
    hours: dict[str, HourCount] = {}
    lags: list[LagRow] = []
    before: Check | None = None
    for at, state in checks:
        counts = [(hour_of(at), HourCount(1, 5.0))]
        if before:
            counts += held(before[1], before[0], min(at, before[0] + timedelta(seconds=120)))
        for hour, count in counts:
            hours[hour] = hours[hour] + count if hour in hours else count
        if before is None or before[1] != state or at.minute % 10 == 0:
            lags.append(LagRow("PROD", seen_text(at), None, 5.0, state, None))
        before = at, state
    records = FakeRecords(hours=[("PROD", hour, count) for hour, count in hours.items()], lags=lags)
    return FakePast(poller="apps", now=NOW, held=records, **keys)


def table_of(board: Board, key: str) -> Table:
    return next(table for table in tables_of((*board.panels, *board.details)) if table.key == key)


def every_minute(since: datetime, until: datetime, state: str) -> list[Check]:
    return [(since + number * MINUTE, state) for number in range((until - since) // MINUTE)]


def test_the_facts_of_a_target_stand_first() -> None:
    known = Known(state="late", since=NOW - HOUR, computed_at=NOW - 10 * MINUTE)
    memory = TargetMemory(known={"PROD": known}, checked_at={"PROD": NOW})
    board = poller(stale_after="15m").subject_board(
        past_of((), in_memory={"check": {"memory": memory}}), "PROD"
    )
    assert {stat.key: stat.value for stat in board.stats} == {
        "state": State("warning", "late"),
        "lag_s": 600.0,
        "limit_s": 900.0,
        "every_s": 60.0,
        "since": NOW - HOUR,
        "computed_time": NOW - 10 * MINUTE,
        "url": "http://127.0.0.1:9/version",
    }


def test_the_facts_of_a_target_that_is_due_have_its_next_due_time_instead_of_a_limit() -> None:
    past = past_of(())
    board = poller(due=[{"by": "06:00"}]).subject_board(past, "PROD")
    values = {stat.key: stat.value for stat in board.stats}
    assert "limit_s" not in values
    assert values["next_due"] == datetime(2026, 11, 21, 6, tzinfo=past.zone)


def test_the_query_of_a_url_is_not_shown() -> None:
    board = poller(url="https://app.example:8443/version?code=Zq7-secret").subject_board(past_of(()), "PROD")
    assert "https://app.example:8443/version" in [stat.value for stat in board.stats]
    assert "Zq7" not in repr(board)


def test_of_a_target_that_was_never_checked_nothing_is_zero() -> None:
    board = poller().subject_board(past_of(()), "PROD")
    values = {stat.key: stat.value for stat in board.stats}
    assert values["state"] == State("unknown", "not checked yet")
    assert values["lag_s"] == values["since"] == values["computed_time"] == Gap.UNKNOWN
    assert table_of(board, "shares").rows == tuple(
        (f"{name} {unit}", Gap.UNKNOWN, Gap.UNKNOWN, 1.0, Gap.UNKNOWN, 0)
        for name, unit in ((24, "h"), (7, "d"), (30, "d"), (90, "d"))
    )
    assert table_of(board, "changes").nothing == "No change is stored yet."


def test_a_target_that_left_the_config_keeps_its_shares() -> None:
    board = poller().subject_board(past_of(every_minute(NOW - DAY, NOW, "fresh")), "GONE")
    assert (board.stats, board.notes) == ((), ("The config no longer has this target.",))
    assert len(table_of(board, "shares").rows) == 4


def test_a_database_that_cannot_be_read_hides_no_fact() -> None:
    board = poller().subject_board(FakePast(poller="apps", now=NOW, trouble="it is away"), "PROD")
    assert len(board.stats) == 7
    assert board.troubles == ("The numbers can't be read now: it is away.",)


def test_shares_are_exact_to_the_minute() -> None:
    """The shares against a plain count of minutes: some weeks with troubles, gaps and changes of clocks."""
    chance = random.Random(7)
    begin = datetime(2026, 8, 21, tzinfo=UTC)  # the longest range begins a day later
    long_off = datetime(2026, 10, 10, tzinfo=UTC)
    checks: list[Check] = []
    at, state = begin, "fresh"
    while at < NOW:
        for _ in range(chance.randint(3, 600)):
            checks.append((at, state))
            at += MINUTE
        if chance.random() < 0.2:
            at += chance.randint(3, 900) * MINUTE  # off: two rounds still count
        if begin + 3 * DAY < at < long_off:
            at = long_off
        state = chance.choice(["fresh", "fresh", "late", "stale", "unreachable", "invalid", "future"])
    checks = [check for check in checks if check[0] <= NOW]
    states, newest = dict(checks), checks[-1][0]
    board = poller().subject_board(past_of(checks), "PROD")
    for row, back in zip(table_of(board, "shares").rows, RANGES, strict=True):
        since = borders_of(back, now=NOW, zone=BERLIN)[0]
        minutes = [since + number * MINUTE for number in range((NOW - since) // MINUTE)]
        found = [each for at in minutes if (each := _state_at(states, at, newest))]
        within = sum(each in ("fresh", "late") for each in found)
        wanted = (within / len(found), found.count("fresh") / len(found), 1 - len(found) / len(minutes))
        for share, exact in zip(row[1:4], wanted, strict=True):
            assert isinstance(share, float)
            assert abs(share - exact) * len(minutes) < 1.0


def _state_at(states: dict[datetime, str], at: datetime, newest: datetime) -> str | None:
    """Return the state in the minute from `at` on: that of its check, or of the minute before."""
    if at >= newest:
        return None  # the next check is not there yet
    return states.get(at) or states.get(at - MINUTE)


def test_the_last_changes_are_found_however_long_ago_they_were() -> None:
    checks = [
        *every_minute(NOW - 40 * DAY, NOW - 30 * DAY, "fresh"),
        *every_minute(NOW - 30 * DAY, NOW - 30 * DAY + 5 * MINUTE, "stale"),
        *every_minute(NOW - 30 * DAY + 5 * MINUTE, NOW - 10 * HOUR, "fresh"),
        *every_minute(NOW - 10 * HOUR, NOW, "late"),
        (NOW, "unreachable"),
    ]
    rows = table_of(poller().subject_board(past_of(checks), "PROD"), "changes").rows
    assert [(at, getattr(state, "word", None), getattr(was, "word", None)) for at, state, was, _ in rows] == [
        (NOW, "unreachable", "late"),
        (NOW - 10 * HOUR, "late", "fresh"),
        (NOW - 30 * DAY + 5 * MINUTE, "fresh", "stale"),
        (NOW - 30 * DAY, "stale", "fresh"),
        (NOW - 40 * DAY, "fresh", None),
    ]


def test_changes_in_two_hours_with_the_same_states_are_all_found() -> None:
    hour, half = NOW.replace(minute=0) - 5 * HOUR, 30 * MINUTE
    checks = [
        *every_minute(hour, hour + half, "fresh"),
        *every_minute(hour + half, hour + HOUR + half, "stale"),
        *every_minute(hour + HOUR + half, NOW, "fresh"),
    ]
    rows = table_of(poller().subject_board(past_of(checks), "PROD"), "changes").rows
    assert [row[0] for row in rows] == [hour + HOUR + half, hour + half, hour]


def test_of_many_changes_ten_are_shown() -> None:
    checks = [(NOW - number * MINUTE, "fresh" if number % 2 else "late") for number in range(90, 0, -1)]
    rows = table_of(poller().subject_board(past_of(checks), "PROD"), "changes").rows
    assert [row[0] for row in rows] == [NOW - number * MINUTE for number in range(1, 11)]


def test_a_target_whose_changes_are_not_recorded_says_so() -> None:
    board = poller(record=False).subject_board(past_of(()), "PROD")
    assert table_of(board, "changes").nothing == "Its changes are not recorded (`record` is false)."


@cache
def past_of_forty_days() -> FakePast:
    return past_of(every_minute(NOW - 40 * DAY, NOW, "fresh"))


@pytest.mark.parametrize(
    ("back", "spans", "first"),
    [
        ("24h", 24, datetime(2026, 11, 19, 14, tzinfo=UTC)),
        ("7d", 159, datetime(2026, 11, 13, 23, tzinfo=UTC)),
        ("30d", 30, datetime(2026, 10, 21, 22, tzinfo=UTC)),
        ("90d", 90, datetime(2026, 8, 22, 22, tzinfo=UTC)),
        ("365d", 365, datetime(2025, 11, 20, 23, tzinfo=UTC)),
    ],
)
def test_a_range_has_its_timeline_its_lag_and_its_checks(back: Range, spans: int, first: datetime) -> None:
    past = past_of_forty_days()
    asked = Asked.read(
        back=back,
        options={"target": "PROD"},
        today=date(2026, 11, 20),
        default_days=lambda _by: 1,
    )
    board = poller().past_board(past, asked)
    states = board.panels[0]
    assert isinstance(states, StateTimeline)
    assert (len(states.timeline.spans), states.timeline.spans[0].begin) == (spans, first)
    assert table_of(board, "lag").cells("at")[0] == first
    assert sum(map(int, map(str, table_of(board, "checks").cells("checks")))) == min(
        40 * 24 * 60, (NOW - first) // MINUTE
    )


@pytest.mark.parametrize(
    ("largest_s", "top", "title"),
    [
        (9000.0, None, ""),
        (9001.0, 3600.0, "How old the data of PROD was, up to 1 h; the largest lag was 2 h 30 min"),
    ],
    ids=["a limit that can be seen", "a peak far above the limit"],
)
def test_the_limit_can_be_seen_in_the_chart_of_a_lag(largest_s: float, top: float | None, title: str) -> None:
    hours = [
        ("PROD", seen_text(NOW - number * HOUR), HourCount(60, lag_s))
        for number, lag_s in ((3, 5.0), (2, largest_s))
    ]
    past = FakePast(poller="apps", now=NOW, held=FakeRecords(hours=hours))
    asked = Asked(first=NOW.date() - 6 * DAY, last=NOW.date(), options={"target": "PROD"})
    chart = poller(stale_after="15m").past_board(past, asked).panels[1]
    assert isinstance(chart, Chart)
    assert chart.limit == Limit("stale above", 900.0)
    assert (chart.top, chart.title) == (top, title)


def test_the_chart_of_an_item_has_the_limit_of_its_target() -> None:
    jobs = {"url": "http://127.0.0.1:9/", "stale_after": "15m"}
    each = {"items": "jobs", "name": "name", "time": "at"}
    own = ServersPoller.model_validate_json(
        json.dumps({"kind": "servers", "targets": {"Jobs": {**jobs, "each": each}}})
    )
    records = FakeRecords(hours=[("Jobs/import", seen_text(NOW - HOUR), HourCount(60, 5.0))])
    asked = Asked(first=NOW.date() - 6 * DAY, last=NOW.date(), options={"target": "Jobs/import"})
    chart = own.past_board(FakePast(poller="apps", now=NOW, held=records), asked).panels[1]
    assert isinstance(chart, Chart)
    assert chart.limit == Limit("stale above", 900.0)


@pytest.mark.parametrize("subject", ["check", "database"])
def test_what_stops_all_checks_is_an_incident_of_every_target(subject: str) -> None:
    began = NOW - HOUR
    incident = Incident(
        key=f"apps/{subject}/failed",
        text="",
        since=began,
        raised_at=began,
        severities=((began, "error"),),
    )
    past = replace(past_of(()), happened=[incident])
    assert list(poller().incidents_about("PROD", past, NOW - DAY, NOW)) == [incident]
    named = {
        "kind": "servers",
        "targets": {subject: {"url": "http://127.0.0.1:9/"}, "PROD": {"url": "http://127.0.0.1:9/"}},
    }
    own = ServersPoller.model_validate_json(json.dumps(named))
    assert list(own.incidents_about("PROD", past, NOW - DAY, NOW)) == []


def test_an_item_has_its_incidents_and_those_of_its_answer() -> None:
    keys = ("apps/Jobs/import/stale", "apps/Jobs/mail/stale", "apps/Jobs/unreachable")
    happened = [
        Incident(
            key=key, text="", since=NOW - HOUR, raised_at=NOW - HOUR, severities=((NOW - HOUR, "error"),)
        )
        for key in keys
    ]
    past = replace(past_of(()), happened=happened)
    found = poller().incidents_about("Jobs/import", past, NOW - DAY, NOW)
    assert {each.key for each in found} == {"apps/Jobs/import/stale", "apps/Jobs/unreachable"}
    assert len(poller().incidents_about("Jobs", past, NOW - DAY, NOW)) == 3


def test_the_span_that_has_just_begun_is_no_gap() -> None:
    checks = every_minute(NOW - 3 * HOUR, NOW - 20 * MINUTE, "fresh")
    for minutes, last in ((1, NOW - 20 * MINUTE), (30, NOW + 10 * MINUTE)):
        past = replace(past_of(checks), now=NOW - 20 * MINUTE + minutes * MINUTE)
        asked = Asked(first=past.now.date(), last=past.now.date(), range="24h", options={"target": "PROD"})
        states = poller().past_board(past, asked).panels[0]
        assert isinstance(states, StateTimeline)
        assert states.timeline.spans[-1].end == last
