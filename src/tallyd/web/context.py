"""What the page, the metrics and the API read. Nothing is written through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.rules import Alert
from tallyd.runs.stats import RunStats
from tallyd.web.records import Looked


@dataclass(frozen=True, kw_only=True)
class Context:
    """All of it; any number of threads.

    `state` and `records` are connections of the web's own, so that what a browser asks for holds up no run:
    `records(poller)` raises `RecordsError`, also in use, where the database can't be used.
    `config()` is the one in force. `alerts()` and `mutes()` are those of the daemon, from memory while
    state.db can't be used. `kept(poller, job)` is what a job keeps in memory from run to run, empty before
    its first. `now()` is aware, UTC; `monotonic()` is in seconds. `restart` says how tallyd is started again.
    """

    state: State
    records: Callable[[str], Looked]
    config: Callable[[], Config]
    alerts: Callable[[], Mapping[str, Alert]]
    mutes: Callable[[], tuple[Mute, ...]]
    kept: Callable[[str, str], Mapping[str, object]]
    runs: RunStats
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    restart: str
