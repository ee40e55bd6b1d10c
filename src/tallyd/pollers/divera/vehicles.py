"""What people are shown of vehicles: how many there are by radio status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Final

from tallyd.contract.poller import Found
from tallyd.core.history import NO_STATUS, Entry, in_order
from tallyd.core.language.messages import mark, tr, translation
from tallyd.core.panels import Board, Chart, Column, Gap, Table
from tallyd.core.periods import By
from tallyd.core.readings_board import readings_board
from tallyd.core.readings_tables import title_of

_MEANINGS: Final[Mapping[str, str]] = {
    "1": mark("ready, on the road"),
    "2": mark("ready, at the station"),
    "3": mark("on the way to an incident"),
    "4": mark("at the incident"),
    "5": mark("asks to speak"),
    "6": mark("not ready"),
    NO_STATUS: mark("no radio status"),
}
"""What a status of the German radio system FMS means. Of the others, that differs between states."""
_KEY: Final = "vehicles"
_TITLE: Final = mark("Vehicles by radio status (FMS)")


def _meaning(status: str) -> str:
    """Return what a radio status means, in the reader's language; empty if it differs between states."""
    return translation(_MEANINGS.get(status, ""))


def found_vehicles(vehicles: Mapping[str, int] | None) -> tuple[Found, ...]:
    """Return a line for each radio status, for `check --online`. None: Divera does not show vehicles."""
    if vehicles is None:
        return (Found(tr("vehicles"), tr("this key may not see them"), None, is_fine=False),)
    return tuple(
        Found(tr("vehicles {status}", status=status), _meaning(status) or None, count)
        for status, count in vehicles.items()
    )


def with_vehicles_now(board: Board, entry: Entry) -> Board:
    """Return the board of a reading with its vehicles, if it counted any."""
    if not entry.vehicles:
        return board
    table = Table(
        key=_KEY,
        title=translation(_TITLE),
        columns=(
            Column(key="status", heading=tr("status"), is_vital=True),
            Column(key="meaning", heading=tr("meaning")),
            Column(key="vehicles", heading=tr("vehicles"), unit="number", is_vital=True),
        ),
        rows=tuple((status, _meaning(status), count) for status, count in in_order(entry.vehicles).items()),
    )
    return replace(board, panels=(*board.panels, table))


def with_vehicles(board: Board, entries: Sequence[Entry], *, by: By | None, zone: tzinfo) -> Board:
    """Return the board of some days with the vehicles of their readings, if any counted some."""
    counted = [
        entry
        if entry.is_missed
        else replace(
            entry,
            counts=entry.vehicles or {},
            unlisted=0,
            total=Gap.UNKNOWN,
            names={status: _meaning(status) for status in entry.vehicles or {} if status in _MEANINGS},
            hide_below=None,
        )
        for entry in entries
        if entry.is_missed or entry.vehicles is not None
    ]
    if not any(entry.vehicles for entry in entries):
        return board
    panels = readings_board(counted, {}, by=by, zone=zone, next_at=None).panels
    charts = tuple(
        replace(
            each,
            table=replace(each.table, key=_KEY, title=title_of(by, of=translation(_TITLE))),
        )
        for each in panels
        if isinstance(each, Chart)
    )
    return replace(board, panels=(*board.panels, *charts))
