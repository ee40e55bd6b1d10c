"""The metrics of the last readings. A number that is hidden or not known is left out: it is no zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from tallyd.contract.poller import Poller
from tallyd.core.history import Entry, Gap
from tallyd.pollers.divera.poller import DiveraPoller
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.web.context import Context

_OWN: Final[frozenset[type[Poller]]] = frozenset({DiveraPoller, VisitorsPoller, ServersPoller})
"""The kinds that have metrics of their own; of all others every number of the last reading is one."""


def of_people(context: Context) -> Iterator[Metric]:
    """Yield the people of each status."""
    people = GaugeMetricFamily(
        "tallyd_people", "People by status at the last reading.", labels=["poller", "status"]
    )
    everybody = GaugeMetricFamily("tallyd_people_all", "All people of the last reading.", labels=["poller"])
    named = GaugeMetricFamily(
        "tallyd_status_info", "1, with the name of a status.", labels=["poller", "status", "name"]
    )
    for poller in context.config().pollers_of(DiveraPoller):
        for entry in _last(context, poller):
            if not isinstance(entry.total, Gap):
                everybody.add_metric([poller], entry.total)
            for status, count in entry.counts.items():
                if not isinstance(count, Gap):
                    people.add_metric([poller, status], count)
            for status, name in entry.names.items():
                named.add_metric([poller, status, name], 1)
    yield from (people, everybody, named)


def of_numbers(context: Context) -> Iterator[Metric]:
    """Yield every number of the readings of kinds without metrics of their own."""
    numbers = GaugeMetricFamily(
        "tallyd_number", "A number of the last reading, by its name.", labels=["poller", "name"]
    )
    for poller, settings in context.config().settings.pollers.items():
        for entry in () if type(settings) in _OWN else _last(context, poller):
            for name, value in entry.counts.items():
                if not isinstance(value, Gap):
                    numbers.add_metric([poller, name], value)
    yield numbers


def _last(context: Context, poller: str) -> tuple[Entry, ...]:
    """Return the last reading of the timetable, if there is one."""
    newest = context.state.readings.last(poller, now=context.now(), in_timetable=True)
    if newest is None:
        return ()
    kind = context.config().settings.pollers[poller]
    at = newest.due_at or newest.taken_at
    return (kind.entry(at, taken_at=newest.taken_at, body=newest.body or {}),)
