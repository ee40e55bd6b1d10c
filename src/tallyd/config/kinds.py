"""The kinds of pollers. A further kind joins here, with one line; everything else follows from its class."""

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
