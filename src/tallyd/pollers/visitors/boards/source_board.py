"""What people are shown of one source: its row of today, as numbers of their own, and its shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from tallyd.contract.board import Past
from tallyd.core.alerts.incident_states import incident_timeline
from tallyd.core.alerts.incidents import Incident
from tallyd.core.language.messages import mark, tr, translation
from tallyd.core.panels import Board, Gap, Stat, Table, tables_of
from tallyd.core.states import Timeline
from tallyd.core.timeline import borders_of

_NAMES: Final = {
    "name": mark("Name"),
    "state": mark("State"),
    "last_file": mark("Last file"),
    "host": mark("Host"),
    "in": mark("In today"),
    "out": mark("Out today"),
    "inside": mark("Inside now"),
    "corrected": mark("Corrected since the reset"),
}
"""By the columns of the sources of today."""


def last_day(past: Past, shared: Collection[str], sources: Collection[str]) -> Mapping[str, Timeline]:
    """Return the last day of some sources, by the incidents that concern each.

    Incidents about `shared` subjects concern every source. Raises `StateError`.
    """
    borders = borders_of("24h", now=past.now, zone=past.zone)
    span = borders[0], borders[-1]
    uptime = past.uptime(*span)
    own: dict[str, list[Incident]] = defaultdict(list)
    for incident in past.incidents(*span):
        own[incident.subject].append(incident)
    of_all = [incident for subject in shared for incident in own[subject]]
    return {source: incident_timeline([*own[source], *of_all], uptime, borders) for source in sources}


def source_board(today: Board, source: str, shares: Table) -> Board:
    """Return how one source is now. `today` is the board of all sources."""
    table = next(each for each in tables_of(today.panels) if each.key == "sources")
    row = next((each for each in table.rows if each[0] == source), None)
    if row is None:
        note = tr("This source is not configured, and no file came from it lately.")
        return Board(panels=(shares,), notes=(note,), troubles=today.troubles)
    stats = [
        Stat(
            key=column.key,
            name=translation(_NAMES[column.key]),
            value=Gap.UNKNOWN if cell is None else cell,
            unit=column.unit,
        )
        for column, cell in zip(table.columns[1:], row[1:], strict=True)
        if column.unit != "timeline" and (cell is not None or column.unit != "text")
    ]
    return Board(panels=(*stats, shares), troubles=today.troubles)
