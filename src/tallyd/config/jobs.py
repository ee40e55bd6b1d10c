"""A job of a configured poller, with all settings for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from tallyd.adapters.state import JobRef
from tallyd.config.model import Config
from tallyd.contract.job import Job
from tallyd.contract.poller import Poller
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.alerts.rules import Observations
from tallyd.core.hosts import Duties
from tallyd.core.reading import Problem
from tallyd.core.schedule.timetable import next_slots
from tallyd.retry import Policy


@dataclass(frozen=True, kw_only=True)
class Task:
    """One job of one poller with its current settings: zone, retry policy, retention, alert policy."""

    poller: str
    source: Poller
    job: Job
    zone: ZoneInfo
    policy: Policy
    keep_days: int | None
    alert_policy: AlertPolicy

    @property
    def name(self) -> tuple[str, str]:
        """The poller and the job."""
        return (self.poller, self.job.name)

    @property
    def ref(self) -> JobRef:
        return JobRef(poller=self.poller, kind=self.source.kind, job=self.job.name)

    def next_at(self, after: datetime) -> datetime | None:
        """Return the next slot; None for a plain interval, or if no slot comes within two years."""
        coming = next_slots(self.job.when, self.zone, after=after, count=1)
        return coming[0] if coming else None

    def observations(
        self,
        named: tuple[Problem, ...],
        *,
        now: datetime,
        may_resolve: Callable[[str], bool] = lambda _key: False,
        counts: bool = True,
        outside_hours: frozenset[str] = frozenset(),
    ) -> Observations:
        """Return what a run of this job found, with the texts of the config."""
        return Observations(
            named=tuple(self.alert_policy.worded(problem) for problem in named),
            may_resolve=may_resolve,
            now=now,
            rules=self.alert_policy.rules,
            counts=counts,
            outside_hours=outside_hours,
        )

    def with_attempts(self, attempts: int | None) -> Task:
        """Return the task with another number of attempts; None: unchanged."""
        return self if attempts is None else replace(self, policy=replace(self.policy, attempts=attempts))


def tasks_of(config: Config) -> tuple[Task, ...]:
    """Return every job of every poller in the order of the file, then those of reports."""
    return tuple(task for name in config.sources for task in poller_tasks(config, name))


def poller_tasks(config: Config, poller: str) -> tuple[Task, ...]:
    """Return the jobs of a poller; none of one that is not configured."""
    source = config.sources.get(poller)
    if source is None:
        return ()
    effective = config.effective(poller)
    return tuple(
        Task(
            poller=poller,
            source=source,
            job=job,
            zone=effective.zone,
            policy=effective.policy,
            keep_days=effective.keep_days,
            alert_policy=effective.alert_policy,
        )
        for job in source.jobs()
    )


def duties_of(config: Config) -> Duties:
    """Return what the pollers do in the database of records."""
    pollers = config.settings.pollers.items()
    return {name: poller.duties for name, poller in pollers if poller.duties}
