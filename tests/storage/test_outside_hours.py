"""A slot outside the hours of a requirement, from the reading to the alert."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from support.divera import users
from support.toolbox import FakeHttp, json_answer, toolbox
from tallyd.config.jobs import tasks_of
from tallyd.config.load import load
from tallyd.core.alerts.rules import Alert, evaluate
from tallyd.core.alerts.wording import OUTSIDE_HOURS
from tallyd.core.reading import Slot
from tallyd.storage.store_result import observations_of


def test_a_slot_outside_its_hours_is_neither_good_nor_bad_but_ends_an_open_alert(tmp_path: Path) -> None:
    by_day = {"statuses": ["7"], "count": 2, "when": [{"from": "06:00", "to": "18:00"}]}
    unit = {"kind": "divera", "accesskey": "abcdefgh1234", "at": ["12:00", "20:00"], "at_least": [by_day]}
    content = {"timezone": "Europe/Berlin", "alerts": {"raise_after": 2}, "pollers": {"divera": unit}}
    (tmp_path / "config.json").write_text(json.dumps(content))
    (task,) = tasks_of(load(tmp_path / "config.json", environ={}))
    known: dict[str, Alert] = {}
    changes = []
    for at in ("19T12:00", "19T20:00", "20T12:00", "20T20:00"):
        slot = Slot(at, datetime.fromisoformat(f"2026-11-{at}+01:00").astimezone(UTC))
        readings = task.job.run(slot, toolbox(FakeHttp(json_answer(users(7)))))
        found = evaluate(known, observations_of(task, slot, readings, now=slot.due_at))
        known |= {alert.key: alert for alert in found.changed}
        changes.append((len(found.raised), [alert.over for alert in found.closed]))
    assert changes == [(0, []), (0, []), (1, []), (0, [OUTSIDE_HOURS])]
