"""The values that cross between a poller and the daemon: Slot, Reading, Problem, OutboxMessage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias

from tallyd.core.alerts.values import Fields

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Facts: TypeAlias = Mapping[str, Json]
Severity: TypeAlias = Literal["warning", "error"]
Origin: TypeAlias = Literal["live", "late", "once", "imported"]

LATE_AFTER_S = 60.0
"""A reading that was taken more than this after its slot is a late one: its origin is `late`. Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that a person should know: a condition that is true now, not an event.

    It can be computed from stored facts. `key` is `<poller>/<subject>/<what>`, built by `naming.problem_key`.
    `since` is aware. `text` and `over` are the templates for the problem and for its end. `fields` are their
    values, filled in when a message is built (`alerts/wording.py`). `at_once`: the problem already has a
    waiting time of its own, so it does not wait for more readings. `stays`: it will not end without help (a
    wrong key), so people are notified even if the alert is already open for a lesser reason.
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
    """One scheduled time of one job.

    `key` is its stable, unique name, so that it counts once. It is None outside the timetable (`once`, plain
    intervals). `due_at` is aware, UTC. `late_s` is how long after `due_at` the run began, in seconds.
    """

    key: str | None
    due_at: datetime
    late_s: float = 0.0

    def stands_for(self, taken_at: datetime) -> datetime:
        """Return the instant to show for what a run found: its slot if the run was not late."""
        is_late = (taken_at - self.due_at).total_seconds() > LATE_AFTER_S
        return taken_at if self.key is None or is_late else self.due_at


@dataclass(frozen=True, kw_only=True)
class OutboxMessage:
    """A report of one day for an upstream. A newer report of that day replaces it.

    `ssid` is the upstream's own field for the name of what is counted. `body` is what tallyd posts: no URL,
    no secret.
    """

    ssid: str
    day: date
    body: Json = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one run of a job found at `taken_at` (aware), and the `problems` that are true then.

    `facts` are the kind's own keys of the out file (only JSON values); None: there is nothing to write.
    `latest` are those that differ in `latest.json`, if the out file has only what changed. `part`
    distinguishes several readings of one slot; the slot's own reading has None. `outbox` is committed with
    the reading, then sent. `memory` replaces what the job remembers; None leaves it unchanged. `evaluates`
    are the last key segments (`<what>`) of the alerts that this reading can resolve; None: all of its job.
    `skew_s` is how far our clock is ahead of the source's, in seconds; None if the source did not say.
    `executor` is the problem of the workers that the run needed; empty: they work; None: it needed none.
    `forgotten` are beginnings of keys, without the last segment: those alerts end as no longer watched.
    `outside_hours` are keys that were not judged, because nobody asks for them at this hour.
    `summary` is for a person who ran the job by hand, beside the facts; it is never stored.
    """

    taken_at: datetime
    facts: Facts | None
    latest: Facts | None = field(default=None, repr=False)
    part: str | None = None
    problems: tuple[Problem, ...] = ()
    outbox: tuple[OutboxMessage, ...] = ()
    memory: Facts | None = field(default=None, repr=False)
    evaluates: frozenset[str] | None = None
    skew_s: float | None = None
    executor: tuple[Problem, ...] | None = None
    forgotten: frozenset[str] = frozenset()
    outside_hours: frozenset[str] = frozenset()
    summary: Facts | None = field(default=None, repr=False)
