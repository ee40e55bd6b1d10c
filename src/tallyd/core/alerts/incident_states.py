"""States over time that follow from incidents: where tallyd was on and nothing was wrong, all was well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from tallyd.core.alerts.incidents import Incident
from tallyd.core.language.messages import mark, tr
from tallyd.core.panels import Cell, Column, Gap, Table
from tallyd.core.states import NO_DATA, NO_DATA_SHARE, Level, State, Timeline
from tallyd.core.timeline import cut, shares_table, states_of
from tallyd.core.uptime import TimeSpan

STATES: Final[Mapping[Level, State]] = {
    "error": State("error", mark("trouble")),
    "warning": State("warning", mark("needs a look")),
    "fine": State("fine", mark("all well")),
}


def incident_timeline(
    incidents: Iterable[Incident], uptime: Sequence[TimeSpan], borders: Sequence[datetime]
) -> Timeline:
    """Return the worst severity of the open incidents over time, from the first border to the last."""
    if not borders:
        return Timeline(())
    troubles = (part for each in incidents for part in each.parts(until=borders[-1]))
    return cut(states_of(uptime, troubles, STATES), borders)


def well_share(timeline: Timeline) -> float | Gap:
    """Return for what share of the time that is known there was no incident."""
    held = dict(timeline.amounts)
    known_s = sum(held.get(state, 0.0) for state in STATES.values())
    return held.get(STATES["fine"], 0.0) / known_s if known_s else Gap.UNKNOWN


def incident_shares(
    incidents: Sequence[Incident], uptime: Sequence[TimeSpan], *, now: datetime, zone: tzinfo
) -> Table:
    """Return for what share of the time that is known there was no incident, by range."""

    def since(begin: datetime) -> tuple[Cell, Cell]:
        timeline = incident_timeline(incidents, uptime, (begin, now))
        no_data_s = dict(timeline.amounts).get(NO_DATA, 0.0)
        return well_share(timeline), no_data_s / timeline.length_s

    columns = (
        Column(key="well_share", heading=tr("without an incident"), unit="share", is_vital=True),
        Column(key=NO_DATA_SHARE, heading=tr("no data"), unit="share"),
    )
    return shares_table(columns, since, now=now, zone=zone)
