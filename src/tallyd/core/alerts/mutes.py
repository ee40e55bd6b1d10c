"""Mutes: no messages for known problems for a while, by somebody who said so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

MUTE_KEY = "mute:"
"""Stands before a pattern where a channel is noted to have heard of its mute; no problem's key has it."""


@dataclass(frozen=True, kw_only=True)
class Mute:
    """A mute. `pattern` is a problem's key, in which `*` and `?` stand for any text and any character.

    `by` is who asked for it, empty where nobody knows. `ended_by` is who ended it before `until`, None while
    nobody has. Its version grows with every change, each of which is told.
    """

    pattern: str
    since: datetime
    until: datetime
    why: str
    by: str
    ended_by: str | None = None
    version: int = 1

    def is_in_force(self, now: datetime) -> bool:
        return self.ended_by is None and now < self.until

    def covers(self, key: str) -> bool:
        """Whether a key falls under the pattern, upper and lower case told apart."""
        return fnmatchcase(key, self.pattern.replace("[", "[[]"))  # a bracket is a bracket

    @property
    def key(self) -> str:
        """Its name among what a channel has heard of."""
        return MUTE_KEY + self.pattern


def may_meet(pattern: str, keys: str) -> bool:
    """Whether some key can fall under both: the pattern of a mute, and `keys`, in which `*` is any segment.

    The `*` of a mute may stand for slashes, too, that of `keys` may not.
    """
    met = _with_empty_segments(keys, {0})  # how far into `keys` what was read of the pattern may lead
    for char in pattern:
        if char == "*":
            further = set(range(min(met), len(keys) + 1))
        else:
            further = {at for at in met if keys[at : at + 1] == "*" and char != "/"}
            further |= {at + 1 for at in met if at < len(keys) and char in ("?", keys[at])}
        met = _with_empty_segments(keys, further)
        if not met:
            return False
    return len(keys) in met


def _with_empty_segments(keys: str, places: set[int]) -> set[int]:
    return places | {at + 1 for at in places if keys[at : at + 1] == "*"}


def near_keys(pattern: str, keys: Iterable[str]) -> tuple[str, ...]:
    """Return what may have been meant instead of a pattern: the same with parts of the keys in it."""
    subject = "/".join(pattern.split("/")[1:-1])
    is_pattern = "*" in pattern or "?" in pattern
    found: dict[str, None] = {}
    for key in keys:
        first, *between, what = key.split("/")
        has_its_own = not between or not (is_pattern or "*" in between)
        found[key if has_its_own else "/".join([first, subject or "*", what])] = None
    return tuple(found)


def mute_of(key: str, mutes: Iterable[Mute], *, now: datetime) -> Mute | None:
    """Return the mute that covers a key now; of several the one that lasts longest."""
    found = [mute for mute in mutes if mute.is_in_force(now) and mute.covers(key)]
    return max(found, key=lambda mute: mute.until, default=None)
