"""The metrics of targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from tallyd.core.metric import Metric
from tallyd.core.stored import LastReading
from tallyd.pollers.servers.boards.checks_table import lag_s_of
from tallyd.pollers.servers.freshness import STATES, Known
from tallyd.pollers.servers.targets.target import Target

MOST_NAMED: Final = 1000
"""How many targets have metrics of their own, the first in the order of the config; sums are of all.

A mistake in a config must not give Prometheus ten thousand names.
"""


def metrics_of(
    poller: str,
    targets: Sequence[Target],
    known: Mapping[str, Known],
    now: datetime,
    zone: tzinfo,
    *,
    last: LastReading | None,
) -> tuple[Metric, ...]:
    """Return the metrics of targets; one that was not checked yet does not count.

    `last` is the last check of any target.
    """
    of_target = ("poller", "target")
    lag = Metric(
        name="tallyd_target_lag_seconds",
        help="How old a target's data is now, by our clock and the last time that it sent.",
        labels=of_target,
    )
    limit = Metric(
        name="tallyd_target_limit_seconds",
        help="How old a target's data may be before it is stale; with `due`, how old it may be now.",
        labels=of_target,
    )
    due = Metric(
        name="tallyd_target_due_timestamp_seconds",
        help="When new data of a target is due next.",
        labels=of_target,
    )
    fresh = Metric(
        name="tallyd_target_fresh", help="1 where a target's data is fresh, else 0.", labels=of_target
    )
    info = Metric(
        name="tallyd_target_info",
        help="Always 1, of targets that have them: the group, and the tags with commas around them.",
        labels=("poller", "target", "group", "tags"),
    )
    states = Metric(name="tallyd_targets", help="Targets by state.", labels=("poller", "state"))
    unnamed = Metric(
        name="tallyd_targets_unnamed",
        help=f"How many targets have no series of their own: only the first {MOST_NAMED} of the config have.",
        labels=("poller",),
    )
    checked = Metric(
        name="tallyd_last_check_timestamp_seconds",
        help="When a target was last checked.",
        labels=("poller",),
        samples=[((poller,), last.at.timestamp())] if last else [],
    )
    found = [(target, known[target.name]) for target in targets if target.name in known]
    counts = Counter(one.state for _, one in found)
    states.samples.extend(((poller, state), counts[state]) for state in STATES)
    unnamed.samples.append(((poller,), max(0, len(found) - MOST_NAMED)))
    for target, one in found[:MOST_NAMED]:
        labels = (poller, target.name)
        if target.group or target.tags:
            tags = f",{','.join(target.tags)}," if target.tags else ""
            info.samples.append(((poller, target.name, target.group, tags), 1))
        limit.samples.append((labels, target.limits_at(now, zone).stale_after_s))
        fresh.samples.append((labels, int(one.state == "fresh")))
        if (due_at := target.next_due(now, zone)) is not None:
            due.samples.append((labels, due_at.timestamp()))
        if (lag_s := lag_s_of(one, now)) is not None:
            lag.samples.append((labels, lag_s))
    return (lag, limit, due, fresh, info, states, unnamed, checked)
