"""The kinds of problems of servers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from tallyd.contract.lags import StoreOutcome
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.values import Age, At, Span
from tallyd.core.language.messages import mark
from tallyd.core.reading import Problem
from tallyd.core.schedule.due_times import near
from tallyd.pollers.servers.freshness import State, Trouble, taken_off
from tallyd.pollers.servers.targets.target import Target

STALE = AlertKind(
    key="<poller>/<target>/stale",
    severity="warning",
    text=mark(
        "{target}: data {age} old[ (limit {limit})][, new data was due {due}], last computed {computed}"
        "[; server answers ({answered})]"
        "[; its time has no zone and was read as {zone}].[ Mute: {mute}]"
    ),
    over=mark("{target}: no longer stale"),
    ends=mark("a check that finds newer data"),
    short=mark("stale"),
    many=mark("targets stale"),
    subject="target",
)
FUTURE = AlertKind(
    key="<poller>/<target>/future",
    severity="warning",
    text=mark(
        "{target}: data computed {ahead} ahead of now[, after correcting its clock, which is {fast} fast]"
        "[, after correcting its clock, which is {slow} slow][; its time has no zone and was read as {zone}]."
        " Check the clock and the time zone there.[ Mute: {mute}]"
    ),
    over=mark("{target}: no longer in the future"),
    ends=mark("a check that finds a time that is not ahead of now"),
    short=mark("data from the future"),
    many=mark("targets in the future"),
    subject="target",
)
INVALID = AlertKind(
    key="<poller>/<target>/invalid",
    severity="error",
    text=mark("{target}: no valid time in its answer: {reason}[; last computed {computed}].[ Mute: {mute}]"),
    over=mark("{target}: answers with a time again"),
    ends=mark("a reply with a readable time"),
    short=mark("invalid answer"),
    many=mark("targets with an invalid answer"),
    subject="target",
)
UNREACHABLE = AlertKind(
    key="<poller>/<target>/unreachable",
    severity="error",
    text=mark("{target}: unreachable: {reason}[; last computed {computed}].[ Mute: {mute}]"),
    over=mark("{target}: answers again"),
    ends=mark("a 2xx reply"),
    short=mark("unreachable"),
    many=mark("targets unreachable"),
    subject="target",
)
VANISHED = AlertKind(
    key="<poller>/<target>/vanished",
    severity="warning",
    text=mark(
        "{target}: no longer in the answer since {since}[; last computed {computed}]. "
        "tallyd forgets it in a day.[ Mute: {mute}]"
    ),
    over=mark("{target}: in the answer again"),
    ends=mark("an answer with it, or a day"),
    short=mark("vanished"),
    many=mark("targets that vanished from an answer"),
    subject="target",
)
UNSTORED = AlertKind(
    key="<poller>/database/unstored",
    severity="error",
    text=mark(
        "{poller}: checks have not been stored since {since}: {reason}. Checking goes on"
        "[; the newest rows wait in memory, but {most} or more are lost]."
    ),
    over=mark("{poller}: checks are stored again"),
    ends=mark("the database stores the waiting rows"),
    short=mark("checks not stored"),
    many=mark("pollers that cannot store their checks"),
)
TARGET_KINDS: Final[dict[State, AlertKind]] = {
    "stale": STALE,
    "future": FUTURE,
    "invalid": INVALID,
    "unreachable": UNREACHABLE,
}
DATABASE: Final = "database"
KINDS: Final = (*TARGET_KINDS.values(), VANISHED, UNSTORED)

VANISHED_FOR_S: Final = 86400.0
"""How long that is a problem. Then the item is forgotten."""

UNSTORED_AFTER_S: Final = 60.0
"""How long checks wait in memory before it is a problem: a database may restart."""


def problem_of(target: Target, trouble: Trouble, poller: str, last: datetime | None, zone: tzinfo) -> Problem:
    """Return the problem of a target; `last` is the last time that it reported."""
    seen = trouble.seen
    computed_at = seen.computed_at or last
    lag_s, skew_s = seen.lag_s or 0.0, taken_off(seen.skew_s)
    return _kind_of(target, TARGET_KINDS[trouble.state]).problem(
        poller,
        *target.segments,
        since=trouble.since,
        target=target.name,
        age=Age(seen.at - timedelta(seconds=lag_s)),
        ahead=Span(-lag_s) if lag_s < 0 else None,
        limit=None if target.due else Span(target.limits.stale_after_s),
        due=At(due_at) if (due_at := near(target.due, seen.at, zone).last) else None,
        computed=At(computed_at) if computed_at else None,
        answered=seen.answered or None,
        reason=seen.reason,
        fast=Span(-skew_s) if skew_s < 0 else None,
        slow=Span(skew_s) if skew_s > 0 else None,
        zone=seen.guessed_zone,
    )


def vanished_problem(target: Target, since: datetime, poller: str, last: datetime | None) -> Problem:
    """Return the problem of an item that answers no longer have since then."""
    return _kind_of(target, VANISHED).problem(
        poller, *target.segments, since=since, target=target.name, computed=At(last) if last else None
    )


def _kind_of(target: Target, kind: AlertKind) -> AlertKind:
    """Return a kind with the severity that the config gives the target, if it gives one."""
    return replace(kind, severity=target.severity or kind.severity)


def unstored(outcome: StoreOutcome, *, since: datetime, now: datetime, poller: str) -> Problem | None:
    """Return the problem of a database that has stored nothing since `since`; None: no problem (yet)."""
    if outcome.trouble is None or (now - since).total_seconds() < UNSTORED_AFTER_S:
        return None
    return UNSTORED.problem(
        poller,
        DATABASE,
        since=since,
        poller=poller,
        reason=outcome.trouble,
        most=_about(outcome.dropped) or None,
    )


def _about(count: int) -> int:
    """Return a count that does not change with every round: its first digit, followed by zeros."""
    step: int = 10 ** (len(str(count)) - 1)
    return count // step * step
