"""What a person reads of a problem."""

from __future__ import annotations

from datetime import datetime, tzinfo

from support.toolbox import BERLIN
from tallyd.core.alerts.values import Wording
from tallyd.core.alerts.wording import said, said_of_end
from tallyd.core.reading import Problem


def text_of(found: Problem, *, now: datetime | None = None, zone: tzinfo = BERLIN) -> str:
    """Return the text of a problem as a message says it at `now`, by default when it began."""
    return said(found, Wording(now=now or found.since, zone=zone, advises_mute=True))


def over_of(problem: Problem) -> str:
    """Return what is said of its end, in front of since when."""
    return said_of_end(problem, Wording(now=problem.since, zone=BERLIN)).split(" since ")[0]
