"""Requirements: when they are judged, and how many people they find."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from support.toolbox import BERLIN
from tallyd.pollers.divera.requirement import Requirement

COUNTS = {"1": 4, "2": 1, "none": 2}
QUALIFICATIONS = {"1": {"7": 3, "8": 1}, "2": {"7": 1}}


def requirement(**keys: Any) -> Requirement:
    return Requirement.model_validate({"statuses": ["1"], "count": 1, **keys})


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        pytest.param({"statuses": ["1"]}, 4, id="one-status"),
        pytest.param({"statuses": ["1", "2"]}, 5, id="a-sum"),
        pytest.param({"statuses": ["none"]}, 2, id="people-without-a-status"),
        pytest.param({"statuses": ["9"]}, 0, id="a-status-without-a-count-is-nobody"),
        pytest.param({"statuses": ["1", "2"], "qualification": "7"}, 4, id="a-qualification"),
        pytest.param({"statuses": ["1", "2"], "qualification": "8"}, 1, id="a-qualification-not-listed"),
        pytest.param({"statuses": ["none"], "qualification": "7"}, 0, id="a-status-without-qualifications"),
    ],
)
def test_it_adds_up_the_people_of_its_statuses(keys: dict[str, Any], found: int) -> None:
    assert requirement(**keys).found(COUNTS, QUALIFICATIONS) == found


WITHIN = {
    "always": ([], "2026-11-22T03:00", True),
    "fri": ([{"days": ["mon-fri"], "from": "06:00", "to": "18:00"}], "2026-11-20T06:00", True),
    "end": ([{"days": ["mon-fri"], "from": "06:00", "to": "18:00"}], "2026-11-20T18:00", False),
    "sat": ([{"days": ["mon-fri"], "from": "06:00", "to": "18:00"}], "2026-11-21T08:00", False),
    "the-second-hours-after-midnight": (
        [{"from": "06:00", "to": "07:00"}, {"days": ["sat"], "from": "22:00", "to": "02:00"}],
        "2026-11-22T01:00",
        True,
    ),
}


@pytest.mark.parametrize(("when", "at", "applies"), WITHIN.values(), ids=WITHIN)
def test_it_applies_within_its_hours(when: list[Any], at: str, applies: bool) -> None:
    assert requirement(when=when).applies(datetime.fromisoformat(at).replace(tzinfo=BERLIN)) is applies


def test_its_id_is_its_name_else_its_statuses() -> None:
    assert requirement(name=" Engine ").id == "Engine"
    assert requirement(statuses=["1", "none"]).id == "1+none"
