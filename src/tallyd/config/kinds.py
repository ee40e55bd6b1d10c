"""The registry of the kinds of pollers. A new kind needs one line here and nothing else."""

from __future__ import annotations

from tallyd.contract.poller import Poller
from tallyd.pollers.divera.poller import DiveraPoller
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.visitors.poller import VisitorsPoller

KINDS: list[type[Poller]] = [
    DiveraPoller,
    VisitorsPoller,
    ServersPoller,
]
