"""What is remembered of the items of answers: which are missing, since when, and that it is to be stored."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tallyd.pollers.servers.freshness import Known
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.servers.rounds.target_memory import TargetMemory
from tallyd.pollers.servers.targets.target import Target

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BOTH = ["jobs/import", "jobs/mail"]


@pytest.fixture
def target() -> Target:
    each = {"items": "jobs", "name": "name", "time": "at"}
    targets = {"jobs": {"url": "https://app.example/jobs", "each": each}}
    (found,) = ServersPoller.model_validate_json(json.dumps({"kind": "servers", "targets": targets})).checked
    return found


@pytest.fixture
def memory() -> TargetMemory:
    """Two items are known, and nothing waits to be stored."""
    known = Known(state="fresh", since=NOON)
    return TargetMemory(known=dict.fromkeys(BOTH, known))


@pytest.mark.parametrize(
    ("missing", "answer", "is_new"),
    [
        pytest.param([], BOTH, False, id="nothing is missing"),
        pytest.param([], BOTH[:1], True, id="one is missing"),
        pytest.param(BOTH[1:], BOTH[:1], False, id="it is missing as before"),
        pytest.param(BOTH[1:], BOTH, True, id="it is back"),
    ],
)
def test_which_items_are_missing_is_to_be_stored_when_it_changes(
    memory: TargetMemory, target: Target, missing: list[str], answer: list[str], is_new: bool
) -> None:
    memory.missing = dict.fromkeys(missing, NOON)
    memory.note_items(target, answer, NOON)
    assert memory.has_unstored == is_new
    assert memory.missing.keys() == set(BOTH) - set(answer)


def test_what_one_answer_lacks_is_to_be_stored_whatever_the_next_one_has(
    memory: TargetMemory, target: Target
) -> None:
    memory.note_items(target, BOTH[:1], NOON)
    memory.note_items(target, BOTH[:1], NOON)
    assert memory.has_unstored


def test_an_item_is_missing_since_the_first_answer_without_it_and_never_later_than_now(
    memory: TargetMemory, target: Target
) -> None:
    for at in (NOON, NOON + MINUTE):
        memory.note_items(target, BOTH[:1], at)
    assert memory.missing == {"jobs/mail": NOON}
    memory.note_items(target, BOTH[:1], NOON - MINUTE)  # the clock was set back
    assert memory.missing == {"jobs/mail": NOON - MINUTE}
