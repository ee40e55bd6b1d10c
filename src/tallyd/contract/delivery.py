"""What an upstream says to a report, and a poller that posts some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tallyd.contract.toolbox import Toolbox
from tallyd.core.reading import OutboxMessage


@dataclass(frozen=True)
class Accepted:
    """An upstream accepted a report. `answer` is its answer, for people."""

    answer: str


@dataclass(frozen=True)
class Refused:
    """An upstream refused a report. `answer` is its answer, for people.

    `for_good`: it would refuse the same report again (for example HTTP 403), so the report is sent again only
    after it has changed.
    """

    answer: str
    for_good: bool


@runtime_checkable
class Delivers(Protocol):
    """A poller whose readings have messages for an upstream."""

    def is_sending(self) -> bool:
        """Whether messages are to be posted; else those that wait are forgotten."""
        ...

    def deliver(self, message: OutboxMessage, tools: Toolbox, *, timeout_s: float) -> Accepted | Refused:
        """Post it once. Raises `SourceError` if there was no answer, or `Stopped`."""
        ...
