"""Nothing of a person, and not the key, leaves the parser: not by a reading, an error or a traceback."""

from __future__ import annotations

import json
import traceback
from types import TracebackType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.divera import (
    CANARIES,
    FIRST,
    KEY,
    LAST,
    MAIL,
    NOTE,
    PHONE,
    divera,
    entry,
    facts,
    person,
    pull,
    read,
    users,
)
from support.toolbox import FakeHttp, answer, json_answer, slot, toolbox
from tallyd.core.errors import SourceError
from tallyd.core.reading import Reading
from tallyd.pollers.divera.poller import DiveraPoller

CANARY = "Kanarienvogel"
MONITOR = {"7": entry(4, q2=3)}
STATUSES = {"7": {"name": "Urlaub"}}
KINDS = {
    "users": divera(),
    "users-and-names": divera(fetch_status_names=True),
    "monitor": divera(source="monitor", qualifications=True),
    "monitor-and-names": divera(source="monitor", fetch_status_names=True, hide_below=3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_reading_holds_nothing_of_a_person(kind: str) -> None:
    pulled = pull(MONITOR, statuses=STATUSES)
    answers = {
        "users": (users(7, None),),
        "users-and-names": (users(7, None), pulled),
        "monitor": (pulled,),
        "monitor-and-names": (pulled,),
    }
    reading = read(KINDS[kind], *answers[kind])
    written = repr((reading, reading.memory)) + json.dumps(reading.facts)
    assert not [each for each in CANARIES if each in written]


def variables(trace: TracebackType | None) -> str:
    """Return every variable of every function of our package that a traceback keeps alive."""
    shown = ""
    for frame, _ in traceback.walk_tb(trace):
        if frame.f_globals["__name__"].startswith("tallyd."):
            shown += repr(frame.f_locals)
    return shown


BROKEN: dict[str, Any] = {
    "row-unreadable": users(7, CANARY),
    "row-a-text": {"success": True, "data": [CANARY]},
    "no-success": {"success": False, "error": CANARY, "errors": [CANARY], "message": {CANARY: CANARY}},
    "no-list": {"success": True, "data": {CANARY: [person()]}},
    "monitor-unreadable": pull({CANARY: entry(1)}),
    "monitor-count-unreadable": pull({"7": entry(CANARY)}),
    "no-monitor": pull(),
}


@pytest.mark.parametrize("source", ["users", "monitor"])
@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_an_error_holds_nothing_of_the_answer(source: str, content: dict[str, Any]) -> None:
    with pytest.raises(SourceError) as failure:
        read(divera(source=source), content)
    error = failure.value
    assert (error.__cause__, error.__context__) == (None, None)
    kept = repr(error) + error.text + variables(error.__traceback__)
    assert not [each for each in CANARIES if each in kept]


@pytest.mark.parametrize("body", [b'{"Kanarienvogel', b"Kanarienvogel", b"\xffKanarienvogel"])
def test_an_error_of_the_json_parser_is_not_carried_along(body: bytes) -> None:
    with pytest.raises(SourceError) as failure:
        read(divera(), answer(body))
    error = failure.value
    assert (error.__cause__, error.__context__) == (None, None)
    assert CANARY not in error.text + variables(error.__traceback__)


WORDS = ("success", "data", "items", "status_id", "monitor", "1", "2", "7", "all", "qualification")
MORE_WORDS = ("cluster", "status", "consumer", "name", "error", CANARY)
TEXTS = (CANARY, "0", "7", "50101", "", "\ud800", "true")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(TEXTS),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS + MORE_WORDS), inner, max_size=5)
    ),
    max_leaves=20,
)
successes = st.builds(lambda data: {"success": True, "data": data}, json_values)
rows = st.builds(lambda statuses: users(*statuses), st.lists(json_values | st.integers(0, 60000), max_size=5))
monitors = st.builds(
    lambda monitor: pull(monitor, statuses=STATUSES),
    st.dictionaries(
        st.sampled_from(["0", "7", "8", "007", CANARY]), json_values | st.builds(entry, st.integers(-1, 9))
    ),
)
bodies = st.binary(max_size=200) | st.builds(
    lambda content: json.dumps(content).encode(), json_values | successes | rows | monitors
)


@pytest.mark.parametrize("kind", KINDS)
@given(first=bodies, second=bodies)
@example(first=b"[" * 100_000, second=b"")
@example(first=b'{"success":true,"data":' + b'{"a":' * 900 + b"1" + b"}" * 901, second=b"")
def test_whatever_is_answered_there_is_a_reading_or_a_source_error(
    kind: str, first: bytes, second: bytes
) -> None:
    http = FakeHttp(answer(first), answer(second))
    (job,) = KINDS[kind].jobs()
    reading: Reading | None = None
    message = ""
    try:
        (reading,) = job.run(slot(), toolbox(http))
    except SourceError as error:
        message = error.text
    assert CANARY not in message
    assert KEY not in message
    if reading is not None:
        # What is written must be writable: no half characters, nothing but JSON.
        json.dumps(reading.facts, allow_nan=False, ensure_ascii=False).encode()
        counts = facts(reading)["counts"].values()
        assert all(count is None or (type(count) is int and count >= 0) for count in counts)


