"""The values that cross between a poller and the daemon: Slot, Reading, Problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias

from tallyd.core.alerts.values import Fields

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Facts: TypeAlias = Mapping[str, Json]
Severity: TypeAlias = Literal["warning", "error"]
Origin: TypeAlias = Literal["live", "late", "once"]

LATE_AFTER_S = 60.0
"""A reading taken more than this after its slot was caught up: its origin is `late`."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something a person should know of, as a *level*: true now, computable from stored facts.

    `key` is `<poller>/<subject>/<what>`, built by `naming.problem_key`; `since` is aware. `text` and `over`
    are the templates of what is said of it and of its end, `fields` what they are filled with where somebody
    reads them (`saying.py`). `at_once`: the problem already carries a duration of its own, so no further
    readings are waited for. `stays`: it will not go by itself (a wrong key), which is told even where it is
    open for a lesser reason.
    """

    key: str
    text: str
    since: datetime
    over: str = ""
    severity: Severity = "error"
    at_once: bool = False
    stays: bool = False
    fields: Fields = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Slot:
    """One appointed time of one job.

    `key` names it for ever, so that it is counted once; it is None outside the timetable (`once`, plain
    intervals). `due_at` is aware, UTC. `late_s` is how long after `due_at` the run began, in seconds.
    """

    key: str | None
    due_at: datetime
    late_s: float = 0.0

    def stands_for(self, taken_at: datetime) -> datetime:
        """Return the instant that people are told for what a run found: its slot, where it was not late."""
        is_late = (taken_at - self.due_at).total_seconds() > LATE_AFTER_S
        return taken_at if self.key is None or is_late else self.due_at


@dataclass(frozen=True, kw_only=True)
class Send:
    """A report of one day that an upstream is to be sent, until a newer one of that day takes its place.

    `ssid` is the upstream's name for what is counted. `body` is what is posted; no URL, no secret.
    """

    ssid: str
    day: date
    body: Json = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one run of a job found out.

    `facts` are the kind's own keys of the out file (JSON values only); None: there is nothing to write.
    `part` tells several readings of one slot apart; the slot's own has None. `sends` are committed with the
    reading, then sent. `memory` replaces what the job remembers until its next run; None leaves it as it is.
    `judges` are the last key segments that this reading can say something of; None: all that its job judges.
    `skew_s` is how far our clock is ahead of the source's, in seconds, None where the source did not say.
    `summary` is what a person who ran the job by hand is shown beside the facts; it is never stored.
    """

    taken_at: datetime
    facts: Facts | None
    part: str | None = None
    problems: tuple[Problem, ...] = ()
    sends: tuple[Send, ...] = ()
    memory: Facts | None = field(default=None, repr=False)
    judges: frozenset[str] | None = None
    skew_s: float | None = None
    summary: Facts | None = field(default=None, repr=False)
