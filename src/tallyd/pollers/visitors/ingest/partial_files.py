"""Files that end too early: they stay for a while for their writers, and are read again only if they
change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tallyd.contract.inbox import Waiting

LEFT_FOR = timedelta(minutes=1)
"""How long after the last write a file that is cut short still belongs to its writer."""
MOST_FILES = 1000


@dataclass
class Unfinished:
    """Files that were found cut short, and when first. It lives as long as the process."""

    _since: dict[str, tuple[Waiting, datetime]] = field(default_factory=dict)

    def begin(self, waiting: Iterable[Waiting]) -> None:
        """Begin a run: forget files that are gone or have changed."""
        if self._since:
            there = {one.key: one for one in waiting if one.key in self._since}
            self._since = {key: known for key, known in self._since.items() if there.get(key) == known[0]}

    def is_left(self, waiting: Waiting, now: datetime) -> bool:
        """Whether to skip a file: it was cut short before, has not changed, and is not given up yet."""
        known = self._since.get(waiting.key)
        return known is not None and known[0] == waiting and _is_young(waiting, known[1], now)

    def leave(self, waiting: Waiting, now: datetime) -> bool:
        """Note that a file is cut short; return whether to leave it to its writer."""
        _, since = self._since.get(waiting.key, (waiting, now))
        if len(self._since) < MOST_FILES or waiting.key in self._since:
            self._since[waiting.key] = (waiting, since)
        return _is_young(waiting, since, now)


def _is_young(waiting: Waiting, since: datetime, now: datetime) -> bool:
    # A time of change ahead of now says nothing about the age. Then the age counts from when it was found.
    return now - min(waiting.modified_at, since) < LEFT_FOR
