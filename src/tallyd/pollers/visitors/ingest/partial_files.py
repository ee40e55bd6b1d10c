"""Files that end too early: left to their writers for a while, and not read again before they change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tallyd.contract.inbox import Waiting

LEFT_FOR = timedelta(minutes=1)
"""So long after it was last written to, a file that is cut short is still its writer's."""
MOST_FILES = 1000


@dataclass
class Unfinished:
    """Files that were found cut short, as they were, and when first. Lives as long as the process."""

    _since: dict[bytes, tuple[Waiting, datetime]] = field(default_factory=dict)

    def begin(self, waiting: Iterable[Waiting]) -> None:
        """Begin a run: forget those that do not wait any more, or have changed."""
        if self._since:
            there = {one.key: one for one in waiting if one.key in self._since}
            self._since = {key: known for key, known in self._since.items() if there.get(key) == known[0]}

    def is_left(self, waiting: Waiting, now: datetime) -> bool:
        """Whether it need not be read: it was cut short before, is the same, and is not given up yet."""
        known = self._since.get(waiting.key)
        return known is not None and known[0] == waiting and _is_young(waiting, known[1], now)

    def leave(self, waiting: Waiting, now: datetime) -> bool:
        """Note that it was found cut short; whether it is to be left to its writer."""
        _, since = self._since.get(waiting.key, (waiting, now))
        if len(self._since) < MOST_FILES or waiting.key in self._since:
            self._since[waiting.key] = (waiting, since)
        return _is_young(waiting, since, now)


def _is_young(waiting: Waiting, since: datetime, now: datetime) -> bool:
    # A time of change ahead of now says nothing of its age; then it counts from when it was found.
    return now - min(waiting.modified_at, since) < LEFT_FOR
