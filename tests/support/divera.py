"""Invented answers of Divera, and pollers to read them. Every person here is made up."""

from __future__ import annotations

from typing import Any

from support.toolbox import FakeHttp, json_answer, slot, toolbox
from tallyd.contract.http import Reply
from tallyd.core.reading import Reading
from tallyd.pollers.divera.poller import DiveraPoller

KEY = "canary-key-8f3a"
FIRST, LAST, PHONE, MAIL, NOTE = (
    "Canaria",
    "Kanarienvogel",
    "+49 170 5550199",
    "canaria@canary.example",
    "Zahnarzt bis elf",
)
CANARIES = (KEY, FIRST, LAST, PHONE, MAIL, NOTE)
"""Values that must never leave the parser."""


def divera(**keys: Any) -> DiveraPoller:
    """Return a poller with these keys of its config over the least that one needs."""
    return DiveraPoller.model_validate({"kind": "divera", "accesskey": KEY, "at": ["08:00"], **keys})


def person(number: int = 1, /, **keys: Any) -> dict[str, Any]:
    """Return a row of /api/users; without `status_id` unless given."""
    return {
        "user_id": number,
        "user_cluster_relation_id": 7000 + number,
        "cluster_id": 99,
        "firstname": FIRST,
        "lastname": LAST,
        "email": MAIL,
        "phonenumbers": [{"id": 1, "number": PHONE}],
        "status_note": NOTE,
        "status_name": "Einsatzbereit",
        **keys,
    }


def users(*status_ids: object) -> dict[str, Any]:
    """Return an answer of /api/users with one person for each status id."""
    rows = [person(number, status_id=each) for number, each in enumerate(status_ids, start=1)]
    return {"success": True, "data": rows}


def pull(monitor: object = None, *, statuses: object = None, vehicles: object = None) -> dict[str, Any]:
    """Return an answer of /api/v2/pull/all with that anonymous monitor, and persons everywhere else."""
    cluster: dict[str, Any] = {"name": "Musterwehr", "consumer": {"7001": person(1)}}
    if vehicles is not None:
        cluster["vehicle"] = vehicles
    if statuses is not None:
        cluster["status"] = statuses
    blocks: dict[str, Any] = {"ts": 1790000000, "cluster": cluster}
    if monitor is not None:
        named = {"50101": {"all": [{"id": 7001, "note": NOTE}]}}
        blocks["monitor"] = {"1": monitor, "2": named, "3": named, "ts": 1789999950, "cached": True}
    return {"success": True, "data": blocks}


def entry(count: object, /, **qualifications: object) -> dict[str, Any]:
    """Return a monitor's entry: `entry(12, q2=5)`. Where there is no qualification, PHP sends `[]`."""
    having = {key.removeprefix("q"): value for key, value in qualifications.items()}
    return {"all": count, "qualification": having or []}


def vehicle(status: object, /) -> dict[str, Any]:
    """Return a vehicle with that radio status. Its name and its crew must never leave the parser."""
    return {"id": 1, "name": LAST, "shortname": "LF", "fmsstatus_id": status, "fmsstatus_note": NOTE}


def read(poller: DiveraPoller, /, *answers: Reply | Exception | dict[str, Any], **tools: Any) -> Reading:
    """Run the poller's job once over these answers and return its reading."""
    http = FakeHttp(*(json_answer(each) if isinstance(each, dict) else each for each in answers))
    (job,) = poller.jobs()
    (reading,) = job.run(slot(), toolbox(http, **tools))
    assert len(http.calls) == len(answers), "not every answer was asked for"
    return reading


def facts(reading: Reading) -> dict[str, Any]:
    """Return the facts of a reading, loosely typed so that a test can look inside."""
    assert reading.facts is not None
    return dict(reading.facts)
