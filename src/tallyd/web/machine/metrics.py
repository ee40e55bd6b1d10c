"""/metrics: what is counted, and how tallyd is doing, in the form that Prometheus reads.

They are computed at each request, from what is stored and what is in memory. docs/metrics.md lists them.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import tallyd
from tallyd.adapters.state import StateError
from tallyd.config.jobs import tasks_of
from tallyd.core.alerts.mutes import mute_of
from tallyd.core.alerts.rules import Alert
from tallyd.core.errors import RecordsError
from tallyd.core.naming import key_segments
from tallyd.runs.stats import ENDS, Histogram
from tallyd.storage.shown import BugError
from tallyd.web.context import Context
from tallyd.web.http.cache import Cache

FOR_S: Final = 1.0
"""So long an answer is given again: however many scrape, the pollers feel one of them."""
Part = Callable[[Context], Iterable[Metric]]


def routes(context: Context) -> list[Route]:
    """Return the route of `/metrics`."""
    bodies: Cache[bytes] = Cache(context.monotonic, for_s=FOR_S)

    def metrics(request: Request) -> Response:
        del request
        body = bodies.get("metrics", lambda: exposition(context))
        return Response(body, media_type=None, headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})

    return [Route("/metrics", metrics)]


def exposition(context: Context) -> bytes:
    """Return all metrics as text."""
    registry = CollectorRegistry()
    registry.register(_Collector(context))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


class _Collector:
    """Each part by itself: what cannot be read now is left out, and `tallyd_readable` says so."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def describe(self) -> list[Metric]:
        """Return nothing: it is not asked for anything before it is scraped."""
        return []

    def collect(self) -> Iterator[Metric]:
        readable = GaugeMetricFamily(
            "tallyd_readable", "1 where this part could be read for this scrape, else 0.", labels=["part"]
        )
        for name, part in _PARTS.items():
            try:
                found = list(part(self._context))
            except (StateError, RecordsError):
                readable.add_metric([name], 0)
            else:
                readable.add_metric([name], 1)
                yield from found
        yield from _of_pollers(self._context, readable)
        yield readable


# -- tallyd itself -------------------------------------------------------------------------------------------


def _build(context: Context) -> Iterator[Metric]:
    build = {"version": tallyd.__version__, "python": platform.python_version()}
    yield InfoMetricFamily("tallyd_build", "The version of tallyd and of Python.", value=build)
    is_active = context.leader is None
    yield GaugeMetricFamily("tallyd_active", "1 if this tallyd is active, 0 if it is a standby.", is_active)


def _runs(context: Context) -> Iterator[Metric]:
    labels = ["poller", "job"]
    ended = CounterMetricFamily(
        "tallyd_job_runs", "Runs since the process began, by how they ended.", labels=[*labels, "outcome"]
    )
    took = HistogramMetricFamily("tallyd_job_run_seconds", "How long runs took.", labels=labels)
    late = HistogramMetricFamily("tallyd_slot_late_seconds", "How late slots were begun.", labels=labels)
    for name, runs in sorted(context.runs.runs().items()):
        for outcome in ENDS:
            ended.add_metric([*name, outcome], runs.ended.get(outcome, 0))
        took.add_metric(list(name), buckets=_buckets(runs.took_s), sum_value=runs.took_s.total_s)
        if any(runs.late_s.counts):
            late.add_metric(list(name), buckets=_buckets(runs.late_s), sum_value=runs.late_s.total_s)
    yield from (ended, took, late)


def _buckets(spread: Histogram) -> list[tuple[str, float]]:
    """Return cumulative counts by upper bound, as Prometheus wants them."""
    found, so_far = [], 0
    for bound, count in zip((*map(str, spread.bounds), "+Inf"), spread.counts, strict=True):
        so_far += count
        found.append((bound, float(so_far)))
    return found


