"""When to look: the `schedule` package on one thread, kept honest.

`schedule` computes with naive local time. Whenever the local clock and the monotonic clock disagree (set by
hand, NTP, a suspend, the host's own summer time) its entries would fall silent or fire in a burst, so the
whole set of entries is then built anew. And since looking is harmless and what is due is decided elsewhere
(`core.timetable.due`), everything is looked at every half minute in any case.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC

import schedule

from tallyd.adapters.clock import Clock

LOOK_EVERY_S = 30
LONGEST_TICK_S = 1.0
JUMP_S = 1.5
"""Clocks that have moved apart by more than this since they last agreed have jumped. Slewing by NTP does not
add up to it, since the monotonic clock is slewed along; many small steps do.
"""


@dataclass(frozen=True)
class Entry:
    """Something to do later: `delay_s()` is asked each time for the seconds until the next time."""

    name: str
    delay_s: Callable[[], float | None]
    act: Callable[[], None]


class Scheduler:
    """The entries on a `Scheduler` of our own. Not thread-safe: it belongs to the schedule's thread."""

    def __init__(self, clock: Clock, *, look: Callable[[], None], on_jump: Callable[[float], None]) -> None:
        self._clock = clock
        self._look = look
        self._on_jump = on_jump
        self._entries: tuple[Entry, ...] = ()
        self._latest_s: dict[str, float] = {}
        self._entries_due = schedule.Scheduler()
        self._local_offset_s = self._local_drift_s()
        self._utc_offset_s = self._utc_drift_s()
        self._agreed_since_s = clock.monotonic()

    def plan(self, entries: tuple[Entry, ...]) -> None:
        """Replace all entries; each has a name of its own."""
        self._entries = entries
        self._latest_s = {}
        self._rebuild()

    def tick(self) -> None:
        """Do what is due now. After a jump of the clock: rebuild, and look at everything."""
        if self._has_jumped():
            self._rebuild()
            self._look()
        self._entries_due.run_pending()

    def idle_s(self) -> float:
        """Return the seconds to wait before the next tick: from 0 to LONGEST_TICK_S."""
        until_next = self._entries_due.idle_seconds
        return LONGEST_TICK_S if until_next is None else max(0.0, min(until_next, LONGEST_TICK_S))

    def agreed_for_s(self) -> float:
        """Return for how long wall clock and monotonic clock have agreed, in seconds."""
        return self._clock.monotonic() - self._agreed_since_s

    def _rebuild(self) -> None:
        self._entries_due.clear()
        self._entries_due.every(LOOK_EVERY_S).seconds.do(self._look)
        now_s = self._clock.monotonic()
        for entry in self._entries:
            # Never later than it was to come before: else a clock that jumps often would put it off for ever.
            left_s = self._latest_s.get(entry.name, math.inf) - now_s
            if left_s > 0:
                self._enter(entry, at_most_s=left_s)
            else:
                self._act(entry)

    def _enter(self, entry: Entry, *, at_most_s: float = math.inf) -> None:
        delay_s = entry.delay_s()
        if delay_s is not None:
            delay_s = min(delay_s, at_most_s)
            self._latest_s[entry.name] = self._clock.monotonic() + delay_s
            # Whole seconds, rounded up: looking early would find nothing.
            self._entries_due.every(max(math.ceil(delay_s), 1)).seconds.do(self._act, entry)

    def _act(self, entry: Entry) -> type[schedule.CancelJob]:
        # Entered anew with its next delay before it acts: whatever it does, it is not forgotten.
        self._enter(entry)
        entry.act()
        return schedule.CancelJob

    def _has_jumped(self) -> bool:
        local, utc = self._local_drift_s(), self._utc_drift_s()
        local_jump, utc_jump = local - self._local_offset_s, utc - self._utc_offset_s
        if max(abs(local_jump), abs(utc_jump)) <= JUMP_S:
            return False
        self._local_offset_s, self._utc_offset_s = local, utc
        if abs(utc_jump) > JUMP_S:
            self._agreed_since_s = self._clock.monotonic()
            self._on_jump(utc_jump)
        return True

    def _local_drift_s(self) -> float:
        # A naive local time is compared as if it were UTC: only its change matters.
        return self._clock.local().replace(tzinfo=UTC).timestamp() - self._clock.monotonic()

    def _utc_drift_s(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
