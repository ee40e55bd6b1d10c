"""Incidents: what is kept of an alert, from the moment it is raised and after it has ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from typing import TypeAlias

from tallyd.core.alerts.acknowledgement import Acknowledgement
from tallyd.core.alerts.notices import News
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
class Incident(Problem):
    """An alert that was raised. `severity`, `text`, `over` and `fields` are those at its worst.

    `since` is when the problem began, `raised_at` when it became an alert, `ended_at` when it was resolved
    (None: it is open). `severities` are all that it had, each since when, in their order; the first one also
    counts before that. `is_unwatched`: it ended because the config does not ask for it any more, or not at
    that hour. `muted_by`
    is who muted it last, empty if nobody knows who; None: nobody did. `acknowledged` says who worked on it.
    `notices` are sorted by time.
    """

    raised_at: datetime
    severities: tuple[tuple[datetime, Severity], ...]
    ended_at: datetime | None = None
    is_unwatched: bool = False
    muted_by: str | None = None
    acknowledged: Acknowledgement | None = None
    notices: tuple[IncidentNotice, ...] = ()

    @property
    def poller(self) -> str:
        """The poller that it is about; `tallyd` if it is about the daemon itself."""
        return key_segments(self.key)[0]

    @property
    def subject(self) -> str:
        """What of the poller it is about; empty if the key does not say."""
        return "/".join(key_segments(self.key)[1:-1])

    @property
    def severity_now(self) -> Severity:
        """The severity that it has, or had at its end."""
        return self.severities[-1][1]

    def parts(self, *, until: datetime) -> Iterator[tuple[datetime, datetime, Severity]]:
        """Yield since when, until when, and how severe it was, oldest first; what is open lasts `until`.

        None ends before it begins: if the clock was set back, a part begins at its end at the latest.
        """
        begins = (self.since, *(at for at, _ in self.severities[1:]), min(self.ended_at or until, until))
        capped = [*accumulate(reversed(begins), min)][::-1]
        for (begin, end), (_, severity) in zip(pairwise(capped), self.severities, strict=True):
            yield begin, end, severity

    def lasted_s(self, *, now: datetime) -> float:
        """Return how long it lasted, or has lasted by now; never negative, even if the clock was set back."""
        return max(0.0, ((self.ended_at or now) - self.since).total_seconds())
