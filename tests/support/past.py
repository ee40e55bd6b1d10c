"""A state.db with an invented past, written by the store itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tallyd.adapters.state import JobRef, State
from tallyd.core.alerts.rules import Observations
from tallyd.core.out_document import Heading
from tallyd.core.reading import Json, Origin, Reading, Slot
from tallyd.core.schedule.timetable import Missed

BERLIN = ZoneInfo("Europe/Berlin")


def instant(text: str) -> datetime:
    """Return the instant of a local time in Berlin, or of ISO 8601 text with an offset."""
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=BERLIN)).astimezone(UTC)


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
