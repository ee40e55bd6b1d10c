"""An invented past: in a state.db, written by the store itself, or in memory, for boards."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tallyd.adapters.state import JobRef, State
from tallyd.contract.arrivals import Arrival, ArrivalState
from tallyd.contract.corrections import Correction
from tallyd.contract.imports import Imported
from tallyd.contract.lags import HourCount, LagRow
from tallyd.contract.passages import Count, seen_text
from tallyd.core.alerts.incidents import Incident
from tallyd.core.alerts.rules import Observations
from tallyd.core.errors import RecordsError
from tallyd.core.out_document import Heading
from tallyd.core.reading import Facts, Json, Origin, Reading, Slot
from tallyd.core.schedule.timetable import Missed
from tallyd.core.stored import LastReading, OutboxRow, StoredReading
from tallyd.core.uptime import TimeSpan, merged

BERLIN = ZoneInfo("Europe/Berlin")


def instant(text: str) -> datetime:
    """Return the instant of a local time in Berlin, or of ISO 8601 text with an offset."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=BERLIN)).astimezone(UTC)


def arrival(at: datetime, *, host: str = "pi (/state)", state: ArrivalState = "done", **more: Any) -> Arrival:
    """Return what is known of a source whose newest file came at an instant."""
    known = {"last_record_at": None, "reason": None, "seen_at": at, **more}
    return Arrival(last_file_at=at, host=host, state=state, **known)


@dataclass
class Past:
    """Writes readings into the state.db of a config in `folder`."""

    folder: Path
    poller: str = "divera"
    kind: str = "divera"

    def __post_init__(self) -> None:
        (self.folder / "state").mkdir(exist_ok=True)

    @property
    def _ref(self) -> JobRef:
        return JobRef(poller=self.poller, kind=self.kind, job="count")

    def taken(
        self,
        at: str,
        counts: Mapping[str, int | None],
        *,
        origin: Origin = "live",
        late_s: float = 0.4,
        clock_suspect: bool = False,
        names: Mapping[str, str] | None = None,
        **facts: Json,
    ) -> None:
        """Store a reading of the slot `at`; with origin `once`, one that was taken at `at`."""
        due_at = None if origin == "once" else instant(at)
        taken_at = instant(at) if due_at is None else due_at + timedelta(seconds=late_s)
        facts = {"source": "users", "counts": dict(counts), "names": dict(names or {}), **facts}
        hidden = "hide_below" in facts
        total = None if hidden else sum(count for count in counts.values() if count is not None)
        reading = Reading(taken_at=taken_at, facts={"total": total, **facts})
        heading = Heading(
            poller=self.poller,
            kind=self.kind,
            origin=origin,
            due_at=due_at,
            taken_at=taken_at,
            zone=BERLIN,
            clock_suspect=clock_suspect,
        )
        slot = Slot(None if due_at is None else at, due_at or taken_at)
        state = State(self.folder / "state" / "state.db")
        try:
            state.readings.record(
                self._ref, slot, [(reading, heading)], observations=None, is_taken=lambda _name: False
            )
        finally:
            state.close()

    def missed(self, at: str, reason: str = "nothing ran at that time") -> None:
        """Store a slot that has no reading."""
        state = State(self.folder / "state" / "state.db")
        try:
            one, now = Missed(at, instant(at), reason, None), instant(at) + timedelta(hours=1)
            observations = Observations(named=(), may_resolve=lambda _key: False, now=now)
            state.slots.miss(self._ref, (one,), now=now, observations=observations)
        finally:
            state.close()


def write_config(folder: Path, **keys: Json) -> Path:
    """Write a config with one Divera poller, `divera`; `keys` are added at the top."""
    poller: dict[str, Json] = {
        "kind": "divera",
        "accesskey": "canary-key-8f3a",
        "at": ["08:00", "20:00"],
        "status_names": {"50101": "Einsatzbereit"},
    }
    content = {"timezone": "Europe/Berlin", "pollers": {"divera": poller}, **keys}
    path = folder / "config.json"
    path.write_text(json.dumps(content), "utf-8")
    return path


def minutely(checks: int, fresh: int, late: int, lag_s_max: float | None) -> HourCount:
    """Return checks of which each held for a minute; those that were neither fresh nor late were stale."""
    stale_s = 60.0 * (checks - fresh - late)
    return HourCount(checks, lag_s_max, fresh_s=60.0 * fresh, late_s=60.0 * late, stale_s=stale_s)


