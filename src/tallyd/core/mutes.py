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


def mute_of(key: str, mutes: Iterable[Mute], *, now: datetime) -> Mute | None:
    """Return the mute that covers a key now; of several the one that lasts longest."""
    found = [mute for mute in mutes if mute.is_in_force(now) and mute.covers(key)]
    return max(found, key=lambda mute: mute.until, default=None)
