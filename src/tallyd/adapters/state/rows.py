"""What state.db hands out and takes in, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias

from tallyd.core.alerts import Judgement
from tallyd.core.reading import Facts, Send

RowState: TypeAlias = Literal["waiting", "sent", "parked"]
Said: TypeAlias = Literal["accepted", "refused", "never", "nothing"]
"""What an upstream made of a try; `never`: it refuses that body for good."""


@dataclass(frozen=True, kw_only=True)
class Whose:
    """Whose run it was: the poller, its kind and its job."""

    poller: str
    kind: str
    job: str


@dataclass(frozen=True)
class OutText:
    """A reserved name and the whole content of an out file that is about to be stored."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class FromFile:
    """A reading as its out file tells it. `slot` and `due_at` are None for one outside the timetable.

    `part` is that of the reading; the slot's key does not show it.
    """

    whose: Whose
    slot: str | None
    part: str | None
    due_at: datetime | None
    taken_at: datetime
    out: OutText


@dataclass(frozen=True, kw_only=True)
class OutFile:
    """An out file that is reserved: `name` is relative to the poller's folder, `text` its whole content."""

    id: int
    poller: str
    name: str
    text: str


@dataclass(frozen=True)
class Taken:
    """When a reading was taken, and whether by hand (`once`), outside the timetable."""

    at: datetime
    is_by_hand: bool = False


@dataclass(frozen=True, kw_only=True)
class Stored:
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
    def taken(self) -> Taken:
        return Taken(self.taken_at, is_by_hand=self.due_at is None)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What one transaction stored: the reserved out file of each reading, None for one that has none, and
    what became of the problems. No out files at all: there were no readings, or the slot had its own before.
    """

    outs: tuple[OutFile | None, ...] = ()
    judgement: Judgement = field(default_factory=Judgement)


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
