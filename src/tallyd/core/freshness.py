"""How old a server's data is: the one rule from the time that it tells to a state, and what follows from it.

A server tells when its data was last computed, by its own clock and perhaps in its own local time. What that
means is decided here; how it was asked is not known here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["fresh", "late", "stale", "unreachable", "invalid", "future"]
STATES: Final[tuple[State, ...]] = ("fresh", "late", "stale", "unreachable", "invalid", "future")
BY_SERIOUSNESS: Final[tuple[State, ...]] = ("unreachable", "invalid", "stale", "future", "late", "fresh")
TROUBLES: Final[tuple[State, ...]] = ("unreachable", "invalid", "stale", "future")
"""The states that people are told of."""

FUTURE_AFTER_S: Final = 60.0
"""A time so far ahead, or less, is still fresh: clocks differ."""
AGREED_S: Final = 2.0
"""Clocks that differ so little agree: a `Date` header has whole seconds, and the answer takes a moment."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Anything before is no time at which data was computed: 0, `0001-01-01`, seconds read as milliseconds."""

_NUMBER: Final = re.compile(r"\d{1,20}(?:\.\d{1,20})?", re.ASCII)
_ISO: Final = re.compile(r"(?:\d{8}|\d{4}-\d\d-\d\d|\d{4}-?W\d\d-?\d)[T _]\d\d.*", re.ASCII)
_UNITS: Final = {"epoch": 1.0, "epoch_ms": 1000.0}


class UnreadableTimeError(ValueError):
    """A value that is no time. The text goes on behind the field's name, and never holds the value."""


# -- the time that a server tells ----------------------------------------------------------------------------


def read_time(
    value: object, form: str, *, zone: tzinfo, now: datetime, known: datetime | None = None
) -> datetime:
    """Return the instant (UTC) that a JSON value is, in the form `iso`, `epoch`, `epoch_ms` or of strptime.

    A time without an offset is of `zone`. One that comes twice there (clocks set back), or not at all (put
    forward over it), can be two instants: the later one is taken, unless it lies in the future as seen from
    `now`; or the one that was read before (`known`), since a time that stands still is no other one.
    Numbers may be written as text, and a time of digits as a number. Raises `UnreadableTimeError`.
    """
    try:
        if form in _UNITS:
            at = _from_epoch(_number(value) / _UNITS[form])
        else:
            written = _iso(value) if form == "iso" else _by_format(value, form)
            if written.year < EARLIEST.year - 1:
                raise _never(form)  # in many a zone there is no UTC for the first of January of the year 1
            at = _local(written, zone, now, known) if written.tzinfo is None else written.astimezone(UTC)
    except OverflowError:
        raise UnreadableTimeError(f"is of no year that there is{_unit_hint(form)}") from None
    if at < EARLIEST:
        raise _never(form)
    return at


def has_offset(value: object, form: str) -> bool:
    """Whether a readable value says by itself which instant it is, whatever the zone."""
    if form in _UNITS:
        return True
    return (_iso(value) if form == "iso" else _by_format(value, form)).tzinfo is not None


def _from_epoch(seconds: float) -> datetime:
    """Return the instant. Raises `OverflowError`."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OSError) as error:
        raise OverflowError from error


def _number(value: object) -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise UnreadableTimeError(f"is {_kind(value)}, no number of seconds or milliseconds since 1970")
    return float(value)


def _iso(value: object) -> datetime:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise UnreadableTimeError("is a number; set `format` to epoch, epoch_ms or a form of strptime")
    if not isinstance(value, str):
        raise UnreadableTimeError(f"is {_kind(value)}, no time")
    text = value.strip().upper()
    try:
        # Python's own parser takes a date alone, too, and any character between date and time.
        if _ISO.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise UnreadableTimeError("is no time of ISO 8601, such as 2026-11-20T14:03:12+01:00; see `format`")


def _by_format(value: object, form: str) -> datetime:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        value = str(value)
    if not isinstance(value, str):
        raise UnreadableTimeError(f"is {_kind(value)}, no time in the form of `format`")
    try:
        return datetime.strptime(value.strip(), form)  # noqa: DTZ007 # what lacks a zone is given one
    except ValueError:
        raise UnreadableTimeError("is no time in the form of `format`") from None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a negative number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def _never(form: str) -> UnreadableTimeError:
    return UnreadableTimeError(f"is before the year 2000; perhaps never computed{_unit_hint(form)}")


def _unit_hint(form: str) -> str:
    other = {"epoch": "epoch_ms", "epoch_ms": "epoch"}.get(form)
    return f"; is its `format` {other}?" if other else ""


def _local(written: datetime, zone: tzinfo, now: datetime, known: datetime | None) -> datetime:
    """Return the instant of a local time."""
    either = {written.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    if known in either:
        return known
    latest = now + timedelta(seconds=FUTURE_AFTER_S)
    return max((at for at in either if at <= latest), default=min(either))


# -- the state -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """How old data may be, in seconds: up to `late_after_s` it is fresh, up to `stale_after_s` late."""

    late_after_s: float
    stale_after_s: float


def taken_off(skew_s: float | None) -> float:
    """Return what our clock is ahead of the server's, in seconds, as far as it counts."""
    return skew_s if skew_s is not None and abs(skew_s) > AGREED_S else 0.0


def lag_of(computed_at: datetime, *, now: datetime, skew_s: float | None) -> float:
    """Return how old data is, in seconds, by the clock of the server that computed it; below 0: ahead."""
    return (now - computed_at).total_seconds() - taken_off(skew_s)


