"""Work that may run in another process, on this machine or on another one: values in, values out."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeAlias, TypeVar

from tallyd.contract.http import Http
from tallyd.contract.reads import Reads
from tallyd.settings.secrets import ReadSecret, Secret

G = TypeVar("G")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, kw_only=True)
class WorkTools:
    """Everything that such work may use, wherever it runs.

    `now()` is aware, UTC; `monotonic()` counts seconds. `stop()` is true after the shutdown began. `reads`
    are files and databases of others; None: only HTTP is at hand. `read_secret` reads a secret that came as a
    reference; it raises `SecretMissing`. None: all secrets have been read.
    """

    now: Callable[[], datetime]
    stop: Callable[[], bool]
    http: Http
    reads: Reads | None = None
    read_secret: ReadSecret | None = None
    monotonic: Callable[[], float] = time.monotonic

    @property
    def needed_reads(self) -> Reads:
        """The files and databases of others, for work that needs them."""
        if self.reads is None:
            raise AssertionError("work that reads files or databases gets `reads`")
        return self.reads


Work: TypeAlias = Callable[[G, WorkTools], R]
"""A function of a module, by whose name a worker finds it. What it takes and returns can be pickled."""


@dataclass(frozen=True)
class HttpOptions:
    """How a worker sends requests."""

    user_agent: str
    timeout_s: float
    proxy: Secret | None


class SecretMissing(Exception):  # noqa: N818 # named after the finding
    """A worker cannot read a secret that it was sent a reference to. The text says why, without a value."""


class WorkersError(Exception):
    """Workers did not do some work. `text` says why."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, kw_only=True)
class Done(Generic[R_co]):
    """What some work returned. `worker` names who did it, `version` is that of its tallyd.

    `ahead_s` is how far the worker's clock is ahead of ours, at least; 0 if they may agree.
    """

    result: R_co
    worker: str
    version: str
    ahead_s: float = 0.0


class Workers(Protocol):
    """Other processes that do work. Any number of threads.

    `is_elsewhere`: they may be on other machines.
    """

    @property
    def is_elsewhere(self) -> bool: ...

    def places(self) -> int:
        """Return how many pieces of work can run at the same time. Raises `WorkersError` if none can."""
        ...

    def begin(self, work: Work[G, R], given: G) -> Future[Done[R]]:
        """Begin some work. The future has what it returned, or a `WorkersError`."""
        ...

    def give_up(self) -> None:
        """Forget the work that has not ended: its futures never end. The next work finds new workers."""
        ...
