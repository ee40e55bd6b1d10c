"""The registry of the kinds of pollers. A new kind needs one line here and nothing else."""

from __future__ import annotations

from typing import Self

from tallyd.contract.job import Job
from tallyd.contract.poller import Found, Poller
from tallyd.contract.toolbox import Toolbox
from tallyd.pollers.divera.poller import DiveraPoller
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.visitors.poller import VisitorsPoller

KINDS: list[type[Poller]] = [
    DiveraPoller,
    VisitorsPoller,
    ServersPoller,
]


class FormerKind(Poller):
    """A kind that this tallyd does not have any more: what was read is still shown."""

    def jobs(self) -> tuple[Job, ...]:
        """Return none."""
        return ()

    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        """Return nothing."""
        del tools
        return ()

    @classmethod
    def of(cls, kind: str) -> Self:
        """Return a poller of that kind."""
        return cls(kind=kind)
