"""The clocks of a machine, moved by hand, and a shutdown whose waits take their time on them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import time_machine

from tallyd.adapters.clock import Clock

BERLIN = ZoneInfo("Europe/Berlin")


def at(local: str, zone: ZoneInfo = BERLIN) -> datetime:
    """Return the instant of `2026-11-20 08:00`, aware, UTC."""
    return datetime.fromisoformat(local).replace(tzinfo=zone).astimezone(UTC)


class FakeClock:
    """The clocks of a machine. While it is entered, `datetime.now` follows it, in the host's zone."""

    def __init__(self, start: datetime, *, host_zone: str = "UTC") -> None:
        self._travel = time_machine.travel(start.astimezone(ZoneInfo(host_zone)), tick=False)
        self._now = start.astimezone(UTC)  # `datetime.now` says the same, but takes ten times longer
        self._monotonic_s = 1000.0
        self._suspended_s = 0.0

    def __enter__(self) -> Self:
        self._wall = self._travel.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._travel.stop()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic_s

    def since_boot(self) -> float:
        return self._monotonic_s + self._suspended_s

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self._monotonic_s += seconds
        self._move(timedelta(seconds=seconds))

    def set(self, instant: datetime) -> None:
        """Set the wall clock, forward or back: no time passes."""
        self._move(instant - self._now)

    def suspend(self, hours: float) -> None:
        """Let time pass in which the machine sleeps and `monotonic` stands still."""
        self._suspended_s += hours * 3600
        self._move(timedelta(hours=hours))

    def _move(self, by: timedelta) -> None:
        self._wall.shift(by)
        self._now += by

    def clock(self) -> Clock:
        """Return the clocks as the daemon reads them."""
        return Clock(now=self.now, monotonic=self.monotonic, since_boot=self.since_boot)


class FakeStop(threading.Event):
    """A shutdown that comes when `stopped` is set. Waiting takes its time on the fake clock."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self.stopped = False

    def is_set(self) -> bool:
        return self.stopped

    def wait(self, timeout: float | None = None) -> bool:
        if not self.stopped:
            self._clock.pass_s(timeout or 0.0)
        return self.stopped
