"""What people are shown of a Divera unit: a status has a number only where one is known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from tallyd.contract.board import AskedError
from tallyd.core.history import Entry, Group, Status, Value
from tallyd.core.panels import Gap, Limit
from tallyd.core.reading import Facts
from tallyd.pollers.divera.board import chosen_group, entry_of
from tallyd.pollers.divera.metrics import people_metrics, requirement_metrics
from tallyd.pollers.divera.requirement import Requirement

AT = datetime(2026, 11, 20, 8, tzinfo=UTC)


def entry(**body: object) -> Entry:
    facts: Mapping[str, object] = {"origin": "live", "source": "users", "total": 1, "counts": {}, **body}
    return entry_of(AT, taken_at=AT, body=facts)  # type: ignore[arg-type] # JSON values


@pytest.mark.parametrize(
    ("body", "count"),
    [
        pytest.param({"counts": {"7": 1}}, 0, id="users-list-whoever-there-is"),
        pytest.param({"counts": {}}, 0, id="users-of-an-empty-unit"),
        pytest.param({"counts": {"7": 1}, "source": "monitor"}, Gap.UNKNOWN, id="a-monitor-that-hid-it"),
        pytest.param({"counts": {"7": None}, "hide_below": 3}, 0, id="others-hidden"),
        pytest.param({"counts": {}, "hide_below": 3}, Gap.HIDDEN, id="all-hidden"),
        pytest.param({}, Gap.UNKNOWN, id="no-counts-at-all"),
        pytest.param({"counts": {"50101": None}, "hide_below": 3}, Gap.HIDDEN, id="hidden"),
        pytest.param({"counts": {"50101": 0}, "source": "monitor"}, 0, id="a-monitor-with-nobody"),
        pytest.param({"counts": {"50101": True}}, Gap.UNKNOWN, id="true-is-not-1"),
        pytest.param({"counts": {"50101": "4"}}, Gap.UNKNOWN, id="text-is-no-count"),
    ],
)
def test_a_status_has_a_number_only_where_one_is_known(body: Facts, count: Value) -> None:
    assert entry_of(AT, taken_at=AT, body=body).count("50101") == count


@pytest.mark.parametrize(
    ("body", "count"),
    [
        pytest.param({"counts": {"1": 5}, "qualifications": {"1": {"2": 3}}}, 3, id="known"),
        pytest.param({"counts": {"1": 5}, "qualifications": {}}, 0, id="nobody-has-one"),
        pytest.param({"counts": {"1": 5}, "qualifications": {"1": {"7": 3}}}, 0, id="nobody-has-this-one"),
        pytest.param({"counts": {"1": 0}}, 0, id="nobody-there"),
        pytest.param({"counts": {"1": 5}}, Gap.UNKNOWN, id="not-counted-then"),
        pytest.param({"counts": {"7": 5}, "qualifications": {}}, Gap.UNKNOWN, id="status-not-shown"),
        pytest.param({"counts": {"1": 5}, "qualifications": {"1": {"2": None}}}, Gap.HIDDEN, id="hidden"),
        pytest.param({"counts": {"1": None}, "qualifications": {"1": None}}, Gap.HIDDEN, id="status-hidden"),
        pytest.param({"counts": {"1": 5}, "qualifications": ["damaged"]}, Gap.UNKNOWN, id="damaged"),
    ],
)
def test_people_with_a_qualification_have_a_number_only_where_one_is_known(body: Facts, count: Value) -> None:
    found = entry_of(AT, taken_at=AT, body={"source": "monitor", **body})
    assert found.count("1", "2") == count


def test_a_total_that_is_hidden_is_not_unknown() -> None:
    assert entry(total=None, hide_below=3).total is Gap.HIDDEN


def test_foreign_text_is_made_visible() -> None:
    found = entry(counts={"7\x1b": 1}, names={"7\x1b": "be\nreit"})
    assert (found.counts, found.names) == ({"7\\x1b": 1}, {"7\\x1b": "be\\nreit"})


def test_metrics_have_every_known_count_and_the_names_of_statuses() -> None:
    reading = entry(
        total=None, counts={"50101": 8, "7": None}, names={"50101": "Bereit"}, hide_below=3, vehicles={"2": 3}
    )
    people, everybody, named, vehicles = people_metrics("unit", reading)
    assert (people.name, people.samples) == ("tallyd_people", [(("unit", "50101"), 8)])
    assert (everybody.name, everybody.samples) == ("tallyd_people_all", [])
    assert (named.name, named.samples) == ("tallyd_status_info", [(("unit", "50101", "Bereit"), 1)])
    assert (vehicles.name, vehicles.samples) == ("tallyd_vehicles", [(("unit", "2"), 3)])


def test_before_the_first_reading_no_metric_has_a_sample() -> None:
    metrics = (*people_metrics("unit", None), *requirement_metrics("unit", None, [BOTH], UTC))
    assert [metric.samples for metric in metrics] == [[], [], [], [], [], []]


def test_a_requirement_has_metrics_where_it_applied_and_its_number_is_known() -> None:
    reading = entry(counts={"50101": 8, "50102": None, "7": 2}, hide_below=3)  # at 08:00
    at_night = {"from": "22:00", "to": "06:00"}
    found, met = requirement_metrics(
        "unit",
        reading,
        [
            minimum("50101", count=9),
            minimum("50101", "50102", name="Engine"),
            minimum("50102", count=9),
            minimum("7", name="Night", when=[at_night]),
        ],
        UTC,
    )
    assert (found.name, found.samples) == ("tallyd_requirement_people", [(("unit", "50101"), 8)])
    assert (met.name, met.samples) == (
        "tallyd_requirement_met",
        [(("unit", "50101"), 0), (("unit", "Engine"), 1)],
    )


STATUSES = (Status("50101", "Ready"), Status("50102", "Soon"), Status("none"))


def minimum(*statuses: str, count: int = 6, **keys: Any) -> Requirement:
    return Requirement.model_validate({"statuses": statuses, "count": count, **keys})


BOTH = minimum("50101", "50102")
ENGINE = minimum("50101", "50102", name="Engine", qualification="2")


GROUPS = {
    "minimum": ("", [BOTH], Group(("50101", "50102"), "Ready + Soon", Limit("minimum", 6))),
    "requirement-by-its-name": (
        "Engine",
        [BOTH, ENGINE],
        Group(("50101", "50102"), "Engine", Limit("minimum", 6), "2"),
    ),
    "all-people": ("50101+50102", [ENGINE], Group(("50101", "50102"), "Ready + Soon")),
    "first-status": ("", [], Group(("50101",), "Ready")),
    "one-status": ("none", [BOTH], Group(("none",), "no status")),
    "minimum-in-another-order": (
        "50102+50101",
        [BOTH],
        Group(("50102", "50101"), "Soon + Ready", Limit("minimum", 6)),
    ),
    "url-with-plus": ("50101 none", [BOTH], Group(("50101", "none"), "Ready + no status")),
    "twice": ("50101+50101", [], Group(("50101",), "Ready")),
    "never-seen": ("", [minimum("9", count=2)], Group(("9",), "9", Limit("minimum", 2))),
    "never-seen-asked": ("9", [minimum("9", count=2)], Group(("9",), "9", Limit("minimum", 2))),
}


@pytest.mark.parametrize(("written", "minimums", "group"), GROUPS.values(), ids=GROUPS)
def test_a_group_is_what_was_asked_for_else_that_of_the_first_minimum(
    written: str, minimums: list[Requirement], group: Group
) -> None:
    assert chosen_group(written, STATUSES, minimums)[0] == group


def test_a_status_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(
        AskedError, match=r'^there is no status "5" in these days; there is: 50101, 50102, none$'
    ):
        chosen_group("50101+5", STATUSES, [BOTH])


def test_minimums_and_single_statuses_are_offered_and_the_first_is_the_default() -> None:
    _, (choice,) = chosen_group("", STATUSES, [BOTH, minimum("none", count=1)])
    assert choice.values == (
        ("", "Ready + Soon"),
        ("none", "no status"),
        ("50101", "Ready"),
        ("50102", "Soon"),
    )


def test_of_fewer_than_two_groups_there_is_nothing_to_choose() -> None:
    assert chosen_group("", (), ()) == (None, ())
    assert chosen_group("", STATUSES[:1], ()) == (Group(("50101",), "Ready"), ())
