"""What a job is given for one run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from tallyd.config.jobs import Task
from tallyd.contract.http import Http
from tallyd.contract.inbox import Inbox
from tallyd.contract.records import Records
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.reading import Facts
from tallyd.retry import Retrying

log = logging.getLogger("tallyd")


ALIVE_EVERY_S = 60.0


class Stop(Protocol):
    """The shutdown, as a `threading.Event` offers it."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Resources(Protocol):
    """What jobs reach beside HTTP: the database and the inboxes of their pollers."""

    @property
    def keep_days(self) -> int:
        """How long passages are kept, in days; 0: they are not."""
        ...

    def records(self, task: Task) -> Records | None:
        """Return the poller's records, None where it keeps none."""
        ...

    def inbox(self, task: Task) -> Inbox | None:
        """Return the poller's inbox, None where it takes no files."""
        ...


class NoResources:
    """A `Resources` of pollers that need nothing beside HTTP."""

    keep_days = 90

    def records(self, task: Task) -> Records | None:
        del task
        return None

    def inbox(self, task: Task) -> Inbox | None:
        del task
        return None


Wake: TypeAlias = Callable[[str, str], None]
"""Has a job run once more, by poller and job."""


def wake_nothing(poller: str, job: str) -> None:
    """Wake nothing."""
    del poller, job


@dataclass
class Progress:
    """What a run shows while it goes on: how many tries, and when it last moved (monotonic seconds)."""

    monotonic: Callable[[], float]
    began_at: datetime
    alive_s: float = field(init=False)
    attempts: int = 1

    def __post_init__(self) -> None:
        self.alive_s = self.monotonic()

    def alive(self) -> None:
        self.alive_s = self.monotonic()


def toolbox(
    task: Task,
    *,
    http: Http,
    stop: Stop,
    progress: Progress,
    now: Callable[[], datetime],
    memory: Facts,
    resources: Resources | None = None,
    wake: Wake = wake_nothing,
) -> Toolbox:
    """Return what a job may touch during one run. Each try that fails is logged before its wait."""

    def on_wait(tries: int, failure: SourceError, wait_s: float) -> None:
        progress.attempts = tries + 1
        progress.alive()
        fields = {"try": tries, "reason": failure.text, "next_try_in_s": round(wait_s, 1)}
        log.warning("try failed", extra={**whose(task), **fields})

    def wait(seconds: float) -> bool:
        """Wait as long as is asked, showing that the run is alive; true when the shutdown cut it short."""
        while seconds > 0 and not stop.wait(min(seconds, ALIVE_EVERY_S)):
            progress.alive()
            seconds -= ALIVE_EVERY_S
        return stop.is_set()

    resources = resources or NoResources()
    return Toolbox(
        poller=task.poller,
        zone=task.zone,
        now=now,
        stop=stop.is_set,
        alive=progress.alive,
        http=http,
        retry=Retrying(policy=task.policy, wait=wait, on_wait=on_wait, monotonic=progress.monotonic),
        memory=memory,
        records=resources.records(task),
        inbox=resources.inbox(task),
        keep_days=resources.keep_days,
        wake=lambda: wake(*task.name),
    )


def whose(task: Task) -> dict[str, object]:
    """Return the fields of a log line about a job."""
    return {"poller": task.poller, "job": task.job.name}
