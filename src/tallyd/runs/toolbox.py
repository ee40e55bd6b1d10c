"""What a job gets for one run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from tallyd.config.jobs import Task
from tallyd.contract.http import Http
from tallyd.contract.inbox import Inbox
from tallyd.contract.reads import Reads
from tallyd.contract.records import Records
from tallyd.contract.reporter import Reporter
from tallyd.contract.toolbox import Toolbox
from tallyd.contract.workers import Workers
from tallyd.core.errors import SourceError
from tallyd.core.reading import Facts
from tallyd.retry import Retrying

log = logging.getLogger("tallyd")

ALIVE_EVERY_S = 60.0


class Resources(Protocol):
    """What a job may use besides HTTP: the database and inbox of its poller, and what belongs to others."""

    @property
    def keep_days(self) -> int:
        """How long passages are kept, in days. 0: they are never stored."""
        ...

    @property
    def reads(self) -> Reads:
        """Files and databases of others."""
        ...

    @property
    def reporter(self) -> Reporter | None:
        """What reports are made with; None: only pollers run."""
        ...

    def records(self, task: Task) -> Records | None:
        """Return the poller's records; None if it has none."""
        ...

    def inbox(self, task: Task) -> Inbox | None:
        """Return the poller's inbox; None if it reads no files."""
        ...

    def workers(self, task: Task) -> Workers | None:
        """Return the workers of the poller; None if it needs none."""
        ...


@dataclass
class Progress:
    """The progress of a run: the number of attempts so far, and the last sign of life (monotonic seconds)."""

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
    stop: threading.Event,
    progress: Progress,
    now: Callable[[], datetime],
    memory: Callable[[], Facts],
    resources: Resources | None = None,
) -> Toolbox:
    """Return what a job may use during one run. Without `resources`: HTTP only.

    Each failed attempt is logged before the wait for the next one.
    """

    def on_wait(tries: int, failure: SourceError, wait_s: float) -> None:
        progress.attempts = tries + 1
        progress.alive()
        fields = {"try": tries, "reason": failure.text, "next_try_in_s": round(wait_s, 1)}
        log.warning("try failed", extra={**job_fields(task), **fields})

    def wait(seconds: float) -> bool:
        """Wait, and report progress meanwhile. Return true if the shutdown ended the wait."""
        while seconds > 0 and not stop.wait(min(seconds, ALIVE_EVERY_S)):
            progress.alive()
            seconds -= ALIVE_EVERY_S
        return stop.is_set()

    tools = Toolbox(
        poller=task.poller,
        zone=task.zone,
        now=now,
        monotonic=progress.monotonic,
        stop=stop.is_set,
        alive=progress.alive,
        http=http,
        retry=Retrying(policy=task.policy, wait=wait, on_wait=on_wait, monotonic=progress.monotonic),
        memory=memory,
    )
    if resources is None:
        return tools
    return replace(
        tools,
        records=resources.records(task),
        inbox=resources.inbox(task),
        workers=resources.workers(task),
        reads=resources.reads,
        reporter=resources.reporter,
        keep_days=resources.keep_days,
    )


def job_fields(task: Task) -> dict[str, object]:
    """Return the log fields that name a job."""
    return {"poller": task.poller, "job": task.job.name}
