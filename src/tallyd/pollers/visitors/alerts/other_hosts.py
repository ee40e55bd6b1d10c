"""The hosts that ingest files for a poller: whether they run, and whether their clocks are right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tallyd.contract.arrivals import Arrival
from tallyd.core.alerts.values import At, Span, Value, several
from tallyd.core.hosts import INBOX as TAKES_FILES
from tallyd.core.hosts import KNOWN_AFTER, Host
from tallyd.core.reading import Problem
from tallyd.pollers.visitors.alerts.alert_kinds import WRONG_CLOCK
from tallyd.pollers.visitors.alerts.shared import Shared


@dataclass(frozen=True)
class Whereabouts:
    """What an alert says of the host of a silent source.

    `is_certain` is false while the host may still be found to be gone: an alert waits for that.
    """

    fields: dict[str, Value]
    is_certain: bool


def whereabouts(arrival: Arrival | None, shared: Shared, *, due_at: datetime, now: datetime) -> Whereabouts:
    """Return what is known of the host of the newest file of a silent source.

    The silence is a problem since `due_at`. A host runs if it has beaten since then: it was there to see a
    file.
    """
    is_settled = shared.is_settled(now)
    if arrival is None:
        return Whereabouts({"undelivered": 1}, is_settled)
    host, name = shared.host_at(arrival.host), shared.name_of(arrival.host)
    if host is None:
        return Whereabouts({"stopped": name}, is_settled)
    if now - host.beat_at > KNOWN_AFTER:
        return Whereabouts({"gone": name, "beat": At(host.beat_at)}, is_settled)
    if arrival.state == "away" and arrival.reason:
        return Whereabouts({"away": name, "why": arrival.reason}, is_settled)
    return Whereabouts({"runs": name}, is_settled and host.beat_at >= due_at)


def all_hosts(shared: Shared, poller: str, *, now: datetime) -> Whereabouts:
    """Return which of the hosts run that ingest files for a poller, if no file comes from any of them."""
    found = tuple(_takers(shared, poller))
    running = several(shared.name_of(each.place) for each in found if now - each.beat_at <= KNOWN_AFTER)
    lost = several(shared.name_of(each.place) for each in found if now - each.beat_at > KNOWN_AFTER)
    lists: dict[str, Value] = {"running": running, "lost": lost}
    fields = {name: each for name, each in lists.items() if each}
    return Whereabouts(fields or {"undelivered": 1}, shared.is_settled(now))


def wrong_clocks(shared: Shared, poller: str, *, now: datetime) -> Iterable[Problem]:
    """Yield a problem for each host with a wrong clock that ingests files for a poller, or is this one.

    The clock of a host that is gone counts as it was: nobody has set it.
    """
    for host in shared.hosts:
        takes_part = host.place == shared.here or TAKES_FILES in host.duties.get(poller, ())
        if takes_part and host.has_wrong_clock:
            name, size = shared.name_of(host.place), Span(abs(host.ahead_s) // 60 * 60)
            ahead = {"ahead" if host.ahead_s > 0 else "behind": size}
            yield WRONG_CLOCK.problem(poller, name, since=now, host=name, **ahead)


def _takers(shared: Shared, poller: str) -> Iterable[Host]:
    return (host for host in shared.hosts if TAKES_FILES in host.duties.get(poller, ()))
