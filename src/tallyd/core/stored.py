from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, TypeAlias

from tallyd.core.reading import Facts, Send

RowState: TypeAlias = Literal["waiting", "sent", "parked"]


Said: TypeAlias = Literal["accepted", "refused", "never", "nothing"]
"""What an upstream made of a try; `never`: it refuses that body for good."""


@dataclass(frozen=True)
class LastReading:
    """When a reading was taken, and whether by hand (`once`), outside the timetable."""

    at: datetime
    is_by_hand: bool = False


@dataclass(frozen=True, kw_only=True)
class StoredReading:
    """One row of the history. `body` is the out file's content, None for a missed slot.

    `slot` is the key of a reading's slot, with `#` and `part` behind it for one that has a part. Outside the
    timetable `slot` and `due_at` are None.
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
class SendRow:
    """A report to an upstream, as it is stored.

    `version` grows with each body that takes the place of another. `slot_at` is that of the body. `tries` are
    those of this body. `turn` is larger than that of every row of the poller that was tried before; 0: never.
    `said` is what came of the last try, of this body or the one before, `answer` the upstream's own words, or
    why it could not be asked.
    `failing_since` is the first failure since something of this `ssid` was last taken.
    """

    poller: str
    send: Send
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
        """The day and the upstream's name, as outcomes are told by."""
        return (self.send.day, self.send.ssid)
