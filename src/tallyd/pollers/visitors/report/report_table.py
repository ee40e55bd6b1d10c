"""The last reports to an upstream as a table: each with what it says, and what the upstream answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from tallyd.core.panels import Cell, Column, Table
from tallyd.core.reading import Json
from tallyd.core.states import State
from tallyd.core.stored import OutboxRow, StoredReading
from tallyd.core.texts import shortened

MOST_REPORTS: Final = 20
LONGEST_TEXT: Final = 200
_COLUMNS = (
    Column(key="at", heading="report", unit="instant", is_vital=True),
    Column(key="day", heading="of"),
    Column(key="name", heading="name", is_vital=True),
    Column(key="state", heading="state", is_vital=True),
    Column(key="tries", heading="tries", unit="number"),
    Column(key="payload", heading="numbers"),
    Column(key="answer", heading="answer", is_note=True),
)
_WAITS = State("warning", "waits")
_STATES: Mapping[str, State] = {
    "sent": State("fine", "accepted"),
    "queued": _WAITS,
    "waiting": _WAITS,
    "parked": State("error", "rejected for good"),
    "skipped": State("unknown", "nobody came: not sent"),
    "off": State("unknown", "not sent: switched off"),
}
_UNKNOWN = State("unknown", "not known")
_WORDS = {"Count": "inside", "CountAccuIn": "in", "CountAccuOut": "out"}


def reports_table(readings: Iterable[StoredReading], outbox: Sequence[OutboxRow], *, nothing: str) -> Table:
    """Return all reports that are not sent, then the newest others, each from the newest on.

    A reading says what was known when its file was written. `outbox` has the newest report of each day and
    name, with what the upstream has answered since.
    """
    in_outbox = {(row.message.day.isoformat(), row.slot_at) for row in outbox}
    others = [
        (at, _of_reading(at, stored.body, report))
        for stored in readings
        if stored.body is not None and isinstance(report := stored.body.get("report"), dict)
        if (str(stored.body.get("day")), at := stored.due_at or stored.taken_at) not in in_outbox
    ]
    others += [(row.slot_at, _of_message(row)) for row in outbox if row.state == "sent"]
    unsent = [(row.slot_at, _of_message(row)) for row in outbox if row.state != "sent"]
    rows = (*_newest(unsent), *_newest(others)[:MOST_REPORTS])
    return Table(key="reports", title="Last reports", columns=_COLUMNS, rows=rows, nothing=nothing)


def _newest(found: Iterable[tuple[datetime, tuple[Cell, ...]]]) -> list[tuple[Cell, ...]]:
    return [row for _, row in sorted(found, key=lambda each: each[0], reverse=True)]


def _of_message(row: OutboxRow) -> tuple[Cell, ...]:
    message = row.message
    state, objects = _STATES[row.state], _objects(message.body)
    return (
        row.slot_at,
        message.day.isoformat(),
        message.ssid,
        state,
        row.tries,
        *_texts(objects, row.answer),
    )


def _of_reading(at: datetime, body: Mapping[str, Json], report: Mapping[str, Json]) -> tuple[Cell, ...]:
    objects = _objects(report.get("payload"))
    names = ", ".join(dict.fromkeys(str(each.get("SSID", "")) for each in objects))
    state = _STATES.get(str(report.get("state")), _UNKNOWN)
    answer = report.get("answer")
    texts = _texts(objects, str(answer) if answer else None)
    return (at, str(body.get("day", "")), shortened(names, LONGEST_TEXT), state, None, *texts)


def _objects(payload: Json) -> list[dict[str, Json]]:
    return [each for each in payload if isinstance(each, dict)] if isinstance(payload, list) else []


def _texts(objects: Iterable[Mapping[str, Json]], answer: str | None) -> tuple[str, str]:
    """Return what a report says (`inside 7, in 12, out 5`), and the answer."""
    numbers = (
        f"{_WORDS.get(tag := str(each.get('TagType')), tag)} {each.get('TagValue')}" for each in objects
    )
    return shortened(", ".join(numbers), LONGEST_TEXT), shortened(answer or "", LONGEST_TEXT)
