"""What the page, the metrics and the API read. Nothing is written through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.core.alerts.incident_states import incident_timeline
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.rules import OWN, Alert
from tallyd.core.hosts import Host, hosts_table
from tallyd.core.language.messages import tr
from tallyd.core.leader import Leader
from tallyd.core.panels import StateTimeline, Table
from tallyd.core.timeline import borders_of
from tallyd.reporting.table import reports_table
from tallyd.runs.stats import RunStats
from tallyd.storage.past import StoredPast, past_of
from tallyd.storage.shown import Shown


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the web room reads. Any number of threads.

    `state` and `records` are connections of the web's own, so that no browser holds up a run. `config()` is
    the active one. `alerts()` and `mutes()` are those of the daemon, from memory while state.db cannot be
    used. `kept(poller, job)` is what a job keeps in memory from run to run. `hosts()` are the other
    daemons on the database. `now()` is aware, UTC;
    `monotonic()` is in seconds. `restart` says how to start tallyd again.
    `leader`: this daemon is a standby, and who works instead; None: this one works.
    """

    state: State
    records: RecordsReader
    config: Callable[[], Config]
    alerts: Callable[[], Mapping[str, Alert]]
    mutes: Callable[[], tuple[Mute, ...]]
    kept: Callable[[str, str], Mapping[str, object]]
    runs: RunStats
    hosts: Callable[[], tuple[Host, ...]]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    restart: str
    leader: Callable[[], Leader | None] | None = None
    shown: Shown = field(default_factory=Shown)

    def query_of(self, key: str) -> str:
        """Return the query of the view that shows a problem; empty: no view of its own does."""
        return urlencode(self.shown.view(self.config(), key) or {}, errors="replace")

    def own_states(self) -> StateTimeline:
        """Return how tallyd itself was in the last 30 days. Raises `StateError`."""
        now = self.now()
        borders = borders_of("30d", now=now, zone=self.config().zone)
        span = borders[0], borders[-1]
        incidents, uptime = self.state.incidents.between(*span, poller=OWN), self.state.uptime
        return StateTimeline(
            key="own",
            title=tr("tallyd itself, last 30 days"),
            timeline=incident_timeline(incidents, uptime.between(*span, now=now), borders),
        )

    def hosts_table(self) -> Table:
        """Return the other daemons on the database."""
        return hosts_table(self.hosts(), now=self.now())

    def reports_table(self) -> Table:
        """Return the reports that come by themselves. Raises `StateError`."""
        return reports_table(self.config(), self.state, now=self.now())

    def past(self, poller: str) -> StoredPast:
        """Return what is stored of a configured poller."""
        return past_of(
            poller,
            self.config(),
            self.state,
            self.records,
            now=self.now(),
            open_keys=(key for key, alert in self.alerts().items() if alert.is_open),
            kept_of=self.kept,
        )
