"""What state.db hands out and takes in, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tallyd.core.alerts.rules import Evaluation


@dataclass(frozen=True, kw_only=True)
class Whose:
    """Whose run it was: the poller, its kind and its job."""

    poller: str
    kind: str
    job: str


@dataclass(frozen=True, kw_only=True)
class NewReading:
    """A reading that is about to be stored, from a run or from its out file.

    `slot` and `due_at` are None outside the timetable. `part` is that of the reading; the slot's key does not
    show it. `name` is the file's, relative to the poller's folder, `text` the content as JSON.
    """

    whose: Whose
    slot: str | None
    part: str | None
    due_at: datetime | None
    taken_at: datetime
    name: str
    text: str


@dataclass(frozen=True, kw_only=True)
class OutFile:
    """The reserved name of a reading's out file, relative to the poller's folder. `id` is the reading's."""

    id: int
    poller: str
    job: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What one transaction stored: the reserved out file of each reading, None for one that has none, and
    what became of the problems. No out files at all: there were no readings, or the slot had its own before.
    """

    outs: tuple[OutFile | None, ...] = ()
    evaluation: Evaluation = field(default_factory=Evaluation)
