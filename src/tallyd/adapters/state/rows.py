"""What state.db hands out and takes in, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tallyd.core.alerts import Judgement
from tallyd.core.reading import Facts


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
    """A reading as its out file tells it. `slot` and `due_at` are None for one outside the timetable."""

    whose: Whose
    slot: str | None
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
class Stored:
    """One row of the history. `body` is the out file's content, None for a missed slot."""

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


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What one transaction stored: the reserved out file, if any, and what became of the problems."""

    out: OutFile | None = None
    judgement: Judgement = field(default_factory=Judgement)
