"""`tallyd alerts --past`: the incidents of some days, on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tallyd.adapters.state import StateError
from tallyd.cli.shared import Place, say_days, utc_now, wrong_usage
from tallyd.cli.views.alerts import members_of, no_state, open_state, place_of, zone_of
from tallyd.contract.board import AskedError
from tallyd.core.alerts.incident_view import IncidentView, incident_json, incident_table
from tallyd.core.alerts.incidents import Incident
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.errors import EXIT_OK
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import tr
from tallyd.core.panels import Board
from tallyd.presentation.boards import BoardPrinter, table_csv
from tallyd.presentation.invocation import called_here
from tallyd.presentation.terminal import show_file, show_json
from tallyd.storage.incidents import AskedIncidents, views_of


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The options of the command; an empty text is one that nobody gave.

    `shape` is `table`, `csv` or `json`; `excel` makes it a CSV for Excel.
    """

    start: str = ""
    end: str = ""
    poller: str = ""
    group: str = ""
    shape: str = "table"
    excel: bool = False


def past_alerts(path: Path, wanted: Wanted) -> int:
    """Print the incidents of these days, the one that began last first; return the exit status.

    Ends the command with status 2 for options that make no sense.
    """
    place = place_of(path)
    is_member = members_of(place, wanted.group)
    with reading_in(place.language if wanted.excel or wanted.shape == "table" else "en"):
        return _past_alerts(place, wanted, is_member)


def _past_alerts(place: Place, wanted: Wanted, is_member: Callable[[str], bool]) -> int:
    now = utc_now()
    try:
        with closing(open_state(place)) as state:
            asked = AskedIncidents.read(
                state,
                place.config,
                first=wanted.start,
                last=wanted.end,
                poller=wanted.poller,
                zone=zone_of(place, state),
                now=now,
            )
            found = state.incidents.between(*asked.days.span(asked.zone), poller=wanted.poller)
            found = tuple(each for each in found if is_member(each.key))
            nothing = asked.why_nothing(state, now=now, group=wanted.group)
    except AskedError as error:
        wrong_usage(str(error))
    except (StateError, FileNotFoundError) as error:
        return no_state(error)
    views = _views(found, place, asked.zone, now)
    if not wanted.start:
        say_days(asked.days.first, asked.days.last)
    _show(wanted, views, asked.zone, now, nothing)
    return EXIT_OK


def _views(
    found: Iterable[Incident], place: Place, zone: ZoneInfo, now: datetime
) -> tuple[IncidentView, ...]:
    """Return incidents in words; without a config, with the texts that are stored."""
    if place.config is not None:
        return views_of(found, place.config, now=now)
    policy = AlertPolicy(zone=zone, tallyd=called_here())
    return tuple(IncidentView(each, policy, None, now) for each in found)


def _show(
    wanted: Wanted, views: tuple[IncidentView, ...], zone: ZoneInfo, now: datetime, nothing: str
) -> None:
    table = incident_table(views, nothing=nothing)
    if wanted.shape == "json":
        show_json([incident_json(view) for view in views])
    elif wanted.excel or wanted.shape == "csv":
        show_file(table_csv(table, zone, excel=wanted.excel))
    else:
        printer = BoardPrinter(zone=zone, now=now, see_columns=tr("--wide, or --format csv"))
        printer.show("", Board(panels=(table,)), (table,))
    sys.stdout.flush()  # so that a reader who went away (`| head`) is noticed where it is handled
