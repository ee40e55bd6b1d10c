"""The clocks of a simulated machine, and the true time, which the sources and the cameras keep to."""

from __future__ import annotations

from datetime import datetime, timedelta

from support.fakeclock import FakeClock


class SimClock(FakeClock):
    """`true_at` is the time on all other machines. Only `set` parts it from the clock of this one."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.true_at = start

    def pass_s(self, seconds: float) -> None:
        super().pass_s(seconds)
        self.true_at += timedelta(seconds=seconds)

    def suspend(self, hours: float) -> None:
        super().suspend(hours)
        self.true_at += timedelta(hours=hours)

    def boot(self) -> None:
        """Begin the clocks that count from the boot anew."""
        self._monotonic_s, self._suspended_s = 10.0, 0.0

    @property
    def ahead_s(self) -> float:
        """By how much the clock of this machine is ahead."""
        return (self.now() - self.true_at).total_seconds()
