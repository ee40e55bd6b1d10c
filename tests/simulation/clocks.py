"""The clocks of a simulated machine, and the true time, which the sources and the cameras keep to."""

from __future__ import annotations

from datetime import datetime, timedelta

from support.fakeclock import FakeClock


class SimClock(FakeClock):
    """`true_at` is the time on all other machines. Only `set` parts it from the clock of this one."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._now = self.true_at = start

    def now(self) -> datetime:
        # Many ask; `datetime.now` says the same, but takes ten times longer.
        return self._now

    def pass_s(self, seconds: float) -> None:
        super().pass_s(seconds)
        passed = timedelta(seconds=seconds)
        self._now, self.true_at = self._now + passed, self.true_at + passed

    def set(self, instant: datetime) -> None:
        super().set(instant)
        self._now = instant

    def suspend(self, hours: float) -> None:
        super().suspend(hours)
        passed = timedelta(hours=hours)
        self._now, self.true_at = self._now + passed, self.true_at + passed

    def boot(self) -> None:
        """Begin the clocks that count from the boot anew."""
        self._monotonic_s, self._suspended_s = 10.0, 0.0

    @property
    def ahead_s(self) -> float:
        """By how much the clock of this machine is ahead."""
        return (self.now() - self.true_at).total_seconds()
