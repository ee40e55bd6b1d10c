"""The daemons on one database: which of them run, and which do the same work twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from tallyd.core.language.formats import span
from tallyd.core.language.messages import mark, tr
from tallyd.core.naming import instant_text
from tallyd.core.out_document import is_clock_suspect
from tallyd.core.panels import Column, Table
from tallyd.core.reading import Json
from tallyd.core.states import State

BEAT_EVERY_S: Final = 30.0
GONE_AFTER: Final = timedelta(minutes=5)
"""A host whose last beat is older counts as gone."""
KNOWN_AFTER: Final = timedelta(seconds=3 * BEAT_EVERY_S)
"""By then every daemon that runs has had a beat: since another one started, or the database is back."""
FORGOTTEN_AFTER: Final = timedelta(days=1)
"""Its row is deleted then."""

Duties: TypeAlias = Mapping[str, frozenset[str]]
"""What a daemon does in the database, by the name of the poller: `Poller.duties`."""
INBOX: Final = "inbox"
"""It ingests the files of an inbox."""
WATCH: Final = "watch"
"""It watches what others ingest."""
_SHARED: Final = frozenset({INBOX, WATCH})
"""What several daemons may do for one poller: each file counts once, whoever stores it."""


def storable(name: str) -> str:
    """Return text that every database accepts: a folder on disk may have bytes that are not text."""
    return name.encode("utf-8", "replace").decode()[:250]


def place_of(name: str, folder: str) -> str:
    """Return how people find a daemon: `pi2 (/var/lib/tallyd/state)`."""
    return f"{storable(name)} ({storable(folder)})"


def short_names(places: Iterable[str]) -> dict[str, str]:
    """Return the name of each place for people: that of its machine if it says which place it is."""
    machines = {place: place.partition(" (")[0] for place in places}
    counts = Counter(machines.values())
    return {place: name if counts[name] == 1 else place for place, name in machines.items()}


@dataclass(frozen=True, kw_only=True)
class Host:
    """One daemon that uses the database.

    `id` is new at each start. `name` is that of its machine, `folder` where it keeps its state: a machine may
    run two. `ahead_s` is how far its clock is ahead of the database's. `config_digest` differs from ours if
    its config does. Instants are aware.
    """

    id: str
    name: str
    folder: str
    version: str
    started_at: datetime
    beat_at: datetime
    ahead_s: float
    config_digest: str
    duties: Duties

    @property
    def place(self) -> str:
        """How people find it."""
        return place_of(self.name, self.folder)

    def is_gone(self, now: datetime) -> bool:
        """Whether its last beat is too old."""
        return now - self.beat_at > GONE_AFTER

    @property
    def has_wrong_clock(self) -> bool:
        """Whether its clock and the database's differ by more than a minute."""
        return is_clock_suspect(self.ahead_s)


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The daemons on the database, as one of them sees them: itself, and the `others`."""

    me: Host
    others: tuple[Host, ...]

    def doubled(self, now: datetime) -> dict[str, tuple[Host, ...]]:
        """Return the pollers that others run too.

        Another daemon counts once it has a beat after the start of this one: not if it ended before.
        """
        beating = (each for each in self.others if each.beat_at > self.me.started_at)
        return doubled(self.me.duties, beating, now=now)


def neighbours_of(hosts: Iterable[Host], *, name: str, folder: str) -> tuple[Host, ...]:
    """Return the hosts without the daemon on this machine with that folder.

    Of two such daemons, which a copied disk makes, the one that started last is left out.
    """
    found = sorted(hosts, key=lambda host: host.started_at)
    own = [each for each in found if (each.name, each.folder) == (name, folder)]
    return tuple(each for each in found if each not in own[-1:])


def doubled(duties: Duties, others: Iterable[Host], *, now: datetime) -> dict[str, tuple[Host, ...]]:
    """Return the pollers for which others do what only one daemon may do, each with those hosts."""
    running = [each for each in others if not each.is_gone(now)]
    found = {
        poller: tuple(each for each in running if done & each.duties.get(poller, frozenset()) - _SHARED)
        for poller, done in duties.items()
    }
    return {poller: hosts for poller, hosts in found.items() if hosts}


def hosts_table(others: Iterable[Host], *, now: datetime) -> Table:
    """Return the other daemons as people see them."""
    found = tuple(others)
    is_any_off = any(each.has_wrong_clock for each in found)
    columns = (
        Column(key="host", heading=tr("host"), is_vital=True),
        Column(key="state", heading=tr("state"), is_vital=True),
        Column(key="beat", heading=tr("last seen"), is_vital=True),
        Column(key="version", heading=tr("version")),
        Column(key="started_at", heading=tr("started"), unit="instant"),
        Column(key="pollers", heading=tr("pollers")),
        *([Column(key="clock", heading=tr("clock"))] if is_any_off else ()),
    )
    rows = tuple(
        (
            each.place,
            State("warning", mark("gone")) if each.is_gone(now) else State("fine", mark("running")),
            tr("{age} ago", age=span(max(0.0, (now - each.beat_at).total_seconds()))),
            each.version,
            each.started_at,
            ", ".join(sorted(each.duties)),
            *([_clock_text(each)] if is_any_off else ()),
        )
        for each in found
    )
    return Table(key="hosts", title=tr("Other hosts with the same database"), columns=columns, rows=rows)


def _clock_text(host: Host) -> str:
    """Return how far the clock of a host is off; empty for a clock that is right."""
    if not host.has_wrong_clock:
        return ""
    size = span(abs(host.ahead_s))
    return tr("{span} ahead", span=size) if host.ahead_s > 0 else tr("{span} behind", span=size)


def host_json(host: Host, *, now: datetime) -> dict[str, Json]:
    """Return a host for programs."""
    return {
        "name": host.name,
        "folder": host.folder,
        "version": host.version,
        "started_at": instant_text(host.started_at),
        "beat_at": instant_text(host.beat_at),
        "is_gone": host.is_gone(now),
        "clock_ahead_s": round(host.ahead_s, 1),
        "config_digest": host.config_digest,
        "pollers": {poller: [*sorted(done)] for poller, done in sorted(host.duties.items())},
    }
