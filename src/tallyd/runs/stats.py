"""How the runs of jobs went since the process began: how many, how long they took, how late they began."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Ended: TypeAlias = Literal["taken", "failed", "crashed", "stopped", "locked"]
"""How a run ended. `locked`: `tallyd once` held the job; `stopped`: the shutdown cut it off."""
ENDS: Final[tuple[Ended, ...]] = ("taken", "failed", "crashed", "stopped", "locked")
TOOK_S: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)
LATE_S: Final = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0)


@dataclass(frozen=True)
class Spread:
    """Durations in seconds. `counts` are how many were at most each of `bounds`, and the rest at its end."""

    bounds: Sequence[float]
    counts: tuple[int, ...]
    total_s: float

    def with_one(self, seconds: float) -> Spread:
        """Return it with one more; what is below zero, a clock having been set back, is zero."""
        seconds = max(0.0, seconds)
        place = bisect_left(self.bounds, seconds)
        counts = tuple(count + (number == place) for number, count in enumerate(self.counts))
        return Spread(self.bounds, counts, self.total_s + seconds)


def _none(bounds: Sequence[float]) -> Spread:
    return Spread(bounds, (0,) * (len(bounds) + 1), 0.0)


@dataclass(frozen=True)
class JobRuns:
    """The runs of one job. `late_s` is of those that had a slot alone."""

    ended: Mapping[Ended, int] = field(default_factory=dict)
    took_s: Spread = field(default_factory=lambda: _none(TOOK_S))
    late_s: Spread = field(default_factory=lambda: _none(LATE_S))


class RunStats:
    """Filled by the threads of runs and read by others; forgotten with the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[tuple[str, str], JobRuns] = {}
        self._ticked_s: float | None = None

    def note(self, name: tuple[str, str], ended: Ended, *, took_s: float, late_s: float | None) -> None:
        """Note a run of the job with this (poller, job); `late_s` None: it had no slot."""
        with self._lock:
            before = self._runs.get(name, JobRuns())
            self._runs[name] = JobRuns(
                ended=Counter(before.ended) + Counter({ended: 1}),
                took_s=before.took_s.with_one(took_s),
                late_s=before.late_s if late_s is None else before.late_s.with_one(late_s),
            )

    def runs(self) -> dict[tuple[str, str], JobRuns]:
        """Return the runs by (poller, job)."""
        with self._lock:
            return dict(self._runs)

    def tick(self, monotonic_s: float) -> None:
        """Note that the schedule's thread is alive, at a monotonic instant."""
        self._ticked_s = monotonic_s

    def ticked_s(self) -> float | None:
        """Return when the schedule's thread was last alive; None before its first tick."""
        return self._ticked_s
