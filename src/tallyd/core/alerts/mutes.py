"""Mutes: somebody stops the messages about known problems for a while."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

MUTE_KEY = "mute:"
"""Prefix of a pattern in the notes of what a channel has received. No problem's key begins with it."""


@dataclass(frozen=True, kw_only=True)
class Mute:
    """A mute. `pattern` is a problem's key, in which `*` and `?` stand for any text and any character.

    `by` is who muted it, empty if nobody knows. `ended_by` is who ended it before `until`, None if nobody
    did. Its version grows with every change, and tallyd notifies the channels of each change.
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
        """Whether a key matches the pattern; upper and lower case differ."""
        return matches(self.pattern, key)

    @property
    def key(self) -> str:
        """Its name in the notes of what a channel has received."""
        return MUTE_KEY + self.pattern


def matches(pattern: str, key: str) -> bool:
    """Whether a key matches a pattern of a person; upper and lower case differ."""
    return fnmatchcase(key, pattern.replace("[", "[[]"))  # a bracket is a bracket


def may_meet(pattern: str, keys: str) -> bool:
    """Whether some key can match both the pattern of a mute and `keys`, in which `*` is any segment.

    The `*` of a mute may also match slashes; the `*` of `keys` may not.
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
    """Return what a person may have meant: the pattern with parts of the keys in it."""
    subject = "/".join(pattern.split("/")[1:-1])
    is_pattern = "*" in pattern or "?" in pattern
    found: dict[str, None] = {}
    for key in keys:
        first, *between, what = key.split("/")
        has_its_own = not between or not (is_pattern or "*" in between)
        found[key if has_its_own else "/".join([first, subject or "*", what])] = None
    return tuple(found)


def mute_of(key: str, mutes: Iterable[Mute], *, now: datetime) -> Mute | None:
    """Return the mute that covers a key now; of several, the one that lasts longest."""
    found = [mute for mute in mutes if mute.is_in_force(now) and mute.covers(key)]
    return max(found, key=lambda mute: mute.until, default=None)
