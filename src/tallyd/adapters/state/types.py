"""The values that go into state.db and come out of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from tallyd.core.alerts.rules import Evaluation


@dataclass(frozen=True, kw_only=True)
class JobRef:
    """A job: its poller, the poller's kind, and its name."""

    poller: str
    kind: str
    job: str


@dataclass(frozen=True, kw_only=True)
class NewReading:
    """A reading to store, from a run or from its out file.

    `slot` and `due_at` are None outside the timetable. `slot` does not contain the `part`. `name` is the name
    of the out file, relative to the poller's folder; `text` is its content as JSON, `latest` the keys that
    differ in `latest.json`.
    """

    ref: JobRef
    slot: str | None
    part: str | None
    due_at: datetime | None
    taken_at: datetime
    name: str
    text: str
    latest: str | None = None


@dataclass(frozen=True, kw_only=True)
class OutFile:
    """A reading's out file. `name` is relative to the poller's folder. `id` is that of the reading."""

    id: int
    poller: str
    job: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What one transaction stored: the out file of each reading (None: it has none), and the alert changes.

    `outs` is empty if there were no readings, or if the slot already had its reading.
    """

    outs: tuple[OutFile | None, ...] = ()
    evaluation: Evaluation = field(default_factory=Evaluation)
