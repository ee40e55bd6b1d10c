"""The last reports to an upstream as a table: each with what it says, and what the upstream answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from tallyd.contract.board import Past
from tallyd.core.language.formats import clock, day_text
from tallyd.core.language.messages import mark, tr, translated
from tallyd.core.panels import Cell, Column, Table
from tallyd.core.reading import Json
from tallyd.core.states import State
from tallyd.core.stored import OutboxRow, StoredReading
from tallyd.core.texts import shortened
from tallyd.pollers.visitors.report.upstream import TAGS
from tallyd.pollers.visitors.report_settings import ReportSettings

MOST_REPORTS: Final = 20
_LOOKS_BACK: Final = timedelta(days=2)
LONGEST_TEXT: Final = 200
_WAITS = State("warning", mark("waits"))
_STATES: Mapping[str, State] = {
    "sent": State("fine", mark("accepted")),
    "queued": _WAITS,
    "waiting": _WAITS,
    "parked": State("error", mark("rejected for good")),
    "skipped": State("unknown", mark("nobody came: not sent")),
    "off": State("unknown", mark("not sent: switched off")),
}
_UNKNOWN = State("unknown", mark("not known"))


def last_reports(past: Past, settings: ReportSettings | None) -> Table | None:
    """Return the last reports; None if there are none and none will come."""
    outbox = past.outbox()
    if settings is None:
        return reports_table((), outbox, nothing="") if outbox else None
    # Not more than the table can show: each has all the counts of its day.
    since = past.now - min(_LOOKS_BACK, timedelta(seconds=MOST_REPORTS * settings.every))
    nothing = tr(
        "No report since {since}.[ Next report: {next}.]",
        since=clock(since, past.zone, now=past.now),
        next=clock(past.next_at, past.zone, now=past.now) if past.next_at else "",
    )
    return reports_table(past.readings(since, past.now), outbox, nothing=nothing)


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
    return Table(key="reports", title=tr("Last reports"), columns=_columns(), rows=rows, nothing=nothing)


def _columns() -> tuple[Column, ...]:
    return (
        Column(key="at", heading=tr("report"), unit="instant", is_vital=True),
        Column(key="day", heading=tr("of")),
        Column(key="name", heading=tr("name"), is_vital=True),
        Column(key="state", heading=tr("state"), is_vital=True),
        Column(key="tries", heading=tr("tries"), unit="number"),
        Column(key="payload", heading=tr("numbers")),
        Column(key="answer", heading=tr("answer"), is_note=True),
    )


def _newest(found: Iterable[tuple[datetime, tuple[Cell, ...]]]) -> list[tuple[Cell, ...]]:
    return [row for _, row in sorted(found, key=lambda each: each[0], reverse=True)]


def _of_message(row: OutboxRow) -> tuple[Cell, ...]:
    message = row.message
    state, objects = _STATES[row.state], _objects(message.body)
    return (
        row.slot_at,
        day_text(message.day),
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
    day = day_text(date.fromisoformat(str(body["day"])))
    return (at, day, shortened(names, LONGEST_TEXT), state, None, *texts)


def _objects(payload: Json) -> list[dict[str, Json]]:
    return [each for each in payload if isinstance(each, dict)] if isinstance(payload, list) else []


def _texts(objects: Iterable[Mapping[str, Json]], answer: str | None) -> tuple[str, str]:
    """Return what a report says (`inside 7, in 12, out 5`), and the answer."""
    by_name: dict[str, dict[str, str]] = {}
    for each in objects:
        by_name.setdefault(str(each.get("SSID")), {})[str(each.get("TagType"))] = str(each.get("TagValue"))
    numbers = "; ".join(map(_numbers, by_name.values()))
    return shortened(numbers, LONGEST_TEXT), shortened(translated(answer or ""), LONGEST_TEXT)


def _numbers(tags: Mapping[str, str]) -> str:
    values = (tags.get(tag, "") for tag in TAGS)
    inside, n_in, n_out = (int(value) if value.isdecimal() else value for value in values)
    return tr("inside {inside}, in {n_in}, out {n_out}", inside=inside, n_in=n_in, n_out=n_out)
