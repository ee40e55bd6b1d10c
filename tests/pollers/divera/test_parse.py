"""What Divera's answers mean, and every way in which one is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.divera import CANARIES, LAST, divera, entry, facts, person, pull, read, users, vehicle
from support.toolbox import answer, json_answer
from tallyd.core.errors import SourceError
from tallyd.pollers.divera.poller import DiveraPoller

MONITOR = {"50101": entry(12, q2=5, q7=1), "50102": entry(0), "50103": entry(4)}


def test_people_are_counted_by_status_and_those_without_one_apart() -> None:
    reading = read(divera(), users(50101, 50101, 50103, None, 0))
    assert facts(reading) == {
        "source": "users",
        "total": 5,
        "counts": {"50101": 2, "50103": 1, "none": 2},
        "names": {},
    }


def test_the_anonymous_monitor_is_read_and_the_others_are_not() -> None:
    reading = read(divera(source="monitor"), pull(MONITOR))
    assert facts(reading) == {
        "source": "monitor",
        "total": 16,
        "counts": {"50101": 12, "50102": 0, "50103": 4},
        "names": {},
    }


def test_qualifications_are_listed_by_status_and_never_added_up() -> None:
    reading = read(divera(source="monitor", qualifications=True), pull(MONITOR))
    assert facts(reading)["qualifications"] == {"50101": {"2": 5, "7": 1}}
    assert facts(reading)["total"] == 16


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        pytest.param([person()], {"none": 1}, id="status-missing"),
        pytest.param([person(status_id=None)], {"none": 1}, id="status-null"),
        pytest.param([person(status_id=0)], {"none": 1}, id="status-zero"),
        pytest.param([person(status_id="0")], {"none": 1}, id="status-zero-as-text"),
        pytest.param([person(status_id="50101"), person(status_id=50101)], {"50101": 2}, id="id-as-text"),
        pytest.param([person(status_id=987654321)], {"987654321": 1}, id="unknown-id"),
        pytest.param([person(status_id=2**63 - 1)], {str(2**63 - 1): 1}, id="huge-id"),
        pytest.param([person(1, status_id=7), person(1, status_id=7)], {"7": 2}, id="member-of-two-units"),
        pytest.param([[]], {"none": 1}, id="an-empty-object-of-php"),
    ],
)
def test_rows_of_users_that_count(rows: list[Any], counts: dict[str, int]) -> None:
    assert facts(read(divera(), {"success": True, "data": rows}))["counts"] == counts


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"success": True, "data": [person(status_id=7)]}, id="data"),
        pytest.param({"success": True, "data": {"items": [person(status_id=7)]}}, id="data-items"),
        pytest.param({"success": True, "items": [person(status_id=7)]}, id="items"),
    ],
)
def test_the_list_of_people_stands_in_one_of_three_places(content: dict[str, Any]) -> None:
    assert facts(read(divera(), content))["counts"] == {"7": 1}


@pytest.mark.parametrize(
    ("monitor", "counts"),
    [
        pytest.param({"7": {"all": 3, "qualification": []}}, {"7": 3}, id="php-empty-object"),
        pytest.param({"7": {"all": 3}}, {"7": 3}, id="no-qualifications"),
        pytest.param({"7": {"all": 3, "id": 9}}, {"7": 3}, id="inner-id-differs"),
        pytest.param({"0": {"all": 2}, "7": {"all": 3}}, {"7": 3, "none": 2}, id="people-without-status"),
        pytest.param({"7": {"all": 0}}, {"7": 0}, id="a-zero-that-divera-tells"),
        pytest.param({"7": {"all": 3, "qualification": {"2": "x"}}}, {"7": 3}, id="broken-but-not-asked-for"),
    ],
)
def test_monitors_that_count(monitor: dict[str, Any], counts: dict[str, int]) -> None:
    assert facts(read(divera(source="monitor"), pull(monitor)))["counts"] == counts


def test_of_two_equal_keys_the_last_counts_as_in_every_json_parser() -> None:
    body = b'{"success": false, "success": true, "data": [{"status_id": 1, "status_id": 2}]}'
    assert facts(read(divera(), answer(body)))["counts"] == {"2": 1}


def test_a_byte_order_mark_is_no_reason_to_refuse() -> None:
    body = b"\xef\xbb\xbf" + json.dumps(users(7)).encode()
    assert facts(read(divera(), answer(body)))["counts"] == {"7": 1}


NO_JSON = {
    "empty": b"",
    "only-spaces": b" \r\n",
    "a-web-page": b"<!DOCTYPE html><title>Wartung</title>",
    "a-web-page-with-a-mark": b"\xef\xbb\xbf<html>",
    "text": b"Internal error",
    "cut-off": b'{"success": true, "data": [',
    "not-a-number": b'{"success": true, "data": [], "x": NaN}',
    "infinity": b'{"success": true, "data": [], "x": -Infinity}',
    "a-number-of-5000-digits": b'{"success": true, "data": [{"status_id": %s}]}' % (b"9" * 5000),
    "no-utf-8": b'{"success": true, "data": "\xff\xfe\xfd"}',
}


@pytest.mark.parametrize("source", ["users", "monitor"])
@pytest.mark.parametrize("body", NO_JSON.values(), ids=NO_JSON.keys())
def test_what_is_not_json_is_worth_another_try(source: str, body: bytes) -> None:
    with pytest.raises(
        SourceError, match=r"^app\.divera247\.com answered HTTP 200 without (valid )?JSON"
    ) as failure:
        read(divera(source=source), answer(body))
    assert failure.value.transient


@pytest.mark.parametrize("source", ["users", "monitor"])
@pytest.mark.parametrize(
    ("body", "text"),
    [
        pytest.param(b"[" * 101, "with JSON that is nested more than 100 levels deep", id="deep"),
        pytest.param(
            b"[" + b"[]," * 250_000, "with JSON that has more than 250,000 values", id="many-values"
        ),
    ],
)
def test_what_would_cost_too_much_is_not_even_parsed(source: str, body: bytes, text: str) -> None:
    with pytest.raises(SourceError, match=f"^app\\.divera247\\.com answered HTTP 200 {text}$") as failure:
        read(divera(source=source), answer(body))
    assert failure.value.transient


def test_a_204_names_its_status() -> None:
    with pytest.raises(SourceError, match=r"answered HTTP 204 without JSON \(an empty body\)$"):
        read(divera(), answer(b"", status=204))


@pytest.mark.parametrize("content", [[], [1], "text", 5, None, True], ids=repr)
def test_json_that_is_no_object_is_worth_another_try(content: object) -> None:
    with pytest.raises(SourceError, match=r"answered HTTP 200 with unexpected JSON") as failure:
        read(divera(), json_answer(content))
    assert failure.value.transient


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param({}, 'but no "success": true', id="missing"),
        pytest.param({"success": False}, 'but "success": false', id="false"),
        pytest.param({"success": 1, "data": []}, 'but no "success": true', id="one-is-not-true"),
        pytest.param({"success": "true", "data": []}, 'but no "success": true', id="text-is-not-true"),
        pytest.param({"success": None, "data": []}, 'but no "success": true', id="null"),
        pytest.param(
            {"success": False, "error": f"{CANARIES[1]} darf das nicht"},
            'but "success": false; the reason in "error" is not shown because it may name people',
            id="reason-as-text",
        ),
        pytest.param(
            {"success": False, "errors": [CANARIES[0]], "message": {"de": CANARIES[2]}},
            'but "success": false; the reason in "errors", "message" is not shown because it may name people',
            id="reasons-as-list-and-object",
        ),
        pytest.param({"success": False, "errors": []}, 'but "success": false', id="empty-reason"),
    ],
)
@pytest.mark.parametrize("source", ["users", "monitor"])
def test_an_answer_without_success_is_a_failure_whose_reason_is_not_shown(
    source: str, content: dict[str, Any], text: str
) -> None:
    with pytest.raises(SourceError) as failure:
        read(divera(source=source), content)
    assert failure.value.text == f"app.divera247.com answered HTTP 200 {text}"
    assert failure.value.transient


@pytest.mark.parametrize(
    "data",
    [None, {}, {"items": None}, {"items": {}}, {"users": []}, "text", 7],
    ids=["missing", "empty", "items-null", "items-an-object", "other-key", "text", "number"],
)
def test_without_a_list_of_people_there_is_no_count(data: object) -> None:
    with pytest.raises(SourceError, match=r"without a list of people"):
        read(divera(), {"success": True, "data": data})


@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"success": True, "data": []}, id="data"),
        pytest.param({"success": True, "data": {"items": []}}, id="data-items"),
        pytest.param({"success": True, "items": []}, id="items"),
    ],
)
def test_an_empty_list_of_people_is_no_data_and_never_zero(content: dict[str, Any]) -> None:
    with pytest.raises(SourceError) as failure:
        read(divera(), content)
    assert failure.value.text == (
        "app.divera247.com answered HTTP 200 with an empty list of people, as for a key without rights; "
        "check in Divera that its system user may still see the people of the unit"
    )
    assert failure.value.transient


def monitor_of(statuses: int, *, qualifications: int = 0) -> dict[str, Any]:
    having = {f"q{number}": 1 for number in range(1, qualifications + 1)}
    return pull({str(number): entry(1, **having) for number in range(1, statuses + 1)})


def names_of(statuses: int) -> dict[str, Any]:
    names = {str(number): {"name": f"Status {number}"} for number in range(1, statuses + 1)}
    return pull({"1": entry(5)}, statuses=names)


MONITOR_KEYS: dict[str, Any] = {"source": "monitor", "qualifications": True, "fetch_status_names": True}


TOO_MUCH = {
    "users-statuses": (divera(), users(*range(1, 1001)), users(*range(1, 1002)), "1,001 statuses"),
    "monitor-statuses": (divera(**MONITOR_KEYS), monitor_of(1000), monitor_of(1001), "1,001 statuses"),
    "monitor-names": (divera(**MONITOR_KEYS), names_of(1000), names_of(1001), "1,001 statuses"),
    "monitor-qualifications": (
        divera(**MONITOR_KEYS),
        monitor_of(1000, qualifications=10),
        monitor_of(911, qualifications=11),
        "10,021 qualifications",
    ),
}


@pytest.mark.parametrize(("poller", "most", "too_many", "text"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_an_answer_with_more_than_a_unit_can_have_is_rejected(
    poller: DiveraPoller, most: dict[str, Any], too_many: dict[str, Any], text: str
) -> None:
    assert read(poller, most).facts
    with pytest.raises(
        SourceError, match=rf"^\S+ answered HTTP 200 with {text}, more than any unit has; the limit is 1"
    ):
        read(poller, too_many)


NO_IDS: tuple[object, ...] = (
    *(True, False, 50101.0, 1.5, -1, 2**64, 10**30, [], {}),
    *("", " 7", "7 ", "07", "+7", "1e3", "\u0667", "abc", "9" * 20),
)


@pytest.mark.parametrize("status", NO_IDS, ids=repr)
def test_a_status_that_is_no_id_refuses_the_answer_and_names_the_row_alone(status: object) -> None:
    with pytest.raises(SourceError) as failure:
        read(divera(), users(50101, 50102, status, 50103))
    assert failure.value.text == (
        "app.divera247.com answered HTTP 200 with a list of people in which row 3 has no valid status_id"
    )


@pytest.mark.parametrize("row", [None, 5, "Canaria", [1], [[]]], ids=repr)
def test_a_row_that_is_no_person_refuses_the_answer(row: object) -> None:
    with pytest.raises(SourceError, match=r"row 2 is (a text|a list|a single value)$"):
        read(divera(), {"success": True, "data": [person(), row]})


@pytest.mark.parametrize(
    ("vehicles", "counts"),
    [
        pytest.param(
            {"501": vehicle(2), "502": vehicle("2"), "503": vehicle(6), "504": vehicle(0)},
            {"0": 1, "2": 2, "6": 1},
            id="by-radio-status",
        ),
        pytest.param({"501": vehicle(None), "502": [], "503": vehicle("")}, {"none": 3}, id="without-one"),
        pytest.param([], {}, id="empty-in-php"),
        pytest.param(None, None, id="not-shown-to-this-key"),
    ],
)
def test_vehicles_are_counted_by_radio_status_without_their_names(vehicles: object, counts: object) -> None:
    poller = divera(source="monitor", vehicles=True)
    found = facts(read(poller, pull(MONITOR, vehicles=vehicles)))
    assert found["vehicles"] == counts
    assert not [each for each in CANARIES if each in json.dumps(found)]


def test_vehicles_that_nobody_asked_for_are_not_read() -> None:
    assert "vehicles" not in facts(read(divera(source="monitor"), pull(MONITOR, vehicles={"501": "odd"})))


@pytest.mark.parametrize(
    ("vehicles", "text"),
    [
        pytest.param("501", "with vehicles that are a text", id="no-object"),
        pytest.param({"501": vehicle(2), "502": vehicle(True)}, "entry 2 has no valid radio", id="true"),
        pytest.param({"501": vehicle(10)}, "entry 1 has no valid radio status", id="no-status-of-one-digit"),
        pytest.param({"501": vehicle(LAST)}, "entry 1 has no valid radio status", id="text"),
        pytest.param({str(key): {} for key in range(10_001)}, "10,001 vehicles, more than", id="too-many"),
    ],
)
def test_vehicles_that_cannot_be_counted_are_rejected_with_the_reading(vehicles: object, text: str) -> None:
    with pytest.raises(SourceError) as failure:
        read(divera(source="monitor", vehicles=True), pull(MONITOR, vehicles=vehicles))
    assert text in failure.value.text
    assert LAST not in failure.value.text


NO_MONITOR: dict[str, dict[str, Any]] = {
    "data-missing": {"success": True},
    "data-empty-in-php": {"success": True, "data": []},
    "monitor-missing": pull(None),
    "monitor-null": {"success": True, "data": {"monitor": None}},
    "monitor-empty-in-php": {"success": True, "data": {"monitor": []}},
    "first-monitor-missing": {"success": True, "data": {"monitor": {"2": {"7": {"all": 3}}, "ts": 1}}},
    "first-monitor-empty": pull({}),
    "first-monitor-empty-in-php": pull([]),
    "first-monitor-a-list": pull([{"all": 3}]),
}


@pytest.mark.parametrize("content", NO_MONITOR.values(), ids=NO_MONITOR.keys())
def test_no_monitor_is_no_data_and_never_zero(content: dict[str, Any]) -> None:
    with pytest.raises(SourceError, match=r"Divera has no monitor") as failure:
        read(divera(source="monitor"), content)
    assert failure.value.transient


UNCOUNTABLE = {
    "key-no-id": ({"7": {"all": 1}, "x": {"all": 1}}, "entry 2 has no valid status id"),
    "our-own-word-as-key": ({"none": {"all": 1}}, "entry 1 has no valid status id"),
    "key-with-a-zero-in-front": ({"07": {"all": 1}}, "entry 1 has no valid status id"),
    "no-count": ({"7": {}}, "entry 1 has no valid count"),
    "entry-empty-in-php": ({"7": []}, "entry 1 has no valid count"),
    "entry-a-number": ({"7": 5}, "entry 1 has no valid count"),
    "count-true": ({"7": {"all": True}}, "entry 1 has no valid count"),
    "count-text": ({"7": {"all": "5"}}, "entry 1 has no valid count"),
    "count-float": ({"7": {"all": 5.0}}, "entry 1 has no valid count"),
    "count-negative": ({"7": {"all": -1}}, "entry 1 has no valid count"),
    "count-huge": ({"7": {"all": 10**30}}, "entry 1 has no valid count"),
    "people-not-a-count": ({"7": {"all": [{"id": 1}]}}, "entry 1 has no valid count"),
    "no-object": ({"7": {"all": 5, "qualification": 3}}, "entry 1 has no valid qualifications"),
    "no-id": ({"7": {"all": 5, "qualification": {"a": 3}}}, "entry 1 has no valid qualification id"),
    "qualification-true": ({"7": entry(5, q2=True)}, "entry 1 has no valid count"),
}


@pytest.mark.parametrize(("monitor", "text"), UNCOUNTABLE.values(), ids=UNCOUNTABLE)
def test_a_monitor_that_cannot_be_counted_is_rejected_as_a_whole(monitor: dict[str, Any], text: str) -> None:
    with pytest.raises(SourceError) as failure:
        read(divera(source="monitor", qualifications=True), pull(monitor))
    assert failure.value.text == f"app.divera247.com answered HTTP 200 with a monitor in which {text}"
