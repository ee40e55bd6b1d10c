"""How old a server's data is: the rule from its computed time to a state, and what follows from it.

A server says when its data was last computed, by its own clock (`computed_time.py` reads that). This module
decides what the time means. It does not know how the server was asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from tallyd.core.schedule.due_times import Near
from tallyd.pollers.servers.computed_time import FUTURE_AFTER_S

State: TypeAlias = Literal["fresh", "late", "stale", "unreachable", "invalid", "future"]
STATES: Final[tuple[State, ...]] = ("fresh", "late", "stale", "unreachable", "invalid", "future")
BY_SERIOUSNESS: Final[tuple[State, ...]] = ("unreachable", "invalid", "stale", "future", "late", "fresh")
TROUBLES: Final[tuple[State, ...]] = ("unreachable", "invalid", "stale", "future")
"""The states that raise an alert."""

AGREED_S: Final = 2.0
"""Clocks that differ by at most this agree: a `Date` header has whole seconds, and a reply takes time."""


# -- the state -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """How old data may be, in seconds: up to `late_after_s` it is fresh, up to `stale_after_s` late."""

    late_after_s: float
    stale_after_s: float


def limits_if_due(due: Near, *, now: datetime) -> Limits:
    """Return how old data may be now if new data is due at some times.

    It must be newer than the due time before the last one: between these two it was to be computed. Its age
    between due times makes no difference, so it is never late. With fewer than two due times, nothing is due.
    """
    if due.before is None:
        return Limits(math.inf, math.inf)
    # Data of exactly that time belongs to it, so it is too old. At a limit it would not be.
    newest_s = (now - due.before - datetime.resolution).total_seconds()
    return Limits(newest_s, newest_s)


def taken_off(skew_s: float | None) -> float:
    """Return how far our clock is ahead of the server's, in seconds; 0 if the clocks agree."""
    return skew_s if skew_s is not None and abs(skew_s) > AGREED_S else 0.0


def lag_of(computed_at: datetime, *, now: datetime, skew_s: float | None) -> float:
    """Return how old data is, in seconds, by the clock of the server that computed it; below 0: ahead."""
    return (now - computed_at).total_seconds() - taken_off(skew_s)


def state_of(lag_s: float, limits: Limits) -> State:
    """Return the state of data with this age. Exactly at a limit it still has the better state."""
    if lag_s < -FUTURE_AFTER_S:
        return "future"
    if lag_s > limits.stale_after_s:
        return "stale"
    return "late" if lag_s > limits.late_after_s else "fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check of a server found, at `at`.

    `computed_at` and `lag_s` are None if no time could be read; `reason` then says why. `skew_s`: how far
    our clock is ahead of the server's, None without a `Date` header. `answered` is `200, 41 ms`, empty
    without a reply. `guessed_zone` is the assumed zone of a time without a zone, if the config sets none.
    """

    at: datetime
    state: State
    computed_at: datetime | None = None
    lag_s: float | None = None
    skew_s: float | None = None
    reason: str = ""
    answered: str = ""
    guessed_zone: str = ""


def check_result_of(
    computed_at: datetime, *, now: datetime, skew_s: float | None, limits: Limits, **said: str
) -> CheckResult:
    """Return what a check found that read a time; `said` are the texts of the `CheckResult`."""
    lag_s = lag_of(computed_at, now=now, skew_s=skew_s)
    return CheckResult(
        at=now,
        state=state_of(lag_s, limits),
        computed_at=computed_at,
        lag_s=lag_s,
        skew_s=skew_s,
        **said,
    )


# -- from check to check -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trouble:
    """A state that raises an alert, since when, and the check result for its text.

    It is the last check result with something new: values that change with every check are not stored.
    """

    since: datetime
    seen: CheckResult

    @property
    def state(self) -> State:
        return self.seen.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known about a server. `since`: when its current state was first seen.

    `computed_at` is the last time that it sent, `changed_at` when tallyd first saw that; None: none yet.
    `troubles` are the open ones: its state, and those that its state hides (see `follow`).
    """

    state: State
    since: datetime
    computed_at: datetime | None = None
    changed_at: datetime | None = None
    troubles: tuple[Trouble, ...] = ()

    @property
    def is_stale(self) -> bool:
        """Whether its data was stale when its time was last read."""
        return any(trouble.state == "stale" for trouble in self.troubles)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a check changed. `was` is the state before, None at the first check.

    `advanced_s` is how far the server's time moved since it last changed, in seconds (below 0: it went back);
    None if it did not move, or there is nothing to compare with. `unchanged_s` is how long checks have found
    the same time; None if this check read none. `is_new_time`: this check read another time than before.
    """

    known: Known
    result: CheckResult
    was: State | None
    advanced_s: float | None
    unchanged_s: float | None
    is_new_time: bool

    @property
    def is_change(self) -> bool:
        """Whether the state changed; the first check is a change."""
        return self.was != self.known.state

    @property
    def is_worth_a_file(self) -> bool:
        """Whether the state changed, and not only between fresh and late, as it often does."""
        return self.is_change and not {self.was, self.known.state} <= {"fresh", "late"}

    @property
    def is_new(self) -> bool:
        """Whether the state or the server's time changed."""
        return self.is_change or self.is_new_time


