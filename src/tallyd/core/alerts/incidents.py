"""Incidents: what is kept of an alert, from the moment it is raised and after it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from tallyd.core.alerts.notices import News
from tallyd.core.alerts.values import Fields
from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem, Severity

IncidentId: TypeAlias = tuple[str, datetime]
"""A key, and when it was raised: a key may be raised again."""
Delivered: TypeAlias = Mapping[tuple[IncidentId, str, News], datetime]
"""When notices were delivered, by incident, channel and news."""


@dataclass(frozen=True)
class IncidentNotice:
    """A notice about an incident that a channel accepted at `at`.

    Of several with the same news, `at` is when the first `begins`, or the last of another, was accepted.
    """

    channel: str
    news: News
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Incident:
    """An alert that was raised. `severity`, `text`, `over` and `fields` are those at its worst.

    `began` is when the problem began, `raised_at` when it became an alert, `ended_at` when it was resolved
    (None: it is open). `is_unwatched`: it ended because the config does not ask for it any more. `muted_by`
    is who muted it last, empty if nobody knows who; None: nobody did. `notices` are sorted by time.
    """

    key: str
    severity: Severity
    text: str
    over: str
    fields: Fields = field(default_factory=dict, hash=False)
    began: datetime
    raised_at: datetime
    ended_at: datetime | None = None
    is_unwatched: bool = False
    muted_by: str | None = None
    notices: tuple[IncidentNotice, ...] = ()

    @property
    def id(self) -> IncidentId:
        return self.key, self.raised_at

    @property
    def poller(self) -> str:
        """The poller that it is about; `tallyd` if it is about the daemon itself."""
        return key_segments(self.key)[0]

    @property
    def subject(self) -> str:
        """What of the poller it is about; empty if the key does not say."""
        return "/".join(key_segments(self.key)[1:-1])

    @property
    def problem(self) -> Problem:
        """The incident as a problem, for its text."""
        return Problem(
            key=self.key,
            text=self.text,
            over=self.over,
            since=self.began,
            severity=self.severity,
            fields=self.fields,
        )

    def lasted_s(self, *, now: datetime) -> float:
        """Return how long it lasted, or has lasted by now; never negative, even if the clock was set back."""
        return max(0.0, ((self.ended_at or now) - self.began).total_seconds())
