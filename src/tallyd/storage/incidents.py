"""Past incidents for people: the panel of a poller's board, and why there is none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.contract.board import Asked, Past
from tallyd.contract.poller import Poller
from tallyd.core.alerts.incident_view import IncidentViews, last_incidents
from tallyd.core.panels import Table

DEFAULT_DAYS: Final = 30
MOST_LAST: Final = 5
LAST_DAYS: Final = 400
"""How far back the last incidents are looked for."""


def last_incidents_of(poller: Poller, past: Past, asked: Asked, config: Config) -> Table:
    """Return the last incidents up to the last of the days that were asked for.

    If a subject was chosen, only those that concern it. Raises `StateError`.
    """
    until, subject = asked.span(past.zone)[1], asked.value(poller.subject_option())
    since = until - timedelta(days=LAST_DAYS)
    found = poller.incidents_about(subject, past, since, until, most=MOST_LAST)
    views = IncidentViews(config.alert_policy_of, config.kind_of, past.now).of(found)
    about = f" about {subject}" if subject else ""
    return last_incidents(views, nothing=f"No incident{about} is known up to {asked.last}.")


def why_nothing(state: State, asked: Asked, zone: ZoneInfo, *, now: datetime, poller: str) -> str:
    """Return why there is no incident on these days. Raises `StateError`."""
    days = f"from {asked.first} to {asked.last}" if asked.first < asked.last else f"on {asked.first}"
    since, until = asked.span(zone)
    if not state.uptime.between(since, min(until, now), now=now):
        return f"Nothing is known of incidents {days}: tallyd did not run then, or they were deleted."
    return f"No incident{f' of {poller}' if poller else ''} {days}."
