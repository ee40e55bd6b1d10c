"""The Prometheus metrics of visitors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from tallyd.contract.arrivals import Arrival
from tallyd.core.metric import Metric
from tallyd.pollers.visitors.inside import DayCount, together
from tallyd.pollers.visitors.settings import VisitorsSettings

MOST_NAMED: Final = 1000
"""The most sources of a poller that have metrics of their own: the first in the order of the config.

A slip in a config must not hand ten thousand names to Prometheus. Sums are of all.
"""


def age_metric(poller: str, arrivals: Mapping[str, Arrival], now: datetime) -> Metric:
    """Return how long ago the newest file of each source came."""
    metric = Metric(
        name="tallyd_source_last_file_age_seconds",
        help="How long ago the last file of a source came.",
        labels=("poller", "source"),
    )
    for source, each in sorted(arrivals.items())[:MOST_NAMED]:
        metric.samples.append(((poller, source), max(0.0, (now - each.last_file_at).total_seconds())))
    return metric


def today_metrics(
    settings: VisitorsSettings, poller: str, counts: Mapping[str, DayCount], files: Mapping[str, int]
) -> Iterable[Metric]:
    """Return today's counts. A configured source without a record counts as 0."""
    went = Metric(
        name="tallyd_visitors_today",
        help="Passages since local midnight.",
        labels=("poller", "source", "direction"),
    )
    within = Metric(
        name="tallyd_visitors_inside",
        help="In less out since `reset_at`, corrected, never below zero.",
        labels=("poller", "source"),
    )
    corrected = Metric(
        name="tallyd_visitors_corrected",
        help="Sum of the corrections of a source since `reset_at`: how many people its counts were off.",
        labels=("poller", "source"),
    )
    info = Metric(
        name="tallyd_source_info", help="1, with the label of a source.", labels=("poller", "source", "label")
    )
    names = [*settings.sources, *sorted(counts.keys() - settings.sources.keys())]
    for source in names[:MOST_NAMED]:
        counted = counts.get(source, DayCount())
        count = counted.count
        for direction, number in (("in", count.n_in), ("out", count.n_out), ("other", count.n_other)):
            went.samples.append(((poller, source, direction), number))
        within.samples.append(((poller, source), counted.inside))
        corrected.samples.append(((poller, source), counted.corrected))
        if source in settings.sources and (label := settings.sources[source].label):
            info.samples.append(((poller, source, label), 1))
    within_all = Metric(
        name="tallyd_visitors_inside_all",
        help="The same of all sources together.",
        labels=("poller",),
        samples=[((poller,), together(counts.values()).inside)],
    )
    taken = Metric(
        name="tallyd_files_today",
        help="Files since local midnight: `done` or `rejected`.",
        labels=("poller", "state"),
        samples=[((poller, state), number) for state, number in files.items()],
    )
    unnamed = Metric(
        name="tallyd_sources_unnamed",
        help=f"How many sources have no series of their own: only the first {MOST_NAMED} of the config have.",
        labels=("poller",),
        samples=[((poller,), max(0, len(names) - MOST_NAMED))],
    )
    return (went, within, within_all, corrected, info, taken, unnamed)
