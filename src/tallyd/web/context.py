"""What the page, the metrics and the API read. Nothing is written through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.rules import Alert
from tallyd.runs.stats import RunStats
from tallyd.storage.past import StoredPast, past_of
from tallyd.storage.shown import Shown


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the web room reads. Any number of threads.

    `state` and `records` are connections of the web's own, so that no browser holds up a run. `config()` is
    the active one. `alerts()` and `mutes()` are those of the daemon, from memory while state.db cannot be
    used. `kept(poller, job)` is what a job keeps in memory from run to run. `now()` is aware, UTC;
    `monotonic()` is in seconds. `restart` says how to start tallyd again.
    """

    state: State
    records: RecordsReader
    config: Callable[[], Config]
    alerts: Callable[[], Mapping[str, Alert]]
    mutes: Callable[[], tuple[Mute, ...]]
    kept: Callable[[str, str], Mapping[str, object]]
    runs: RunStats
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    restart: str
    shown: Shown = field(default_factory=Shown)

    def past(self, poller: str) -> StoredPast:
        """Return what is stored of a configured poller."""
        return past_of(
            poller,
            self.config(),
            self.state,
            self.records,
            now=self.now(),
            alerts=self.alerts(),
            kept_of=self.kept,
        )
