"""The metrics of a Divera unit: its last reading in the timetable."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from tallyd.core.history import Entry
from tallyd.core.metric import Metric
from tallyd.core.panels import Gap
from tallyd.pollers.divera.board import group_of
from tallyd.pollers.divera.fulfilment import verdict
from tallyd.pollers.divera.requirement import Requirement


def people_metrics(poller: str, entry: Entry | None) -> tuple[Metric, ...]:
    """Return the people and vehicles of a reading; None: there is none."""
    people = Metric(
        name="tallyd_people", help="People by status at the last reading.", labels=("poller", "status")
    )
    everybody = Metric(name="tallyd_people_all", help="All people of the last reading.", labels=("poller",))
    named = Metric(
        name="tallyd_status_info", help="1, with the name of a status.", labels=("poller", "status", "name")
    )
    vehicles = Metric(
        name="tallyd_vehicles", help="Vehicles by radio status at the last reading.", labels=people.labels
    )
    if entry is not None:
        if not isinstance(entry.total, Gap):
            everybody.samples.append(((poller,), entry.total))
        for metric, counts in ((people, entry.counts), (vehicles, entry.vehicles or {})):
            metric.samples.extend(
                ((poller, status), count) for status, count in counts.items() if not isinstance(count, Gap)
            )
        named.samples.extend(((poller, status, name), 1) for status, name in entry.names.items())
    return (people, everybody, named, vehicles)


def requirement_metrics(
    poller: str, entry: Entry | None, requirements: Iterable[Requirement], zone: tzinfo
) -> tuple[Metric, ...]:
    """Return how a reading meets requirements; None: there is none.

    A requirement has a sample only if it applied at that slot and its number or its verdict is known.
    """
    labels = ("poller", "requirement")
    people = Metric(
        name="tallyd_requirement_people",
        help="People whom a requirement counts, at the last reading.",
        labels=labels,
    )
    met = Metric(
        name="tallyd_requirement_met",
        help="1 if a requirement was met at the last reading, else 0.",
        labels=labels,
    )
    for each in requirements:
        if entry is None or not each.applies(entry.at.astimezone(zone)):
            continue
        count, found = group_of(each, each.id).count(entry), verdict(each, entry)
        if not isinstance(count, Gap):
            people.samples.append(((poller, each.id), count))
        if found != "unknown":
            met.samples.append(((poller, each.id), found == "met"))
    return (people, met)
