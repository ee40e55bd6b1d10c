"""How an out file tells what became of a report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

import pytest

from tallyd.core.outbox import Outcome, report_json, reported, unsent_json
from tallyd.core.reading import Json, OutboxMessage, Reading

DAY = date(2026, 11, 20)
ONE = OutboxMessage(ssid="SS-1", day=DAY, body=[{"TagValue": "1"}, {"TagValue": "2"}])
TWO = OutboxMessage(ssid="SS-2", day=DAY, body=[{"TagValue": "3"}])
PAYLOAD: list[Json] = [{"TagValue": "1"}, {"TagValue": "2"}, {"TagValue": "3"}]
SENT = Outcome("sent", "OK")


def test_before_anything_was_sent_it_is_queued_without_an_answer() -> None:
    assert report_json([ONE]) == {"state": "queued", "answer": None, "payload": ONE.body}


@pytest.mark.parametrize(
    ("outcomes", "state", "answer"),
    [
        pytest.param({"SS-1": SENT, "SS-2": SENT}, "sent", "OK", id="all sent"),
        pytest.param({"SS-1": SENT}, "queued", None, id="one of which nothing is known"),
        pytest.param(
            {"SS-1": SENT, "SS-2": Outcome("queued", "HTTP 503")}, "queued", "HTTP 503", id="one refused"
        ),
        pytest.param(
            {"SS-1": Outcome("queued", "first"), "SS-2": Outcome("queued", "second")},
            "queued",
            "first",
            id="the first of those that are not sent",
        ),
    ],
)
def test_several_are_sent_once_all_are(
    outcomes: Mapping[str, Outcome], state: str, answer: str | None
) -> None:
    found = report_json([ONE, TWO], outcomes)
    assert (found["state"], found["answer"], found["payload"]) == (state, answer, PAYLOAD)
    each = found["by_ssid"]
    assert isinstance(each, dict)
    assert list(each) == ["SS-1", "SS-2"]
    for ssid, outcome in outcomes.items():
        assert each[ssid] == {"state": outcome.state, "answer": outcome.answer}


def test_outcomes_of_others_do_not_matter() -> None:
    assert report_json([ONE], {"SS-2": SENT})["state"] == "queued"


def test_only_a_reading_with_messages_is_told_what_became_of_them() -> None:
    taken_at = datetime(2026, 11, 20, 7, tzinfo=UTC)
    plain = Reading(taken_at=taken_at, facts={"total": 1})
    assert reported(plain, {(DAY, "SS-1"): SENT}) == plain
    sending = Reading(taken_at=taken_at, facts={"total": 1, "report": {}}, outbox=(ONE,))
    outcomes = {(DAY, "SS-1"): SENT, (date(2026, 11, 19), "SS-1"): Outcome("queued", "HTTP 503")}
    assert reported(sending, outcomes).facts == {"total": 1, "report": report_json([ONE], {"SS-1": SENT})}


@pytest.mark.parametrize("state", ["skipped", "off"])
def test_what_is_not_sent_shows_what_would_have_been(state: str) -> None:
    assert unsent_json(state) == {"state": state, "answer": None, "payload": None}  # type: ignore[arg-type] # one of the two
    assert unsent_json(state, [ONE, TWO])["payload"] == PAYLOAD  # type: ignore[arg-type] # one of the two
