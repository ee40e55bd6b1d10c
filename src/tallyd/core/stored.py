"""What state.db holds of readings and of reports, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Literal, TypeAlias

from tallyd.core.naming import local_text
from tallyd.core.reading import Facts, Json, OutboxMessage

RowState: TypeAlias = Literal["waiting", "sent", "parked"]


Said: TypeAlias = Literal["accepted", "refused", "never", "nothing"]
"""Result of a try at an upstream. `never`: it refuses that body for good."""


@dataclass(frozen=True)
class LastReading:
    """When a reading was taken, and whether by hand (`once`), outside the timetable."""

    at: datetime
    is_by_hand: bool = False


@dataclass(frozen=True, kw_only=True)
class StoredReading:
    """One row of the history. `body` is the out file's content, None for a missed slot.

    `slot` is the key of the slot; for a reading with a `part`, `#` and the part follow. Outside the timetable
    `slot` and `due_at` are None.
    """

    poller: str
    kind: str
    job: str
    slot: str | None
    outcome: Literal["taken", "missed"]
    reason: str | None
    due_at: datetime | None
    taken_at: datetime
    body: Facts | None
    out_name: str | None
    part: str | None = None

    @property
    def taken(self) -> LastReading:
        return LastReading(self.taken_at, is_by_hand=self.due_at is None)


@dataclass(frozen=True, kw_only=True)
class OutboxRow:
    """A report to an upstream, as it is stored.

    `version` grows with each body that replaces another. `slot_at` and `tries` belong to this body. `turn` is
    larger than that of every row of the poller that was tried before; 0: never tried. `said` is the result of
    the last try, with this body or the one before. `answer` is the upstream's own words, or why tallyd could
    not reach it. `failing_since` is the first failure since the upstream last accepted something of this
    `ssid`.
    """

    poller: str
    message: OutboxMessage
    version: int
    slot_at: datetime
    state: RowState
    tries: int
    turn: int
    failing_since: datetime | None
    last_tried_at: datetime | None
    said: Said | None
    answer: str | None
    sent_at: datetime | None

    @property
    def key(self) -> tuple[date, str]:
        """The day and the upstream's name: the key of its outcome."""
        return (self.message.day, self.message.ssid)

    def json(self, zone: tzinfo) -> dict[str, Json]:
        """Return the report as `status --json` and the API show it."""
        return {
            "poller": self.poller,
            "ssid": self.message.ssid,
            "day": self.message.day.isoformat(),
            "state": self.state,
            "tries": self.tries,
            "answer": self.answer,
            "sent_at": local_text(self.sent_at, zone) if self.sent_at else None,
        }
