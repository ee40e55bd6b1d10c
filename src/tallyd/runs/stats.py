"""Run statistics since the process began: how many runs, how long they took, how late they began."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, TypeAlias

Ended: TypeAlias = Literal["taken", "failed", "crashed", "stopped", "locked", "skipped"]
"""How a run ended. `locked`: another process (`tallyd once`) was running the job. `stopped`: the shutdown
ended it. `skipped`: it did not begin, because the run before it was not over.
"""
ENDS: Final[tuple[Ended, ...]] = ("taken", "failed", "crashed", "stopped", "locked", "skipped")
TOOK_S: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)
LATE_S: Final = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0)


@dataclass(frozen=True)
class Histogram:
    """A histogram of durations in seconds.

    `counts[i]` is the number of durations above `bounds[i - 1]` and up to `bounds[i]`. The last one counts
    the durations above all bounds.
    """

    bounds: Sequence[float]
    counts: tuple[int, ...]
    total_s: float

    def with_one(self, seconds: float) -> Histogram:
        """Return a copy with one more duration."""
        seconds = max(0.0, seconds)  # negative after the clock was set back
        place = bisect_left(self.bounds, seconds)
        counts = tuple(count + (number == place) for number, count in enumerate(self.counts))
        return Histogram(self.bounds, counts, self.total_s + seconds)


def _none(bounds: Sequence[float]) -> Histogram:
    return Histogram(bounds, (0,) * (len(bounds) + 1), 0.0)


@dataclass(frozen=True)
class JobRuns:
    """The runs of one job. `late_s` counts only runs that had a slot."""

    ended: Mapping[Ended, int] = field(default_factory=dict)
    took_s: Histogram = field(default_factory=lambda: _none(TOOK_S))
    late_s: Histogram = field(default_factory=lambda: _none(LATE_S))


class RunStats:
    """The statistics of all jobs. Thread-safe. Lost when the process ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[tuple[str, str], JobRuns] = {}
        self._ticked_s: float | None = None

    def note(self, name: tuple[str, str], ended: Ended, *, took_s: float, late_s: float | None) -> None:
        """Add a run of the job `name` (poller, job). `late_s` is None if the run had no slot."""
        with self._lock:
            before = self._runs.get(name, JobRuns())
            self._runs[name] = JobRuns(
                ended=Counter(before.ended) + Counter({ended: 1}),
                took_s=before.took_s.with_one(took_s),
                late_s=before.late_s if late_s is None else before.late_s.with_one(late_s),
            )

    def note_skipped(self, name: tuple[str, str]) -> None:
        """Count a run that did not begin, because the run before it was not over."""
        with self._lock:
            before = self._runs.get(name, JobRuns())
            self._runs[name] = replace(before, ended=Counter(before.ended) + Counter({"skipped": 1}))

    def runs(self) -> dict[tuple[str, str], JobRuns]:
        """Return the runs by (poller, job)."""
        with self._lock:
            return dict(self._runs)

    def tick(self, monotonic_s: float) -> None:
        """Note that the scheduler thread is alive at this monotonic time."""
        self._ticked_s = monotonic_s

    def ticked_s(self) -> float | None:
        """Return the monotonic time of the last tick; None before the first one."""
        return self._ticked_s
