"""Notes in state.db when tallyd was on, so that a gap in the data can be distinguished from a good time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from tallyd.adapters.state import State
from tallyd.core.uptime import is_unbroken

LONGEST_ROW: Final = timedelta(days=1)
"""Pruning cuts old rows, and the row of the daemon that runs must not be one: `keep_days` is 1 or more."""


class Uptime:
    """The beats of one daemon. What could not be stored is stored with the next beat."""

    def __init__(self, state: State, *, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now
        self._started_at: datetime | None = None
        self._seen_at: dict[datetime, datetime] = {}
        """The last row, and older ones that are not stored yet."""

    def beat(self) -> None:
        """Note that the daemon is on now. Raises `StateError`."""
        now, start = self._now(), self._started_at
        if start is None or not is_unbroken(self._seen_at[start], now):
            start = now
        elif now - start > LONGEST_ROW:
            start = self._seen_at[start]
        self._started_at = start
        self._seen_at[start] = now
        self._state.uptime.note(self._seen_at)
        self._seen_at = {start: now}