def state_of(lag_s: float, limits: Limits) -> State:
    """Return the state of data that is so old. Exactly at a limit it still is what it was below it."""
    if lag_s < -FUTURE_AFTER_S:
        return "future"
    if lag_s > limits.stale_after_s:
        return "stale"
    return "late" if lag_s > limits.late_after_s else "fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one check of a server found, at `at`.

    `computed_at` and `lag_s` are None where no time could be read; `reason` then says why. `skew_s`: how far
    our clock is ahead of the server's, None without a `Date` header. `answered` is `200, 41 ms`, empty
    without an answer. `guessed_zone` is the zone of a time that names none and is of no configured zone.
    """

    at: datetime
    state: State
    computed_at: datetime | None = None
    lag_s: float | None = None
    skew_s: float | None = None
    reason: str = ""
    answered: str = ""
    guessed_zone: str = ""


def sight_of(
    computed_at: datetime, *, now: datetime, skew_s: float | None, limits: Limits, **said: str
) -> Sight:
    """Return what a check found that read a time; `said` are the texts of the `Sight`."""
    lag_s = lag_of(computed_at, now=now, skew_s=skew_s)
    return Sight(
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
    """A state to be told of, since when, and the sight that its text is made of.

    The sight is not the last one: a text that changes with every check would be stored with every check.
    """

    since: datetime
    seen: Sight

    @property
    def state(self) -> State:
        return self.seen.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a server. `since`: when its state was first seen without another one in between.

    `computed_at` is the last time that it told, `changed_at` when that was first seen; None where none was.
    `troubles` are those that stand: its state, and those that its state hides (see `follow`).
    """

    state: State
    since: datetime
    computed_at: datetime | None = None
    changed_at: datetime | None = None
    troubles: tuple[Trouble, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a check changed. `was` is the state before, None at the first check.

    `advanced_s` is by how much the server's time moved since it last changed, in seconds (below 0: it went
    back), None where it did not, or nothing is known to compare with. `unchanged_s` is how long it has been
    seen to stand still, None where none was read now. `is_new_time`: one was read that is not the last one.
    """

    known: Known
    sight: Sight
    was: State | None
    advanced_s: float | None
    unchanged_s: float | None
    is_new_time: bool

    @property
    def is_change(self) -> bool:
        """Whether the state changed; the first check is a change."""
        return self.was != self.known.state

    @property
    def is_new(self) -> bool:
        """Whether the state or the server's time changed."""
        return self.is_change or self.is_new_time


_HIDDEN: Final[dict[State, frozenset[State]]] = {
    "unreachable": frozenset({"invalid", "stale", "future"}),
    "invalid": frozenset({"stale", "future"}),
}
"""Of a server that does not answer nobody knows whether its data is still old: what stood still stands."""


def follow(known: Known | None, sight: Sight, *, remind_every_s: float | None = None) -> Step:
    """Return what a check changes; `known` None: it is the first one.

    A clock of ours that was set back makes nothing begin in the future.
    """
    since, changed_at, computed_at = sight.at, sight.at, sight.computed_at
    advanced_s = None
    if known is not None:
        if known.state == sight.state:
            since = min(known.since, sight.at)
        if computed_at is None or computed_at == known.computed_at:
            computed_at = known.computed_at
            changed_at = min(known.changed_at or sight.at, sight.at)
        elif known.computed_at is not None:
            advanced_s = (computed_at - known.computed_at).total_seconds()
    now_known = Known(
        state=sight.state,
        since=since,
        computed_at=computed_at,
        changed_at=changed_at if computed_at is not None else None,
        troubles=_troubles(known, sight, remind_every_s),
    )
    return Step(
        known=now_known,
        sight=sight,
        was=known.state if known else None,
        advanced_s=advanced_s,
        unchanged_s=None if sight.computed_at is None else (sight.at - changed_at).total_seconds(),
        is_new_time=sight.computed_at is not None
        and (known is None or known.computed_at != sight.computed_at),
    )


def _troubles(known: Known | None, sight: Sight, remind_every_s: float | None) -> tuple[Trouble, ...]:
    before = known.troubles if known else ()
    hidden = _HIDDEN.get(sight.state, frozenset())
    stands = tuple(trouble for trouble in before if trouble.state in hidden)
    if sight.state not in TROUBLES:
        return stands
    own = next((trouble for trouble in before if trouble.state == sight.state), None)
    if own is None:
        return (*stands, Trouble(sight.at, sight))
    since = min(own.since, sight.at)
    is_worth = _says_more(own, sight) or passed(since, own.seen.at, sight.at, remind_every_s)
    return (*stands, Trouble(since, sight if is_worth else own.seen))


def _says_more(trouble: Trouble, sight: Sight) -> bool:
    """Whether the text of a trouble would be out of date: another reason, or an age by far another."""
    if trouble.seen.reason != sight.reason:
        return True
    before, after = abs(trouble.seen.lag_s or 0.0), abs(sight.lag_s or 0.0)
    return after > before * 1.5 or after < before / 1.5


def passed(since: datetime, before: datetime, now: datetime, every_s: float | None) -> bool:
    """Whether a whole multiple of `every_s` after `since` lies after `before` and not after `now`."""
    if every_s is None:
        return False
    return (now - since).total_seconds() // every_s > (before - since).total_seconds() // every_s
