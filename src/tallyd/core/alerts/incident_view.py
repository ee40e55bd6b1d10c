"""Incidents as people and programs read them: in words, as a table, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from tallyd.core.alerts.acknowledgement import acknowledgement_json
from tallyd.core.alerts.alert_kind import AlertKind, name_of
from tallyd.core.alerts.incidents import Incident
from tallyd.core.alerts.notices import AlertPolicy, News
from tallyd.core.alerts.wording import said
from tallyd.core.language.formats import clock, day_text
from tallyd.core.language.languages import reading_in
from tallyd.core.language.messages import mark, tr, translation
from tallyd.core.naming import key_segments, local_text
from tallyd.core.out_document import problem_json
from tallyd.core.panels import Column, Table
from tallyd.core.reading import Json, Severity
from tallyd.core.states import State
from tallyd.core.texts import items_text, listed

_NEWS: Final[dict[News, str]] = {
    "begins": mark("began {at}"),
    "escalated": mark("escalated {at}"),
    "acknowledged": mark("acknowledged {at}"),
    "reminder": mark("reminded {at}"),
    "over": mark("ended {at}"),
    "unwatched": mark("no longer watched {at}"),
}
_SEVERITIES: Final[dict[Severity, str]] = {"warning": mark("warning"), "error": mark("error")}
_PANEL: Final = frozenset({"severity", "subject", "problem", "began", "lasted_s", "ended", "text"})


@dataclass(frozen=True)
class IncidentView:
    """An incident in words, for a reader at `now`. `kind` None: the config has no such kind any more."""

    incident: Incident
    policy: AlertPolicy
    kind: AlertKind | None
    now: datetime

    @property
    def subject(self) -> str:
        """The name of what it is about; empty if it is about the poller as a whole."""
        if self.kind is not None and not self.kind.has_subject:
            return ""
        incident = self.incident
        wording = self.policy.wording(self.now)
        return name_of(incident.key, incident.fields, self.kind, wording) if incident.subject else ""

    @property
    def problem(self) -> str:
        """What was wrong, in a few words."""
        return translation(self.kind.short) if self.kind else key_segments(self.incident.key)[-1]

    @property
    def severity(self) -> State:
        severity = self.incident.severity
        return State(severity, _SEVERITIES[severity])

    @property
    def text(self) -> str:
        """The text at its worst. Ages in it end with the incident."""
        wording = self.policy.wording(self.now, ended_at=self.incident.ended_at)
        return said(self.incident, wording)

    @property
    def lasted_s(self) -> float:
        return self.incident.lasted_s(now=self.now)

    @property
    def notified(self) -> str:
        """Who was notified of what, and when: `ops (began 08:00, ended Sat 09:10)`."""
        by_channel: dict[str, list[str]] = {}
        for notice in self.incident.notices:
            at = clock(notice.at, self.policy.zone, now=self.incident.since)
            by_channel.setdefault(notice.channel, []).append(tr(_NEWS[notice.news], at=at))
        found = (
            tr("{channel} ({events})", channel=name, events=items_text(events))
            for name, events in by_channel.items()
        )
        return listed([*found]) or tr("nobody")

    @property
    def muted_by(self) -> str:
        """Who muted it; empty if nobody did."""
        by = self.incident.muted_by
        return "" if by is None else by or tr("not known")

    @property
    def acknowledged(self) -> str:
        """Who acknowledged it, when and why: `by anna 08:10 (disk is ordered)`; empty if nobody did."""
        found = self.incident.acknowledged
        return found.text(self.policy.zone, now=self.incident.since) if found else ""


def incident_table(views: Sequence[IncidentView], *, nothing: str) -> Table:
    """Return the table of incidents of any poller."""
    columns = (
        Column(key="severity", heading=tr("severity"), is_vital=True),
        Column(key="began", heading=tr("began"), unit="instant", is_vital=True),
        Column(key="lasted_s", heading=tr("lasted"), unit="seconds", is_vital=True),
        Column(key="poller", heading=tr("poller"), is_vital=True),
        Column(key="subject", heading=tr("subject"), is_vital=True),
        Column(key="problem", heading=tr("problem"), is_vital=True),
        Column(key="ended", heading=tr("ended"), unit="instant"),
        Column(key="muted_by", heading=tr("muted by")),
        Column(key="acknowledged", heading=tr("acknowledged")),
        Column(key="key", heading=tr("key")),
        Column(key="text", heading=tr("text"), is_note=True),
        Column(key="notified", heading=tr("notified"), is_note=True),
    )
    return Table(
        key="incidents",
        title=tr("Incidents"),
        columns=columns,
        rows=tuple(
            (
                view.severity,
                view.incident.since,
                view.lasted_s,
                view.incident.poller,
                view.subject,
                view.problem,
                view.incident.ended_at or tr("open"),
                view.muted_by,
                view.acknowledged,
                view.incident.key,
                view.text,
                view.notified,
            )
            for view in views
        ),
        nothing=nothing,
    )


def no_incident(until: date, subject: str) -> str:
    """Return why there are no last incidents of a poller, or of one subject."""
    return tr("No incident[ about {subject}] is known up to {until}.", subject=subject, until=day_text(until))


def incident_panel(views: Sequence[IncidentView], *, nothing: str) -> Table:
    """Return the panel of incidents of one poller; `nothing` says why there is none."""
    whole = incident_table(views, nothing=nothing)
    kept = [place for place, column in enumerate(whole.columns) if column.key in _PANEL]
    return replace(
        whole,
        columns=tuple(whole.columns[place] for place in kept),
        rows=tuple(tuple(row[place] for place in kept) for row in whole.rows),
    )


def incident_json(view: IncidentView) -> dict[str, Json]:
    """Return an incident for programs, in English for every reader."""
    with reading_in("en"):
        return _json(view)


def _json(view: IncidentView) -> dict[str, Json]:
    incident, zone = view.incident, view.policy.zone
    wording = view.policy.wording(view.now, ended_at=incident.ended_at)
    return {
        **problem_json(incident, wording),
        "poller": incident.poller,
        "subject": view.subject,
        "problem": view.problem,
        "raised_at": local_text(incident.raised_at, zone),
        "ended_at": local_text(incident.ended_at, zone) if incident.ended_at else None,
        "lasted_s": round(view.lasted_s, 1),
        "unwatched": incident.is_unwatched,
        "muted_by": incident.muted_by,
        "acknowledged": acknowledgement_json(incident.acknowledged, zone),
        "notices": [
            {"channel": each.channel, "news": each.news, "at": local_text(each.at, zone)}
            for each in incident.notices
        ],
    }
