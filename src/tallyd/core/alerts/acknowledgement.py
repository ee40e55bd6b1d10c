"""Acknowledgements: somebody works on an open alert, so nobody needs to be reminded of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from tallyd.core.language.formats import clock
from tallyd.core.language.messages import tr
from tallyd.core.naming import local_text
from tallyd.core.reading import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Who works on an alert, since when, and why it is not resolved yet.

    `by` is empty if nobody knows, `why` if nobody said. `version` is the version that the alert got by it.
    `times` counts those that replaced each other while nothing else about the alert changed.
    """

    at: datetime
    by: str
    why: str
    version: int
    times: int = 1

    def text(self, zone: tzinfo, *, now: datetime) -> str:
        """Return `by anna 08:10 (disk is ordered)`, for a reader at `now`."""
        at = clock(self.at, zone, now=now)
        return tr("[by {by} ]{at}[ ({why})]", by=self.by, at=at, why=self.why)


def acknowledgement_json(found: Acknowledgement | None, zone: tzinfo) -> Json:
    """Return an acknowledgement for programs; null: nobody acknowledged."""
    return {"at": local_text(found.at, zone), "by": found.by, "why": found.why} if found else None
