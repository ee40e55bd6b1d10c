"""A park whose gates are plain lists: what a report finds in the database, without one.

park = Park(settings)
park.passes("12", "2026-11-20T08:15:07", "in")
today, = park.report("2026-11-20T08:20")
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from support.toolbox import BERLIN, FakeHttp, toolbox
from tallyd.contract.corrections import Correction
from tallyd.contract.passages import Count, seen_text
from tallyd.contract.records import Records
from tallyd.core.errors import RecordsError
from tallyd.core.reading import Facts, Reading, Slot
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.pollers.visitors.report.daily_report import report


def settings(**report_keys: Any) -> VisitorsPoller:
    """Return the settings of a park with two gates and a group; `report_keys` are added to its report."""
    wanted = {"url": "https://upstream.example/report", "ssid": "SS-007", **report_keys}
    content = {
        "kind": "visitors",
        "inbox": "inbox",
        "sources": {"23": {}, "12": {"label": "Gate 12"}},
        "groups": {"both": ["12", "23"]},
        "report": wanted,
    }
    return VisitorsPoller.model_validate_json(json.dumps(content))


@dataclass
class FakeRecords:
    """Counts as the database would give them; `fault` is raised while it is set."""

    minutes_of: dict[tuple[str, str], Count] = field(default_factory=dict)
    corrected: list[Correction] = field(default_factory=list)
    fault: RecordsError | None = None
    reads: int = 0

    def add(self, source: str, at: datetime, direction: str) -> None:
        seen = seen_text(at)
        one = Count(int(direction == "in"), int(direction == "out"), int(direction == "other"), seen, seen)
        key = (source, seen[:16] + ":00")
        self.minutes_of[key] = self.minutes_of[key] + one if key in self.minutes_of else one

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        self.reads += 1
        if self.fault:
            raise self.fault
        found: dict[str, Count] = {}
        for (source, minute), count in self.minutes_of.items():
            if seen_text(since) <= minute < seen_text(until):
                found[source] = found[source] + count if source in found else count
        return found

    def corrections(self, since: datetime, until: datetime) -> Sequence[Correction]:
        return [each for each in self.corrected if since <= each.at < until]


@dataclass
class Park:
    """A poller's report job, run by hand; what it remembers goes through JSON each time."""

    settings: VisitorsPoller
    zone: ZoneInfo = BERLIN
    records: FakeRecords = field(default_factory=FakeRecords)
    memory: Facts = field(default_factory=dict)

    def instant(self, text: str) -> datetime:
        """Return the instant of a local time, or of one with an offset."""
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=self.zone)).astimezone(UTC)

    def passes(self, source: str, at: str, direction: str = "in", *, times: int = 1) -> None:
        for _ in range(times):
            self.records.add(source, self.instant(at), direction)

    def corrects(self, source: str, at: str, inside: int) -> None:
        """Say how many were inside; later ones come later."""
        when = self.instant(at)
        self.records.corrected.append(
            Correction(source=source, at=when, inside=inside, why="counted", by="anna", noted_at=when)
        )

    def report(self, due: str, *, now: str | None = None, in_timetable: bool = True) -> tuple[Reading, ...]:
        """Return the readings of the slot at `due`, run at `now`; outside the timetable nothing is kept."""
        due_at, at = self.instant(due), self.instant(now or due)
        slot = Slot(due_at.isoformat() if in_timetable else None, due_at, (at - due_at).total_seconds())
        tools = toolbox(FakeHttp(), poller="park", zone=self.zone, now=at, memory=self.memory)
        readings = report(self.settings, slot, replace(tools, records=cast("Records", self.records)))
        if in_timetable:
            for reading in readings:
                self.memory = (
                    self.memory if reading.memory is None else json.loads(json.dumps(reading.memory))
                )
        return readings

    def days(self, due: str) -> list[tuple[str, bool, int]]:
        """Return of each reading of a slot its day, whether it is final, and how many came."""
        return [day_of(reading) for reading in self.report(due)]


def facts_of(reading: Reading) -> dict[str, Any]:
    assert reading.facts is not None
    return dict(reading.facts)


def day_of(reading: Reading) -> tuple[str, bool, int]:
    """Return a reading's day, whether it is final, and how many came."""
    facts = facts_of(reading)
    return facts["day"], facts.get("final", False), facts["counts"]["in"]
