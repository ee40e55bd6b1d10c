"""What a servers poller knows from round to round, and as what it is remembered over a restart.

It is remembered with each out file, and there is one whenever a state changed. So a restart loses no state
and no `since`, but what was counted for the next file; and it takes several new times for one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from tallyd.core.freshness import STATES, Known, Sight, State, Step, Trouble
from tallyd.core.reading import Facts, Json

_FORMAT: Final = 1


@dataclass(slots=True)
class Tally:
    """The checks of one target since the last file; `failed` are those that read no time."""

    checks: int = 0
    failed: int = 0
    lag_s_max: float | None = None

    def add(self, sight: Sight) -> None:
        self.checks += 1
        if sight.lag_s is None:
            self.failed += 1
        elif self.lag_s_max is None or sight.lag_s > self.lag_s_max:
            self.lag_s_max = sight.lag_s


@dataclass
class Book:
    """What is known of the targets, by name.

    `written_at` is when the last file was written, `checked_at` when each target was last checked by this
    process. `began_at` is when the last round did; `is_behind`: it did not come to all targets.
    `unstored_since` is since when the database takes nothing.
    """

    known: dict[str, Known] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    checked_at: dict[str, datetime] = field(default_factory=dict)
    written_at: datetime | None = None
    began_at: datetime | None = None
    is_behind: bool = False
    unstored_since: datetime | None = None

    def keep_only(self, names: Collection[str]) -> bool:
        """Forget targets that have left the config; whether there were any."""
        gone = self.known.keys() - set(names)
        for mine in (self.known, self.tallies, self.checked_at):
            for name in gone & mine.keys():
                del mine[name]
        return bool(gone)

    def take(self, steps: Sequence[tuple[str, Step]]) -> None:
        """Take over what a round found."""
        for name, step in steps:
            self.known[name] = step.known
            self.tallies.setdefault(name, Tally()).add(step.sight)
            self.checked_at[name] = step.sight.at

    def begin_anew(self, at: datetime) -> None:
        """Count from now on for the next file."""
        self.written_at = at
        self.tallies.clear()

    def memory(self) -> Facts:
        """Return what is remembered over a restart."""
        targets: dict[str, Json] = {name: _known_json(known) for name, known in self.known.items()}
        return {"format": _FORMAT, "written_at": _number(self.written_at), "targets": targets}


def read_book(memory: Facts) -> Book:
    """Undo `Book.memory`. What makes no sense is not known."""
    book = Book()
    targets = memory.get("targets")
    if memory.get("format") != _FORMAT or not isinstance(targets, dict):
        return book
    try:
        book.written_at = _instant(memory.get("written_at"))
        book.known = {name: _known(value) for name, value in targets.items()}
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, OSError):
        return Book()
    return book


# -- as JSON: a list for each target, since there may be ten thousand ----------------------------------------


def _known_json(known: Known) -> list[Json]:
    values: list[Json] = [
        STATES.index(known.state),
        _number(known.since),
        _number(known.computed_at),
        _number(known.changed_at),
    ]
    if known.troubles:
        values.append([_trouble_json(trouble) for trouble in known.troubles])
    return values


def _known(value: Any) -> Known:
    state, since, computed_at, changed_at, *rest = value
    return Known(
        state=_state(state),
        since=_some_instant(since),
        computed_at=_instant(computed_at),
        changed_at=_instant(changed_at),
        troubles=tuple(map(_trouble, rest[0])) if rest else (),
    )


def _trouble_json(trouble: Trouble) -> Json:
    seen = trouble.seen
    return {
        "since": _number(trouble.since),
        "at": _number(seen.at),
        "state": STATES.index(seen.state),
        "computed_at": _number(seen.computed_at),
        "lag_s": seen.lag_s,
        "skew_s": seen.skew_s,
        "reason": seen.reason,
        "answered": seen.answered,
        "guessed_zone": seen.guessed_zone,
    }


def _trouble(value: Any) -> Trouble:
    seen = Sight(
        at=_some_instant(value["at"]),
        state=_state(value["state"]),
        computed_at=_instant(value["computed_at"]),
        lag_s=_or_none(value["lag_s"]),
        skew_s=_or_none(value["skew_s"]),
        reason=str(value["reason"]),
        answered=str(value["answered"]),
        guessed_zone=str(value["guessed_zone"]),
    )
    return Trouble(_some_instant(value["since"]), seen)


def _state(index: Any) -> State:
    if type(index) is not int or index < 0:
        raise ValueError("no state")
    return STATES[index]


def _number(at: datetime | None) -> float | None:
    if at is None:
        return None
    seconds = at.timestamp()
    return int(seconds) if seconds.is_integer() else seconds


def _instant(seconds: Any) -> datetime | None:
    return None if seconds is None else _some_instant(seconds)


def _some_instant(seconds: Any) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)


def _or_none(value: Any) -> float | None:
    return None if value is None else float(value)