@pytest.mark.parametrize("kind", KINDS)
@given(body=bodies)
@example(body=b'{"success":true,"data":' + b"[" * 900 + b'"text"' + b"]" * 900 + b"}")
def test_whatever_is_answered_there_are_personal_texts_or_a_source_error(kind: str, body: bytes) -> None:
    http = FakeHttp(answer(body), answer(body))
    found: list[tuple[str, str]] = []
    message = ""
    try:
        found = list(KINDS[kind].personal_texts(toolbox(http)))
    except SourceError as error:
        message = error.text
    assert CANARY not in message
    assert all(len(value) >= 4 for _, value in found)


def personal(poller: DiveraPoller, *contents: dict[str, Any]) -> dict[str, str]:
    """Return the personal texts that a poller finds, the field by its value."""
    http = FakeHttp(*map(json_answer, contents))
    found = list(poller.personal_texts(toolbox(http)))
    assert len(http.calls) == len(contents)
    assert not any("ts_monitor" in call.params or "ts_cluster" in call.params for call in http.calls)
    values = {value: field for field, value in found}
    assert len(values) == len(found), "a value was given twice"
    return values


FIELDS = (
    *("stdformat_name", "Vorname", "e_mail", "phone", "telefon", "mobil", "fax", "address", "adresse"),
    *("street", "strasse", "straße", "city", "note", "notizen"),
)


class TestPersonalTexts:
    def test_names_phone_mail_and_notes_of_the_users_are_found_once(self) -> None:
        assert personal(divera(), users(7, 8)) == {
            FIRST: "data.firstname",
            LAST: "data.lastname",
            MAIL: "data.email",
            PHONE: "data.phonenumbers.number",
            NOTE: "data.status_note",
        }

    def test_what_a_status_a_unit_or_a_group_is_called_is_not_personal(self) -> None:
        row = {
            "status_name": "Einsatzbereit",
            "status": {"name": "Einsatzbereit"},
            "cluster_name": "Musterwehr",
            "groups": [{"name": "Zug Eins"}],
            "qualifications": {"2": {"shortname": "Maschinist"}},
        }
        assert personal(divera(), {"success": True, "data": [row]}) == {}

    @pytest.mark.parametrize("field", FIELDS)
    def test_a_field_that_speaks_of_a_person_is_found(self, field: str) -> None:
        assert personal(divera(), {"success": True, "data": [{field: "abcd"}]}) == {"abcd": f"data.{field}"}

    @pytest.mark.parametrize(
        "row",
        [
            {"firstname": "Ina"},
            {"firstname": "  Ina "},
            {"firstname": None},
            {"phone": 49170555},
            {"role": "leader"},
        ],
        ids=["short", "short-but-for-spaces", "null", "number", "another-field"],
    )
    def test_what_is_short_no_text_or_speaks_of_something_else_is_left_out(self, row: dict[str, Any]) -> None:
        assert personal(divera(), {"success": True, "data": [row]}) == {}

    def test_with_the_monitor_everybody_and_the_named_monitors_are_asked_for(self) -> None:
        found = personal(divera(source="monitor"), pull(MONITOR, statuses=STATUSES))
        assert found[LAST] == "cluster.consumer.lastname"
        assert found[NOTE] == "cluster.consumer.status_note"
        assert "Urlaub" not in found
        assert "Musterwehr" not in found

    def test_notes_of_the_named_monitors_are_found(self) -> None:
        content = pull(MONITOR)
        content["data"]["cluster"]["consumer"] = []
        assert personal(divera(source="monitor"), content) == {NOTE: "monitor.2.all.note"}

    def test_names_and_notes_of_vehicles_are_found_but_not_that_of_the_config(self) -> None:
        ours = {
            "name": "Florian Muster 44",
            "shortname": "HLF 20",
            "fmsstatus_note": NOTE,
            "opta": "MST1",
        }
        content = pull(MONITOR, vehicles={"501": ours})
        content["data"]["cluster"]["consumer"] = []
        crew = {"name": "HLF 20 by day", "statuses": ["7"], "count": 6}
        found = personal(divera(source="monitor", at_least=[crew]), content)
        assert found == {
            "Florian Muster 44": "cluster.vehicle.name",
            NOTE: "cluster.vehicle.fmsstatus_note",
            "MST1": "cluster.vehicle.opta",
        }

    def test_where_names_of_statuses_are_fetched_that_answer_is_looked_at_too(self) -> None:
        content = pull(statuses=STATUSES)
        content["data"]["cluster"]["consumer"] = {"5": {"stdformat_name": "C. Kanarienvogel"}}
        found = personal(divera(fetch_status_names=True), users(7), content)
        assert found["C. Kanarienvogel"] == "cluster.consumer.stdformat_name"
        assert FIRST in found
