"""The clocks of the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Clock:
    """The clocks: UTC now (aware), local now (naive, as `schedule` reads it), monotonic seconds.

    `since_boot` is monotonic too, and goes on while the machine is suspended, when `monotonic` stands still.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    local: Callable[[], datetime] = datetime.now  # naive on purpose: it is what `schedule` sees
    monotonic: Callable[[], float] = time.monotonic
    since_boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
