"""The view of past incidents: what was asked for, and the lines of each day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2s
from itertools import groupby
from typing import Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from tallyd.contract.board import AskedError
from tallyd.core.alerts.incident_view import IncidentView, incident_table
from tallyd.core.language.formats import clock, span
from tallyd.core.language.messages import english, tr
from tallyd.core.naming import instant_text
from tallyd.core.panels import Table
from tallyd.core.reading import Severity
from tallyd.core.schedule.days import day_of
from tallyd.storage.incidents import DEFAULT_DAYS, MOST_LAST, AskedIncidents, views_of
from tallyd.web.context import Context

LINES_A_PAGE = 50
MOST_PAGES = 1000


@dataclass(frozen=True, kw_only=True)
class IncidentLine:
    """An incident on one line; what is folded below it says all. `query` leads to what it is about.

    `severity` is the present one while it is open, then the one at its worst. `lasted` does not break.
    """

    id: str
    view: IncidentView
    severity: Severity
    begin: str
    end: str
    lasted: str
    poller: str
    query: str


@dataclass(frozen=True, kw_only=True)
class AskedPage(AskedIncidents):
    """What is asked for, and the page of it, counted from 1."""

    page: int

    @classmethod
    def of(cls, query: Mapping[str, str], context: Context) -> Self:
        """Return what a person asks for. Raises `AskedError` and `StateError`."""
        config, page = context.config(), query.get("page", "1")
        if not (page.isascii() and page.isdecimal() and 1 <= int(page[:9]) <= MOST_PAGES):
            raise AskedError(english("page must be a number from 1 to {most}", most=MOST_PAGES))
        asked = AskedIncidents.read(
            context.state,
            config,
            first=query.get("from", ""),
            last=query.get("to", ""),
            poller=query.get("poller", ""),
            zone=config.zone,
            now=context.now(),
        )
        return cls(**vars(asked), page=int(page))

    def link(self, **changes: str) -> str:
        """Return the query of this view with some of it changed; empty: left out."""
        asked = {"from": f"{self.days.first}", "to": f"{self.days.last}", "poller": self.poller, **changes}
        return "?" + urlencode({name: value for name, value in asked.items() if value})


@dataclass(frozen=True, kw_only=True)
class FoundIncidents:
    """A page of incidents by the day on which they began, newest first. `nothing` says why there is none."""

    days: tuple[tuple[date, tuple[IncidentLine, ...]], ...]
    has_more: bool
    nothing: str


def find(context: Context, asked: AskedPage) -> FoundIncidents:
    """Return the page that was asked for. Raises `StateError`."""
    since, until = asked.days.span(asked.zone)
    now, state = context.now(), context.state
    incidents = state.incidents.between(
        since,
        until,
        poller=asked.poller,
        most=LINES_A_PAGE + 1,
        skip=(asked.page - 1) * LINES_A_PAGE,
    )
    views = views_of(incidents[:LINES_A_PAGE], context.config(), now=now)
    nothing = "" if views else asked.why_nothing(state, now=now)
    return FoundIncidents(
        days=tuple(_days(views, context, asked.zone)),
        has_more=len(incidents) > LINES_A_PAGE,
        nothing=nothing if asked.page == 1 else tr("No further incident."),
    )


def last_lines(context: Context) -> tuple[IncidentLine, ...]:
    """Return the last incidents of all pollers and of tallyd itself that have ended. Raises `StateError`."""
    now, zone = context.now(), context.config().zone
    found = context.state.incidents.between(
        now - timedelta(days=DEFAULT_DAYS), now, most=MOST_LAST, has_ended=True
    )
    return lines_of(views_of(found, context.config(), now=now), context, zone)


def lines_of(views: Iterable[IncidentView], context: Context, zone: ZoneInfo) -> tuple[IncidentLine, ...]:
    """Return incidents as lines to be read now. Raises `StateError`."""
    now = context.now()
    return tuple(_line(view, context, zone, now=now) for view in views)


def all_incidents(context: Context, asked: AskedIncidents, *, most: int) -> Table:
    """Return all incidents that were asked for. Raises `StateError`; `AskedError` if they are over `most`."""
    since, until = asked.days.span(asked.zone)
    found = context.state.incidents.between(since, until, poller=asked.poller, most=most + 1)
    if len(found) > most:
        raise AskedError(
            english(
                "these are more than {most} incidents; choose fewer days, "
                "or use tallyd alerts --past --format csv, which has all",
                most=most,
            )
        )
    return incident_table(views_of(found, context.config(), now=context.now()), nothing="")


def _days(
    views: Iterable[IncidentView], context: Context, zone: ZoneInfo
) -> Iterable[tuple[date, tuple[IncidentLine, ...]]]:
    for day, of_day in groupby(views, key=lambda view: day_of(view.incident.since, zone)):
        yield day, tuple(_line(view, context, zone) for view in of_day)


def _line(
    view: IncidentView, context: Context, zone: ZoneInfo, *, now: datetime | None = None
) -> IncidentLine:
    """Return a line to be read at `now`; None: below the day on which it began."""
    incident = view.incident
    name = f"{incident.key} {instant_text(incident.raised_at)}"
    return IncidentLine(
        id="incident-" + blake2s(name.encode(), digest_size=6).hexdigest(),
        view=view,
        severity=incident.severity if incident.ended_at else incident.severity_now,
        begin=clock(incident.since, zone, now=now or incident.since),
        end=clock(incident.ended_at, zone, now=incident.since) if incident.ended_at else "",
        lasted=span(round(view.lasted_s, 1)).replace(" ", "\u00a0"),
        poller=incident.poller if incident.poller in context.config().settings.pollers else "",
        query=context.query_of(incident.key),
    )
