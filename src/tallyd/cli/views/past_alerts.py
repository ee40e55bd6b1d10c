"""`tallyd alerts --past`: the incidents of some days, on stdout."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NoReturn
from zoneinfo import ZoneInfo

import typer

from tallyd.adapters.state import State, StateError
from tallyd.cli.shared import Place, utc_now
from tallyd.cli.views.alerts import no_state, open_state, place_of, zone_of
from tallyd.contract.board import Asked, AskedError
from tallyd.core.alerts.incident_view import IncidentView, IncidentViews, incident_json, incident_table
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.alerts.rules import OWN
from tallyd.core.errors import EXIT_OK, EXIT_USAGE
from tallyd.core.panels import Board
from tallyd.core.schedule.days import day_of
from tallyd.presentation.boards import BoardPrinter, table_csv
from tallyd.presentation.invocation import called_here
from tallyd.presentation.terminal import complain, show_json
from tallyd.settings.types import did_you_mean
from tallyd.storage.incidents import DEFAULT_DAYS, why_nothing


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The options of the command; an empty text is one that nobody gave. `shape`: `table`, `csv`, `json`."""

    start: str = ""
    end: str = ""
    poller: str = ""
    shape: str = "table"


def past_alerts(path: Path, wanted: Wanted) -> int:
    """Print the incidents of these days, the one that began last first; return the exit status.

    Ends the command with status 2 for options that make no sense.
    """
    place, now = place_of(path), utc_now()
    try:
        with closing(open_state(place)) as state:
            zone = _zone(place, state, wanted.poller)
            _check_poller(place, state, wanted.poller)
            asked = _asked(wanted, now, zone)
            since, until = asked.span(zone)
            found = state.incidents.between(since, until, poller=wanted.poller)
            nothing = why_nothing(state, asked, zone, now=now, poller=wanted.poller)
    except (StateError, FileNotFoundError) as error:
        return no_state(error)
    views = _views(place, zone, now).of(found)
    if not wanted.start:
        days = (asked.last - asked.first).days + 1
        complain(f"{days} days, {asked.first} to {asked.last}; others with --from and --to", style="quiet")
    _show(wanted, views, zone, now, nothing)
    return EXIT_OK


def _asked(wanted: Wanted, now: datetime, zone: ZoneInfo) -> Asked:
    try:
        return Asked.read(
            first=wanted.start,
            last=wanted.end,
            by="",
            options={},
            today=day_of(now, zone),
            default_days=lambda _by: DEFAULT_DAYS,
        )
    except AskedError as error:
        _usage(str(error))


def _check_poller(place: Place, state: State, poller: str) -> None:
    """End the command if nothing is known of a poller with this name."""
    configured = tuple(place.config.settings.pollers) if place.config else ()
    known = tuple(dict.fromkeys((*configured, *state.incidents.pollers(), OWN)))
    if poller and poller not in known:
        hint = did_you_mean(poller, known) or f"; there are: {', '.join(known)}"
        _usage(f'there is no poller "{poller}", and no incident of one{hint}')


def _zone(place: Place, state: State, poller: str) -> ZoneInfo:
    if place.config is not None and poller in place.config.settings.pollers:
        return place.config.effective(poller).zone
    return zone_of(place, state)


def _views(place: Place, zone: ZoneInfo, now: datetime) -> IncidentViews:
    """Return what says incidents in words; without a config, with the texts that are stored."""
    if place.config is not None:
        return IncidentViews(place.config.alert_policy_of, place.config.kind_of, now)
    policy = AlertPolicy(zone=zone, tallyd=called_here())
    return IncidentViews(lambda _key: policy, lambda _key: None, now)


def _show(
    wanted: Wanted, views: tuple[IncidentView, ...], zone: ZoneInfo, now: datetime, nothing: str
) -> None:
    table = incident_table(views, nothing=nothing)
    if wanted.shape == "json":
        show_json([incident_json(view) for view in views])
    elif wanted.shape == "csv":
        sys.stdout.flush()
        sys.stdout.buffer.write(table_csv(table, zone).encode("utf-8", "backslashreplace"))
    else:
        printer = BoardPrinter(zone=zone, now=now, see_columns="--wide, or --format csv")
        printer.show("", Board(panels=(table,)), (table,))
    sys.stdout.flush()  # so that a reader who went away (`| head`) is noticed where it is handled


def _usage(text: str) -> NoReturn:
    complain(f"tallyd: {text}")
    raise typer.Exit(EXIT_USAGE)
