"""A page on which every metric has a sample."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

from support.past import BERLIN, Past, arrival
from support.webfolder import NOW, Web
from tallyd.adapters.state import JobRef, State
from tallyd.core.alerts.rules import Alert
from tallyd.core.out_document import Heading
from tallyd.core.reading import OutboxMessage, Reading, Slot


def page_with_everything(folder: Path) -> Web:
    """Return a folder with all kinds of pollers, open alerts, runs of jobs, and a report of each state."""
    web = Web(folder)
    web.fill_records()
    Past(folder).taken("2026-11-20T12:00", {"50101": 12, "none": 2}, names={"50101": "Einsatzbereit"})
    web.alerts = {
        key: Alert(key=key, severity="error", text="", over="", since=NOW, raised_at=NOW)
        for key in ("apps/TEST/unreachable", "divera/count/failed")
    }
    web.kept["park", "sweep"] = {"arrivals": {"12": arrival(NOW - timedelta(seconds=7))}}
    for job in (("divera", "count"), ("park", "sweep"), ("apps", "check")):
        web.runs.note(job, "taken", took_s=0.2, late_s=0.4)
    with closing(State(folder / "state" / "state.db")) as state:
        _report(state, "SS-007")
        (row,) = state.outbox.waiting("park")
        state.outbox.note_sent(row, at=NOW - timedelta(minutes=1), answer="OK")
        _report(state, "SS-008")
    return web


def _report(state: State, ssid: str) -> None:
    message = OutboxMessage(ssid=ssid, day=NOW.date(), body=[])
    reading = Reading(taken_at=NOW, facts=None, outbox=(message,))
    heading = Heading(poller="park", kind="visitors", origin="live", due_at=NOW, taken_at=NOW, zone=BERLIN)
    state.readings.record(
        JobRef(poller="park", kind="visitors", job="report"),
        Slot(ssid, NOW),
        [(reading, heading)],
        observations=None,
        is_taken=lambda _name: False,
    )
