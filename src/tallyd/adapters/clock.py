"""The clocks of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Clock:
    """UTC now (aware), local now (naive, as `schedule` reads it), and monotonic seconds.

    `since_boot` is monotonic too. It also counts the time of a suspend, which `monotonic` does not.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    local: Callable[[], datetime] = datetime.now  # naive on purpose, like `schedule`
    monotonic: Callable[[], float] = time.monotonic
    since_boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
