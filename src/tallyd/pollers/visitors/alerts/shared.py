"""What the daemons on one database know together: where files came, and which hosts run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from tallyd.contract.arrivals import Arrival
from tallyd.contract.records import Records
from tallyd.core.alerts.values import Name
from tallyd.core.hosts import KNOWN_AFTER, Host, short_names

NOTED_EVERY: Final = timedelta(seconds=10)
"""A host notes a file without passages at most this often. So one may have come this much later."""
READ_EVERY: Final = timedelta(seconds=10)
SHARED: Final = "shared"
"""Where a job keeps it from run to run."""
ARRIVALS: Final = "arrivals"
"""Where a job keeps the arrivals of all hosts, with what it has seen itself, for the page."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What was read at `read_at`.

    `arrivals` are by source. `here` is the place of this daemon. The database has answered since
    `answers_since`, as far as this process knows; None: the last time it did not.
    """

    arrivals: Mapping[str, Arrival]
    hosts: tuple[Host, ...]
    here: str
    read_at: datetime
    answers_since: datetime | None

    def is_settled(self, now: datetime) -> bool:
        """Whether every host that runs has had the time to say so, and to note what came meanwhile."""
        return self.answers_since is not None and now - self.answers_since >= KNOWN_AFTER

    def is_old(self, now: datetime) -> bool:
        """Whether it is time to read it again."""
        return not timedelta() <= now - self.read_at < READ_EVERY

    def host_at(self, place: str) -> Host | None:
        """Return the daemon at a place; None: it was stopped, or has been gone for a day."""
        return next((host for host in self.hosts if host.place == place), None)

    def name_of(self, place: str) -> Name:
        """Return what people call the host at a place: the name of its machine if that says which."""
        return Name(short_names([place, *(host.place for host in self.hosts)])[place])

    def with_seen(self, seen: Mapping[str, datetime]) -> Mapping[str, Arrival]:
        """Return the arrivals with the files that this process itself has seen, noted yet or not."""
        found = dict(self.arrivals)
        for source, at in seen.items():
            known = found.get(source)
            if known is None:
                found[source] = Arrival(
                    last_file_at=at,
                    last_record_at=None,
                    state="seen",
                    reason=None,
                    host=self.here,
                    seen_at=at,
                )
            elif at >= known.last_file_at:
                found[source] = replace(known, last_file_at=at, host=self.here)
        return found


def shared_of(kept: Mapping[str, object]) -> Shared | None:
    """Return what a job has kept; None: it has read nothing yet."""
    found = kept.get(SHARED)
    return found if isinstance(found, Shared) else None


def arrivals_of(kept: Mapping[str, object]) -> Mapping[str, Arrival] | None:
    """Return the arrivals that a job has kept; None: none yet."""
    found = kept.get(ARRIVALS)
    return found if isinstance(found, Mapping) else None


def read_shared(records: Records, before: Shared | None, *, now: datetime) -> Shared:
    """Read what is shared. `before` is what was read last. Raises `RecordsError`."""
    arrivals = records.arrivals(now)
    if any(each.is_ahead for each in arrivals.values()):
        records.set_back_arrivals(now)
    return Shared(
        arrivals=arrivals,
        hosts=tuple(records.hosts(now)),
        here=records.here,
        read_at=now,
        answers_since=(before.answers_since if before else None) or now,
    )
