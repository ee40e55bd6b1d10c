"""Which incidents belong to what somebody asks for."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from support.past import FakePast, instant
from tallyd.config.load import load
from tallyd.contract.board import Asked
from tallyd.core.alerts.incidents import Incident
from tallyd.storage.incidents import incidents_of

DAY = date(2026, 11, 20)


def incident(key: str) -> Incident:
    since = instant("2026-11-20T10:00:00")
    return Incident(
        key=key, text="", since=since, raised_at=since, severities=((since, "error"),), ended_at=None
    )


@pytest.mark.parametrize(
    ("options", "subjects"),
    [
        pytest.param({}, ["12", "23", "inbox"], id="all"),
        pytest.param({"group": "north"}, ["12", "inbox"], id="a group and what concerns everybody"),
        pytest.param({"source": "23"}, ["23", "inbox"], id="a source and what concerns everybody"),
    ],
)
def test_the_incidents_are_those_of_what_is_asked_for(
    tmp_path: Path, options: dict[str, str], subjects: list[str]
) -> None:
    visitors = {"kind": "visitors", "inbox": "in", "groups": {"north": ["12"]}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"timezone": "UTC", "pollers": {"park": visitors}}))
    config = load(path, environ={})
    happened = [incident(f"park/{each}/no-files") for each in ("12", "23", "inbox")]
    past = FakePast(poller="park", now=instant("2026-11-21T10:00:00"), happened=happened)
    asked = Asked(first=DAY, last=DAY, options=options)
    poller = config.settings.pollers["park"]
    found = incidents_of(poller, past, asked, config, since=asked.span(past.zone)[0])
    assert sorted(each.incident.subject for each in found) == subjects
