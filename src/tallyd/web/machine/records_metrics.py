"""The metrics of visitors and servers: from the database, and from what their jobs have in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from tallyd.core.freshness import STATES
from tallyd.core.schedule.days import day_of, day_span
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.pollers.visitors.visits import NOBODY, inside, together
from tallyd.web.context import Context
from tallyd.web.kept import arrivals_of, memory_of

MOST_NAMED: Final = 1000
"""So many targets or sources of a poller have series of their own, the first in the order of the config.

A Prometheus that is handed ten thousand names by a slip in a config does not forgive it; sums are of all.
"""


def _left_out(what: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(
        f"tallyd_{what}_unnamed",
        f"How many {what} have no series of their own: only the first {MOST_NAMED} of the config have.",
        labels=["poller"],
    )


def of_visitors(context: Context) -> Iterator[Metric]:
    """Yield today's counts by source, since local midnight. Raises `RecordsError`."""
    source = ["poller", "source"]
    went = GaugeMetricFamily(
        "tallyd_visitors_today", "Passages since local midnight.", labels=[*source, "direction"]
    )
    within = GaugeMetricFamily(
        "tallyd_visitors_inside", "In less out since local midnight, never below zero.", labels=source
    )
    within_all = GaugeMetricFamily(
        "tallyd_visitors_inside_all", "The same of all sources together.", labels=["poller"]
    )
    info = GaugeMetricFamily(
        "tallyd_source_info", "1, with the label of a source.", labels=[*source, "label"]
    )
    files = GaugeMetricFamily(
        "tallyd_files_today", "Files since local midnight: `done` or `rejected`.", labels=["poller", "state"]
    )
    unnamed = _left_out("sources")
    now = context.now()
    for poller, settings in context.config().pollers_of(VisitorsPoller).items():
        zone = context.config().effective(poller).zone
        since, until = day_span(day_of(now, zone), zone)
        records = context.records(poller)
        counts = records.counts(since, until)
        names = [*settings.sources, *sorted(counts.keys() - settings.sources.keys())]
        unnamed.add_metric([poller], max(0, len(names) - MOST_NAMED))
        for name in names[:MOST_NAMED]:
            count = counts.get(name, NOBODY)
            ways = {"in": count.n_in, "out": count.n_out, "other": count.n_other}
            for direction, number in ways.items():
                went.add_metric([poller, name, direction], number)
            within.add_metric([poller, name], inside(count))
            label = settings.sources[name].label if name in settings.sources else None
            if label:
                info.add_metric([poller, name, label], 1)
        within_all.add_metric([poller], inside(together(counts.values())))
        for state, number in records.files_since(since).items():
            files.add_metric([poller, state], number)
    yield from (went, within, within_all, info, files, unnamed)


def of_arrivals(context: Context) -> Iterator[Metric]:
    """Yield how long ago the last file of each source came. Raises `StateError`."""
    age = GaugeMetricFamily(
        "tallyd_source_last_file_age_seconds",
        "How long ago the last file of a source came.",
        labels=["poller", "source"],
    )
    now = context.now()
    for poller in context.config().pollers_of(VisitorsPoller):
        for name, at in sorted(arrivals_of(context, poller).items())[:MOST_NAMED]:
            age.add_metric([poller, name], max(0.0, (now - at).total_seconds()))
    yield age


def of_servers(context: Context) -> Iterator[Metric]:
    """Yield how old each target's data is now. Raises `StateError`."""
    target = ["poller", "target"]
    lag = GaugeMetricFamily(
        "tallyd_target_lag_seconds",
        "How old a target's data is now, by our clock and the last time that it told.",
        labels=target,
    )
    fresh = GaugeMetricFamily(
        "tallyd_target_fresh", "1 where a target's data is fresh, else 0.", labels=target
    )
    states = GaugeMetricFamily("tallyd_targets", "Targets by state.", labels=["poller", "state"])
    unnamed = _left_out("targets")
    now = context.now()
    for poller, settings in context.config().pollers_of(ServersPoller).items():
        known = dict(memory_of(context, poller).known)  # a copy: a round may be changing it just now
        named = {name: known[name] for name in settings.targets if name in known}
        counts = Counter(each.state for each in named.values())
        for state in STATES:
            states.add_metric([poller, state], counts[state])
        unnamed.add_metric([poller], max(0, len(named) - MOST_NAMED))
        for name, each in list(named.items())[:MOST_NAMED]:
            fresh.add_metric([poller, name], int(each.state == "fresh"))
            if each.computed_at is not None:
                lag.add_metric([poller, name], (now - each.computed_at).total_seconds())
    yield from (lag, fresh, states, unnamed)