def _jobs(context: Context) -> Iterator[Metric]:
    labels = ["poller", "job"]
    next_at = GaugeMetricFamily(
        "tallyd_next_slot_timestamp_seconds", "When the job's next slot comes.", labels=labels
    )
    missed = GaugeMetricFamily(
        "tallyd_slots_missed", "Slots missed since the last reading of the job.", labels=labels
    )
    now, state = context.now(), context.state
    for task in tasks_of(context.config()):
        coming = task.next_at(now)
        if coming is None:
            continue  # a plain interval: it has no slots, and misses none
        next_at.add_metric(list(task.name), coming.timestamp())
        missed.add_metric(list(task.name), len(state.readings.missed_since_taken(*task.name, now=now)))
    unwritten = GaugeMetricFamily(
        "tallyd_unwritten_readings",
        "Readings that wait to be written to out/.",
        len(state.out_files.unwritten()),
    )
    yield from (next_at, missed, unwritten)


def _alerts(context: Context) -> Iterator[Metric]:
    family = GaugeMetricFamily(
        "tallyd_alerts",
        "Problems by the first and last part of their key; `waiting`: not raised yet.",
        labels=["poller", "kind", "severity", "state"],
    )
    now, mutes = context.now(), context.mutes()
    found: Counter[tuple[str, str, str, str]] = Counter()
    for alert in context.alerts().values():
        if not (alert.is_open or alert.is_waiting):
            continue
        is_muted = mute_of(alert.key, mutes, now=now) is not None
        state = _state(alert, is_muted=is_muted)
        segments = key_segments(alert.key)
        found[segments[0], segments[-1], alert.severity, state] += 1
    for names, count in sorted(found.items()):
        family.add_metric(names, count)
    yield family


def _state(alert: Alert, *, is_muted: bool) -> str:
    if alert.is_waiting:
        return "waiting"
    if is_muted:
        return "muted"
    return "acknowledged" if alert.acknowledged else "open"


def _reports(context: Context) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        "tallyd_reports",
        "Reports to upstreams that are not accepted: `waiting` to be sent, or `parked`, rejected for good.",
        labels=["poller", "state"],
    )
    sent = GaugeMetricFamily(
        "tallyd_report_sent_timestamp_seconds",
        "When the upstream last took a report of this name.",
        labels=["poller", "ssid"],
    )
    for poller in sorted(context.state.outbox.pollers()):
        rows = context.state.outbox.all(poller)
        for state in ("waiting", "parked"):
            waiting.add_metric([poller, state], sum(row.state == state for row in rows))
        newest: dict[str, float] = {}
        for row in rows:
            if row.sent_at is not None:
                newest[row.message.ssid] = max(newest.get(row.message.ssid, 0.0), row.sent_at.timestamp())
        for ssid, at in sorted(newest.items()):
            sent.add_metric([poller, ssid], at)
    yield from (waiting, sent)


# -- what is counted -----------------------------------------------------------------------------------------


def _readings(context: Context) -> Iterator[Metric]:
    """Yield when each poller was last read."""
    last = GaugeMetricFamily(
        "tallyd_last_reading_timestamp_seconds", "When the last reading was taken.", labels=["poller"]
    )
    now = context.now()
    for poller in context.config().settings.pollers:
        taken = context.state.readings.last_taken(poller, now=now, in_timetable=True)
        if taken is not None:
            last.add_metric([poller], taken.at.timestamp())
    yield last


def _of_pollers(context: Context, readable: GaugeMetricFamily) -> Iterator[Metric]:
    """Yield the metrics of all pollers, one family for each name; note which kinds could be read."""
    families: dict[str, GaugeMetricFamily] = {}
    are_readable: dict[str, bool] = {}
    for name, poller in context.config().settings.pollers.items():
        are_readable.setdefault(poller.kind, True)
        try:
            for metric in context.shown.metrics(poller, context.past(name)):
                family = families.setdefault(
                    metric.name, GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
                )
                for labels, value in metric.samples:
                    family.add_metric(labels, value)
        except (StateError, RecordsError, BugError):
            are_readable[poller.kind] = False
    for kind, is_readable in are_readable.items():
        readable.add_metric([kind], is_readable)
    yield from families.values()


_PARTS: Final[dict[str, Part]] = {
    "build": _build,
    "runs": _runs,
    "jobs": _jobs,
    "alerts": _alerts,
    "reports": _reports,
    "readings": _readings,
}
