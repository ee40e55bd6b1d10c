"""Data that is due at some times, and alarms only in some hours: rounds over whole years."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from support.long import some
from support.toolbox import FakeHttp, toolbox
from support.wording import text_of
from tallyd.contract.toolbox import Toolbox
from tallyd.core.reading import Problem
from tallyd.pollers.servers.freshness import CheckResult, check_result_of
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.servers.rounds.check_round import reading_of
from tallyd.pollers.servers.rounds.target_memory import TargetMemory
from tallyd.settings.calendars import calendars_in

BERLIN = ZoneInfo("Europe/Berlin")
EVERY = timedelta(hours=2)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Auckland")
CLOSED = {date(2026, 12, 24), date(2026, 12, 28), date(2026, 12, 29), date(2026, 12, 30), date(2026, 12, 31)}
CALENDARS = {
    "works": {
        "days": ["mon-fri"],
        "holidays": {"country": "DE"},
        "closed": ["2026-12-24", "2026-12-27..2026-12-31"],
    }
}
HOLIDAYS = {
    date(2026, month, day)
    for month, day in ((1, 1), (4, 3), (4, 6), (5, 1), (5, 14), (5, 25), (10, 3), (12, 25), (12, 26))
}
DUE = [{"by": "06:00", "calendar": "works"}]


def poller(**target: Any) -> ServersPoller:
    content = {
        "kind": "servers",
        "every": "2h",
        "targets": {"BATCH": {"url": "http://127.0.0.1:9/", **target}},
    }
    return ServersPoller.model_validate_json(
        json.dumps(content), context={"calendars": calendars_in(CALENDARS)}
    )


class Operator:
    """Runs rounds, and hears which problems they report."""

    def __init__(self, settings: ServersPoller, zone: ZoneInfo = BERLIN) -> None:
        self.settings, self.memory = settings, TargetMemory()
        self.tools: Toolbox = toolbox(FakeHttp(), poller="apps", zone=zone)

    def hears(self, at: datetime, computed_at: datetime | None) -> tuple[Problem, ...]:
        """Return the problems of a round in which the target gave this time; None: it did not answer."""
        (target,) = self.settings.checked
        result = CheckResult(at=at, state="unreachable", reason="no answer")
        if computed_at is not None:
            limits = target.limits_at(at, self.tools.zone)
            result = check_result_of(computed_at, now=at, skew_s=0.0, limits=limits, answered="200, 2 ms")
        tools = replace(self.tools, now=lambda: at)
        return reading_of(self.settings, {"BATCH": result}, self.memory, tools).problems


def is_open(day: date) -> bool:
    return day.weekday() < 5 and day not in HOLIDAYS and day not in CLOSED


def due_times(zone: ZoneInfo) -> list[datetime]:
    """Return the due times of the year, and the last ones before it."""
    days = (date(2025, 12, 29) + timedelta(number) for number in range(3 + 365))
    return [
        datetime(day.year, day.month, day.day, 6, tzinfo=zone).astimezone(UTC) for day in days if is_open(day)
    ]


def rounds(zone: ZoneInfo) -> Iterator[datetime]:
    """Yield when each round of the year is."""
    at = datetime(2026, 1, 1, 0, 17, tzinfo=zone).astimezone(UTC)
    while at.astimezone(zone).year == 2026:
        yield at
        at += EVERY


@pytest.mark.parametrize("name", some(ZONES))
def test_each_missed_due_time_of_a_year_is_notified_within_a_round_and_none_on_a_day_off(name: str) -> None:
    zone, chance = ZoneInfo(name), Random(name)
    due = due_times(zone)
    # The job runs in the hours before each due time, or, one time of five, not at all.
    ran = [
        at - timedelta(minutes=chance.randint(1, 360)) for at in due if at < due[3] or chance.random() < 0.8
    ]
    missed = {at for before, at in pairwise(due) if not any(before < each <= at for each in ran)}
    operator, notified, was_notified = Operator(poller(due=DUE), zone), set(), False
    for at in rounds(zone):
        problems = operator.hears(at, max(each for each in ran if each <= at))
        last = max(each for each in due if each <= at)
        if problems and not was_notified:
            assert is_open(at.astimezone(zone).date())
        if at - last < EVERY:
            assert bool(problems) == (last in missed)
            notified |= {last} if problems else set()
        was_notified = bool(problems)
    assert notified == missed
    assert len(missed) > 20


@pytest.mark.parametrize("name", some(ZONES[:2]))
def test_over_a_year_a_problem_is_notified_in_the_active_hours_or_not_at_all(name: str) -> None:
    zone, chance = ZoneInfo(name), Random(name)
    hours = {"days": ["mon-sat"], "from": "20:00", "to": "04:00", "calendar": "works"}
    operator, was_notified, was_away = Operator(poller(active=[hours]), zone), False, False
    for at in rounds(zone):
        local = at.astimezone(zone)
        begun_on = local.date() - timedelta(days=local.hour < 4)
        is_active = (local.hour >= 20 or local.hour < 4) and is_open(begun_on)
        is_away = chance.random() < (0.9 if was_away else 0.1)
        is_notified = bool(operator.hears(at, None if is_away else at))
        assert is_notified == (is_away and (is_active or (was_notified and was_away)))
        was_notified, was_away = is_notified, is_away


def test_the_age_between_due_times_makes_no_difference() -> None:
    operator, ran = Operator(poller(due=DUE)), datetime(2026, 12, 23, 5, 59, tzinfo=BERLIN)
    for day in range(24, 32):  # all of them days off
        assert not operator.hears(datetime(2026, 12, day, 12, tzinfo=BERLIN), ran)


@pytest.mark.parametrize(
    ("computed", "now", "is_stale"),
    [
        pytest.param("2026-12-08T02:10", "2026-12-09T05:59", False, id="not due yet"),
        pytest.param("2026-12-08T02:10", "2026-12-09T06:00", True, id="due, and only that of the day before"),
        pytest.param("2026-12-08T06:00", "2026-12-09T06:00", True, id="exactly at the due time before"),
        pytest.param("2026-12-08T06:00:00.000001", "2026-12-09T06:00", False, id="late, and so in time"),
        pytest.param("2026-12-09T07:30", "2026-12-09T07:30", False, id="it came after all"),
        pytest.param("2026-12-09T07:30", "2026-12-09T07:29", False, id="a moment ahead"),
        pytest.param("2026-12-09T07:30", "2026-12-09T07:28", True, id="future: the clock there is wrong"),
        pytest.param("2026-12-11T05:00", "2026-12-14T05:59", False, id="old after a weekend"),
        pytest.param("2026-12-11T05:00", "2026-12-14T06:00", True, id="too old after a weekend"),
    ],
)
def test_data_is_stale_if_it_is_not_newer_than_the_due_time_before_the_last(
    computed: str, now: str, is_stale: bool
) -> None:
    at, ran = (datetime.fromisoformat(text).replace(tzinfo=BERLIN) for text in (now, computed))
    assert bool(Operator(poller(due=DUE)).hears(at, ran)) is is_stale


def test_a_message_says_when_new_data_was_due() -> None:
    at, ran = datetime(2026, 12, 9, 7, 40, tzinfo=BERLIN), datetime(2026, 12, 8, 2, 10, tzinfo=BERLIN)
    (problem,) = Operator(poller(due=DUE)).hears(at, ran)
    text = text_of(problem, now=at, zone=BERLIN)
    assert "BATCH: data 1 d 5 h old, new data was due 06:00, last computed Tue 02:10; server" in text


def test_a_clock_that_is_wrong_there_is_taken_off() -> None:
    (target,) = poller(due=DUE).checked
    now = datetime(2026, 12, 9, 6, 0, tzinfo=BERLIN)
    limits = target.limits_at(now, BERLIN)
    computed = datetime(2026, 12, 8, 5, 58, tzinfo=BERLIN)  # by a clock that is five minutes slow
    assert check_result_of(computed, now=now, skew_s=0.0, limits=limits).state == "stale"
    assert check_result_of(computed, now=now, skew_s=300.0, limits=limits).state == "fresh"
