"""Files and databases of others, as a poller asks them how new they are."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class NewestFile:
    """The newest of the files that match a pattern. `modified_at` None: there is none; `failure` says why."""

    read_at: datetime
    modified_at: datetime | None
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class QueryResult:
    """The first two rows that a query returned. `failure`: why the database returned none.

    `place` names the database for messages, without a secret.
    """

    place: str
    read_at: datetime
    elapsed_s: float
    rows: tuple[tuple[object, ...], ...] = ()
    failure: str = ""


class Reads(Protocol):
    """Reads with a deadline; an error has no URL, no value and no secret. Both raise `Stopped`.

    A future has its answer, a `SourceError` or `Stopped`. The same read is under way once: who asks for it
    meanwhile gets the same answer.
    """

    def newest_file(self, pattern: str, *, timeout_s: float) -> Future[NewestFile]:
        """Begin to look for the newest file that matches an absolute path with `*`, `?`, `[...]` or `**`."""
        ...

    def query(self, url: str, query: str, *, timeout_s: float) -> Future[QueryResult]:
        """Begin a query in a read-only transaction of its own."""
        ...
