"""Which of the daemons that share a state works; the others stand by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from tallyd.core.language.formats import clock
from tallyd.core.language.messages import tr
from tallyd.core.naming import local_text
from tallyd.core.reading import Json


@dataclass(frozen=True, kw_only=True)
class Leader:
    """The daemon that took over last. `term` grows with each takeover. `is_there`: it still works.

    `folder` is where it keeps its locks: a machine may run two.
    """

    term: int
    host: str
    folder: str
    since: datetime
    is_there: bool

    def is_at(self, host: str, folder: str) -> bool:
        """Whether it is the daemon of this host and folder."""
        return (self.host, self.folder) == (host, folder)


@dataclass(frozen=True, kw_only=True)
class OtherConfig:
    """A daemon that shares the state, and whose config differs, and since when."""

    host: str
    folder: str
    since: datetime


def standby_text(leader: Leader | None, zone: tzinfo, *, now: datetime) -> str:
    """Return what a standby says about the leader; None: nobody has ever worked."""
    if leader is None or not leader.is_there:
        return tr("standby; nobody is active")
    return tr(
        "standby; active is {host} since {since}", host=leader.host, since=clock(leader.since, zone, now=now)
    )


def leader_json(leader: Leader, zone: tzinfo) -> dict[str, Json]:
    """Return a leader for programs."""
    return {
        "term": leader.term,
        "host": leader.host,
        "folder": leader.folder,
        "since": local_text(leader.since, zone),
        "is_there": leader.is_there,
    }