@dataclass(kw_only=True)
class FakeRecords:
    """Records in memory. Satisfies `contract.board.PastRecords`.

    `rows` are (source, minute, count), `hours` (target, hour, checks). `asked` are the spans of time of which
    minutes were read.
    """

    rows: Sequence[tuple[str, str, Count]] = ()
    files: Mapping[str, int] = field(default_factory=lambda: {"done": 0, "rejected": 0})
    hours: Sequence[tuple[str, str, HourCount]] = ()
    lags: Sequence[LagRow] = ()
    corrected: Sequence[Correction] = ()
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)

    def imported(self) -> Imported | None:
        """Return nothing."""
        return None

    arrived: Mapping[str, Arrival] = field(default_factory=dict)

    def arrivals(self, now: datetime) -> Mapping[str, Arrival]:
        del now
        return self.arrived

    def counts(self, since: datetime, until: datetime) -> Mapping[str, Count]:
        found: dict[str, Count] = {}
        for source, minute, count in self.rows:
            if _within(minute, since, until):
                found[source] = found[source] + count if source in found else count
        return found

    def minutes(
        self, since: datetime, until: datetime, *, sources: Collection[str] | None = None
    ) -> Sequence[tuple[str, Count]]:
        self.asked.append((since, until))
        found: dict[str, Count] = {}
        for source, minute, count in self.rows:
            if _within(minute, since, until) and (sources is None or source in sources):
                found[minute] = found[minute] + count if minute in found else count
        return sorted(found.items())

    def corrections(self, since: datetime, until: datetime) -> Sequence[Correction]:
        found = [each for each in self.corrected if since <= each.at < until]
        return sorted(found, key=lambda each: each.at)

    def files_since(self, since: datetime) -> Mapping[str, int]:
        del since
        return self.files

    def server_sums(self, since: datetime, until: datetime) -> Mapping[str, HourCount]:
        found: dict[str, HourCount] = {}
        for target, _, count in self.server_hours(since, until):
            found[target] = found[target] + count if target in found else count
        return found

    def server_hours(
        self, since: datetime, until: datetime, *, servers: Collection[str] | None = None
    ) -> Sequence[tuple[str, str, HourCount]]:
        found = (row for row in self.hours if servers is None or row[0] in servers)
        return sorted((row for row in found if _within(row[1], since, until)), key=lambda row: row[:2])

    def server_lags(
        self, servers: Collection[str], since: datetime, until: datetime, *, most: int
    ) -> Sequence[LagRow]:
        found = [row for row in self.lags if row.server in servers and _within(row.checked_at, since, until)]
        return sorted(found, key=lambda row: row.checked_at)[-most:]


def _within(text: str, since: datetime, until: datetime) -> bool:
    return seen_text(since) <= text < seen_text(until)


@dataclass(kw_only=True)
class FakePast:
    """What is stored of one poller, in memory. Satisfies `contract.board.Past`.

    `trouble`: why the database of records cannot be used; empty: it can.
    """

    poller: str
    now: datetime
    zone: ZoneInfo = BERLIN
    next_at: datetime | None = None
    open_alerts: frozenset[str] = frozenset()
    stored: Sequence[StoredReading] = ()
    memories: Mapping[str, Facts] = field(default_factory=dict)
    in_memory: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    messages: Sequence[OutboxRow] = ()
    held: FakeRecords = field(default_factory=FakeRecords)
    trouble: str = ""
    happened: Sequence[Incident] = ()
    was_on: Sequence[TimeSpan] = ()

    @property
    def records(self) -> FakeRecords:
        if self.trouble:
            raise RecordsError(self.trouble)
        return self.held

    def last_taken(self) -> LastReading | None:
        newest = self.last_reading()
        return newest.taken if newest else None

    def last_reading(self, *, in_timetable: bool = False) -> StoredReading | None:
        taken = [row for row in self.stored if row.body is not None]
        found = [row for row in taken if row.due_at is not None or not in_timetable]
        return max(found, key=lambda row: row.taken_at, default=None)

    def readings(
        self, since: datetime, until: datetime, *, most: int | None = None
    ) -> Sequence[StoredReading]:
        return [row for row in self.stored if since <= (row.due_at or row.taken_at) < until][:most]

    def memory(self, job: str) -> Facts:
        return self.memories.get(job, {})

    def kept(self, job: str) -> Mapping[str, object]:
        return self.in_memory.get(job, {})

    def outbox(self) -> Sequence[OutboxRow]:
        return self.messages

    def incidents(
        self, since: datetime, until: datetime, *, subject: str = "", most: int | None = None
    ) -> Sequence[Incident]:
        found = [
            each
            for each in self.happened
            if each.since < until
            and (each.ended_at is None or each.ended_at > since)
            and subject in ("", each.subject, each.subject.partition("/")[0])
        ]
        return sorted(found, key=lambda each: each.since, reverse=True)[:most]

    def uptime(self, since: datetime, until: datetime) -> Sequence[TimeSpan]:
        return merged(self.was_on, since, until, now=self.now)
