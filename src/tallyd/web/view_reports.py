"""What the page shows of reports to the upstream: the last ones, each with the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tallyd.core.reading import Json
from tallyd.core.stored import OutboxRow, StoredReading
from tallyd.core.texts import shortened, visible
from tallyd.web.views import Level, Moment, moment

MOST_REPORTS = 20
LONGEST_ANSWER = 200


@dataclass(frozen=True, kw_only=True)
class ReportView:
    """A report to the upstream. `payload` is what it was told, as text."""

    at: Moment
    day: str
    name: str
    level: Level
    word: str
    answer: str
    payload: str = ""


_SENT_WORDS: Mapping[str, tuple[Level, str]] = {
    "sent": ("fine", "accepted"),
    "queued": ("warning", "waits"),
    "waiting": ("warning", "waits"),
    "parked": ("error", "refused for good"),
    "skipped": ("unknown", "nobody came: not sent"),
    "off": ("unknown", "not sent: switched off"),
}


def reports_view(
    readings: Sequence[StoredReading], rows: Sequence[OutboxRow], *, zone: ZoneInfo, now: datetime
) -> tuple[ReportView, ...]:
    """Return the last reports, the newest first, each with the upstream's answer.

    A reading tells what was known when its file was written; what became of the newest one of each day and
    name since then is in `rows`.
    """
    newest = {(row.message.day.isoformat(), row.slot_at): row for row in rows}
    found = []
    for stored in reversed(readings):
        report = (stored.body or {}).get("report")
        if stored.body is None or not isinstance(report, dict):
            continue
        at, day = stored.due_at or stored.taken_at, str(stored.body.get("day", ""))
        row = newest.get((day, at))
        level, word = _SENT_WORDS.get(
            row.state if row else str(report.get("state")), ("unknown", "not known")
        )
        answer = row.answer if row else report.get("answer")
        found.append(
            ReportView(
                at=moment(at, zone, now=now),
                day=visible(day),
                name=visible(row.message.ssid if row else _names(report)),
                level=level,
                word=word,
                answer=shortened(str(answer), LONGEST_ANSWER) if answer else "",
                payload=_payload(report),
            )
        )
        if len(found) == MOST_REPORTS:
            break
    return tuple(found)


def _objects(report: Mapping[str, Json]) -> list[dict[str, Json]]:
    payload = report.get("payload")
    return [each for each in payload if isinstance(each, dict)] if isinstance(payload, list) else []


def _names(report: Mapping[str, Json]) -> str:
    return ", ".join(dict.fromkeys(str(each.get("SSID", "")) for each in _objects(report)))


def _payload(report: Mapping[str, Json]) -> str:
    words = {"Count": "inside", "CountAccuIn": "in", "CountAccuOut": "out"}
    found = [
        f"{words.get(str(each.get('TagType')), str(each.get('TagType')))} {each.get('TagValue')}"
        for each in _objects(report)
    ]
    return shortened(", ".join(found), LONGEST_ANSWER)