_HIDDEN: Final[dict[State, frozenset[State]]] = {
    "unreachable": frozenset({"invalid", "stale", "future"}),
    "invalid": frozenset({"stale", "future"}),
}
"""If a server does not reply, nobody knows whether its data is still old: open troubles stay open."""


def follow(known: Known | None, result: CheckResult) -> Step:
    """Return what a check changes; `known` None: it is the first one.

    If our clock was set back, nothing begins in the future.
    """
    since, changed_at, computed_at = result.at, result.at, result.computed_at
    advanced_s = None
    if known is not None:
        if known.state == result.state:
            since = min(known.since, result.at)
        if computed_at is None or computed_at == known.computed_at:
            computed_at = known.computed_at
            changed_at = min(known.changed_at or result.at, result.at)
        elif known.computed_at is not None:
            advanced_s = (computed_at - known.computed_at).total_seconds()
    now_known = Known(
        state=result.state,
        since=since,
        computed_at=computed_at,
        changed_at=changed_at if computed_at is not None else None,
        troubles=_troubles(known, result),
    )
    return Step(
        known=now_known,
        result=result,
        was=known.state if known else None,
        advanced_s=advanced_s,
        unchanged_s=None if result.computed_at is None else (result.at - changed_at).total_seconds(),
        is_new_time=result.computed_at is not None
        and (known is None or known.computed_at != result.computed_at),
    )


def unseen(known: Known) -> Step:
    """Return the step of a server that was not checked this time: nothing changes."""
    seen = next((trouble.seen for trouble in known.troubles if trouble.state == known.state), None)
    return Step(
        known=known,
        result=CheckResult(at=known.since, state=known.state, reason=seen.reason if seen else ""),
        was=known.state,
        advanced_s=None,
        unchanged_s=None,
        is_new_time=False,
    )


def _troubles(known: Known | None, result: CheckResult) -> tuple[Trouble, ...]:
    before = known.troubles if known else ()
    hidden = _HIDDEN.get(result.state, frozenset())
    stands = tuple(trouble for trouble in before if trouble.state in hidden)
    if result.state not in TROUBLES:
        return stands
    own = next((trouble for trouble in before if trouble.state == result.state), None)
    if own is None:
        return (*stands, Trouble(result.at, result))
    return (*stands, Trouble(min(own.since, result.at), result if _says_more(own.seen, result) else own.seen))


def _says_more(seen: CheckResult, result: CheckResult) -> bool:
    """Whether a result says something new: another reason or time, or far more or less ahead."""
    if result.state == "future":
        before, after = abs(seen.lag_s or 0.0), abs(result.lag_s or 0.0)
        return after > before * 1.5 or after < before / 1.5
    return seen.reason != result.reason or seen.computed_at != result.computed_at


def passed(since: datetime, before: datetime, now: datetime, every_s: float | None) -> bool:
    """Whether a whole multiple of `every_s` after `since` lies after `before` and not after `now`."""
    if every_s is None:
        return False
    return (now - since).total_seconds() // every_s > (before - since).total_seconds() // every_s
