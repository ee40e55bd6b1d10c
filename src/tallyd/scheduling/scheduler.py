"""When to look: the `schedule` package on one thread, protected against clock jumps.

`schedule` computes with naive local time. When the local clock jumps (set by hand, NTP, a suspend, the host's
own summer time), its entries would stop or fire in a burst. The scheduler detects this by the monotonic clock
and then rebuilds all entries. It also looks at everything every half minute: a look is harmless, because
`core.schedule.timetable.due` decides what is due.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC

import schedule

from tallyd.adapters.clock import Clock

LOOK_EVERY_S = 30
LONGEST_TICK_S = 1.0
JUMP_S = 1.5
"""If the clocks have moved apart by more than this since they last agreed, that is a jump. Slewing by NTP
moves both clocks alike and never adds up to a jump. Many small steps do.
"""


@dataclass(frozen=True)
class Entry:
    """A repeated action. `delay_s()` returns the seconds until the next time; None: no next time."""

    name: str
    delay_s: Callable[[], float | None]
    act: Callable[[], None]

    @classmethod
    def every(cls, name: str, interval_s: float, act: Callable[[], None]) -> Entry:
        """Return an entry that acts at once, and then after each interval."""
        delays = itertools.chain([0.0], itertools.repeat(interval_s))
        return cls(name, lambda: next(delays), act)


class Scheduler:
    """Runs the entries. Not thread-safe: only the scheduler thread uses it.

    `look` compares everything with state.db. `on_jump` gets the size of a jump of the wall clock in seconds.
    """

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
        """Replace all entries. Each needs its own name."""
        self._entries = entries
        self._latest_s = {}
        self._rebuild()

    def tick(self) -> None:
        """Act on the entries that are due. After a clock jump: rebuild, and look at everything."""
        if self._has_jumped():
            self._rebuild()
            self._look()
        self._entries_due.run_pending()

    def idle_s(self, longest_s: float = LONGEST_TICK_S) -> float:
        """Return the seconds until the next tick, from 0 to `longest_s`."""
        until_next = self._entries_due.idle_seconds
        return longest_s if until_next is None else max(0.0, min(until_next, longest_s))

    def steady_for_s(self) -> float:
        """Return for how long the wall clock and the monotonic clock have agreed, in seconds."""
        return self._clock.monotonic() - self._agreed_since_s

    def _rebuild(self) -> None:
        self._entries_due.clear()
        self._entries_due.every(LOOK_EVERY_S).seconds.do(self._look)
        now_s = self._clock.monotonic()
        for entry in self._entries:
            # Never later than it was planned before: a clock that jumps often would delay it for ever.
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
            # Whole seconds, rounded up: a look that comes early finds nothing due.
            self._entries_due.every(max(math.ceil(delay_s), 1)).seconds.do(self._act, entry)

    def _act(self, entry: Entry) -> type[schedule.CancelJob]:
        # Enter it again before it acts: an exception in `act` must not lose the entry.
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
        # Treat the naive local time as UTC: only its change matters.
        return self._clock.local().replace(tzinfo=UTC).timestamp() - self._clock.monotonic()

    def _utc_drift_s(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
