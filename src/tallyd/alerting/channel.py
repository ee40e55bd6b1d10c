"""One channel while the daemon runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tallyd.adapters.background import BackgroundTask
from tallyd.core.alerts.daemon_alerts import UNDELIVERED
from tallyd.core.alerts.rules import OWN
from tallyd.core.reading import Problem

FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 300.0
"""After a failure a channel pauses. The pause doubles with each failure in a row, from the first to the
longest.
"""
NOTIFY_AFTER_S = 600.0
"""If a channel has failed for this long, that is a problem, and the other channels are notified."""


@dataclass
class Channel:
    """A channel's URL, its deliveries, and how the last ones went.

    `has_accepted`: it accepted the last message of this process. `failing_since` and `failed_at` are the
    first and the last failure in a row. No delivery begins before `not_before_s` (monotonic).
    """

    url: str
    deliveries: BackgroundTask
    failures: int = 0
    failing_since: datetime | None = None
    failed_at: datetime | None = None
    reason: str = ""
    has_accepted: bool = False
    not_before_s: float = 0.0

    def note_accepted(self) -> None:
        """Note that the channel accepted a message."""
        self.failures, self.failing_since, self.reason = 0, None, ""
        self.not_before_s, self.has_accepted = 0.0, True

    def note_failure(self, reason: str, *, now: datetime, monotonic_s: float) -> float:
        """Note a failed delivery. Return the pause before the next try, in seconds."""
        pause_s = min(FIRST_PAUSE_S * 2.0**self.failures, LONGEST_PAUSE_S)
        self.failures = min(self.failures + 1, 20)  # no overflow of the power above
        self.failed_at, self.has_accepted = now, False
        self.failing_since = self.failing_since or now
        self.reason = reason
        self.not_before_s = monotonic_s + pause_s
        return pause_s

    def problem(self, name: str) -> Problem | None:
        """Return the problem of a channel that has failed for NOTIFY_AFTER_S or longer."""
        since, last = self.failing_since, self.failed_at
        if since is None or last is None or (last - since).total_seconds() < NOTIFY_AFTER_S:
            return None
        return UNDELIVERED.problem(OWN, name, since=since, channel=name, reason=self.reason)
