"""What state.db hands out and takes in, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tallyd.core.alerts.rules import Judgement


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


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What one transaction stored: the reserved out file of each reading, None for one that has none, and
    what became of the problems. No out files at all: there were no readings, or the slot had its own before.
    """

    outs: tuple[OutFile | None, ...] = ()
    judgement: Judgement = field(default_factory=Judgement)
