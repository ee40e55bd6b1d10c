"""Past incidents for people: those that are asked for, and the panel of a poller's board."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from tallyd.adapters.state import State
from tallyd.config.model import Config
from tallyd.contract.board import Asked, AskedError, Past
from tallyd.contract.poller import Poller
from tallyd.core.alerts.incident_view import IncidentView
from tallyd.core.alerts.incidents import Incident
from tallyd.core.alerts.rules import OWN
from tallyd.core.language.formats import clock, day_text
from tallyd.core.language.messages import tr
from tallyd.core.schedule.days import day_of
from tallyd.settings.types import nearest

DEFAULT_DAYS: Final = 30
MOST_LAST: Final = 5
_KNOWN_FROM: Final = timedelta(days=1)
"""Of days without an incident, it is said when tallyd was first on, if that is later than this."""
LAST_DAYS: Final = 400
"""How far back the last incidents are looked for."""


def views_of(incidents: Iterable[Incident], config: Config, *, now: datetime) -> tuple[IncidentView, ...]:
    """Return incidents in the words of a config, for a reader at `now`."""
    return tuple(
        IncidentView(each, config.alert_policy_of(each.key), config.kind_of(each.key), now)
        for each in incidents
    )


def incidents_of(
    poller: Poller, past: Past, asked: Asked, config: Config, *, since: datetime, most: int | None = None
) -> tuple[IncidentView, ...]:
    """Return the incidents since then, up to the last of the days that were asked for; the newest first.

    If a subject or a group was chosen, only those that concern it. Raises `StateError`.
    """
    until, subject = asked.span(past.zone)[1], asked.value(poller.subject_option())
    members = poller.group_members().get(asked.value("group"))
    found = poller.incidents_about(subject, past, since, until, most=most if members is None else None)
    if members is not None:
        about = members | poller.shared_subjects()
        found = [each for each in found if each.subject.partition("/")[0] in about][:most]
    return views_of(found, config, now=past.now)


@dataclass(frozen=True, kw_only=True)
class AskedIncidents:
    """The days and the poller that a person asks for; empty: all of them, and tallyd itself.

    `pollers` can be asked for: those of the config, those with incidents from before, and tallyd itself.
    """

    days: Asked
    poller: str
    zone: ZoneInfo
    pollers: tuple[str, ...]

    @classmethod
    def read(
        cls,
        state: State,
        config: Config | None,
        *,
        first: str,
        last: str,
        poller: str,
        zone: ZoneInfo,
        now: datetime,
    ) -> Self:
        """Return what a person wrote. `zone` is that of the config. Raises `AskedError` and `StateError`."""
        configured = config.settings.pollers if config else {}
        known = tuple(dict.fromkeys((*configured, *state.incidents.pollers(), OWN)))
        if poller and poller not in known:
            near = nearest(poller, known)
            raise AskedError(
                tr(
                    'there is no poller "{poller}", and no incident of one'
                    '[; did you mean "{near}"?][; there are: {known}]',
                    poller=poller,
                    near=near,
                    known="" if near else ", ".join(known),
                )
            )
        if config and poller in configured:
            zone = config.effective(poller).zone
        days = Asked.read(
            first=first, last=last, today=day_of(now, zone), default_days=lambda _by: DEFAULT_DAYS
        )
        return cls(days=days, poller=poller, zone=zone, pollers=known)

    def why_nothing(self, state: State, *, now: datetime, group: str = "") -> str:
        """Return why there is no incident (of a group) on these days. Raises `StateError`."""
        first, last = self.days.first, self.days.last
        days = (
            {"first": day_text(first), "last": day_text(last)} if first < last else {"day": day_text(first)}
        )
        since, until = self.days.span(self.zone)
        known = state.uptime.between(since, min(until, now), now=now)
        if not known:
            return tr(
                "Nothing is known of incidents[ from {first} to {last}][ on {day}]:"
                " tallyd did not run then, or they were deleted.",
                **days,
            )
        nothing = tr(
            "No incident[ of {whose}][ from {first} to {last}][ on {day}].",
            whose=group or self.poller,
            **days,
        )
        if known[0][0] - since < _KNOWN_FROM:
            return nothing
        begin = clock(known[0][0], self.zone, now=now)
        return tr("{nothing} Nothing is known of before {begin}.", nothing=nothing, begin=begin)
