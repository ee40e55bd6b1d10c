"""What a servers poller knows from round to round, and what it remembers over a restart.

It is stored with each out file, and there is one after each change of a state but that between fresh and
late. It is also stored after each change of `missing`. So a restart loses no other state and no other
`since`. It loses the counts for the next file, and counts several new times as one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Final

from pydantic import TypeAdapter, ValidationError

from tallyd.core.language.messages import mark
from tallyd.core.reading import Facts
from tallyd.pollers.servers.freshness import CheckResult, Known, Step
from tallyd.pollers.servers.targets.target import Target

CHECK: Final = mark("check")
"""The one job of a servers poller."""
KEPT: Final = "memory"
"""The key under which a running job keeps its `TargetMemory`."""
MOST_ITEMS: Final = 10_000
"""Most items of one target, including those that are missing. Names that are new in each answer, such as
those of runs, would be more and more."""


@dataclass(slots=True)
class Tally:
    """The checks of one target since the last file that has it; `failed`: without a readable time."""

    checks: int = 0
    failed: int = 0
    lag_s_max: float | None = None

    def add(self, result: CheckResult) -> None:
        self.checks += 1
        if result.lag_s is None:
            self.failed += 1
        elif self.lag_s_max is None or result.lag_s > self.lag_s_max:
            self.lag_s_max = result.lag_s


@dataclass
class TargetMemory:
    """What is known about the targets, by name.

    `written_at` is when the last file was written, `checked_at` when this process last checked each target.
    `counted` is the last span of time whose seconds this process has counted for each target.
    `began_at` is when the last round began, `every_s` its interval; `is_behind`: it did not check all
    targets. `unstored_since` is since when the database stores nothing. `missing` is since when each item is
    missing that the answers of its target no longer have; `has_unstored`: this has changed and is not stored.
    `workers_trouble` is what was last wrong with the workers.
    """

    known: dict[str, Known] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    checked_at: dict[str, datetime] = field(default_factory=dict)
    counted: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    written_at: datetime | None = None
    began_at: datetime | None = None
    every_s: float = 0.0
    is_behind: bool = False
    unstored_since: datetime | None = None
    missing: dict[str, datetime] = field(default_factory=dict)
    has_unstored: bool = False
    workers_trouble: str = ""

    def keep_only(self, targets: Iterable[Target]) -> bool:
        """Forget targets that are no longer in the config; return whether there were any."""
        return self.forget(self.known.keys() - {target.name for target in targets})

    def forget(self, names: Set[str]) -> bool:
        """Forget targets; return whether there were any."""
        for mine in (self.known, self.tallies, self.checked_at, self.counted, self.missing):
            for name in names & mine.keys():
                del mine[name]
        return bool(names)

    def forget_missing(self, targets: Iterable[Target], now: datetime, *, after_s: float) -> Set[str]:
        """Forget those of the targets that are missing for `after_s` longer than they may; return them."""
        forgotten = {each.name for each in targets if each.missing_since(self.missing, now, after_s)}
        self.forget(forgotten)
        return forgotten

    def stale_at(self, target: Target) -> dict[str, datetime]:
        """Return the times of data that is known to be stale, by item; without items, that of the target."""
        first = f"{target.name}/"
        names = (
            [target.name] if target.each is None else [name for name in self.known if name.startswith(first)]
        )
        return {
            name.removeprefix(first) if target.each else "": known.computed_at
            for name in names
            if (known := self.known.get(name)) and known.is_stale and known.computed_at
        }

    def note_items(self, target: Target, items: Sequence[str], at: datetime) -> Set[str]:
        """Note which items an answer no longer has; return those of its `items` that are followed.

        These are all that are known, and new ones up to `MOST_ITEMS`. An answer without any item says
        nothing: perhaps its server has just started.
        """
        if not items:
            return frozenset()
        first = f"{target.name}/"
        known = {name for name in self.known if name.startswith(first)}
        new = [name for name in items if name not in known]
        back = self.missing.keys() & set(items)
        gone = known.difference(items)
        self.has_unstored = self.has_unstored or bool(back or gone - self.missing.keys())
        for name in back:
            del self.missing[name]
        for name in gone:
            self.missing[name] = min(self.missing.get(name, at), at)
        return set(items).difference(new[max(MOST_ITEMS - len(known), 0) :])

    def take(self, steps: Sequence[tuple[str, Step]]) -> None:
        """Store the results of a round."""
        for name, step in steps:
            self.known[name] = step.known
            self.tallies.setdefault(name, Tally()).add(step.result)
            self.checked_at[name] = step.result.at

    def count(self, name: str, since: datetime, until: datetime) -> datetime:
        """Note that a span is counted; return since when it was not yet.

        After a clock was set back, the same time comes twice. It counts once. Time before the noted span
        counts: a clock that was far ahead must not stop the count until that time has come.
        """
        begin, end = self.counted.get(name, (since, since))
        if not begin <= since <= end:
            begin, end = since, since
        self.counted[name] = begin, max(end, until)
        return end

    def begin_anew(self, at: datetime, names: Iterable[str]) -> None:
        """Start to count for the next file of these targets, after one was written."""
        self.written_at = at
        for name in names:
            self.tallies.pop(name, None)

    def to_store(self) -> Facts:
        """Return what must survive a restart."""
        self.has_unstored = False
        facts: Facts = _form().dump_python(
            _Remembered(self.written_at, self.known, self.missing), mode="json", exclude_defaults=True
        )
        return facts


@dataclass(frozen=True)
class _Remembered:
    written_at: datetime | None = None
    targets: dict[str, Known] = field(default_factory=dict)
    missing: dict[str, datetime] = field(default_factory=dict)


@cache
def _form() -> TypeAdapter[_Remembered]:
    """Return how it is stored. Making this takes 5 ms, which other pollers do not need."""
    return TypeAdapter(_Remembered)


def read_target_memory(memory: Facts) -> TargetMemory:
    """Undo `TargetMemory.to_store`. An invalid memory counts as empty."""
    try:
        found = _form().validate_python(memory)
    except ValidationError:
        return TargetMemory()
    return TargetMemory(known=found.targets, written_at=found.written_at, missing=found.missing)


def memory_of(kept: Mapping[str, object], stored: Callable[[], Facts]) -> TargetMemory:
    """Return what a running job keeps; before its first run, what it last stored."""
    memory = kept.get(KEPT)
    return memory if isinstance(memory, TargetMemory) else read_target_memory(stored())
