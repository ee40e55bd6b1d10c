"""HTTP as a poller sees it: a request, its answer, and how it is repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A whole HTTP reply, read completely and within its limits.

    `headers`: by name in lower case. `body` is unpacked (gzip and the like) but not parsed. `answered_at`:
    when its headers had arrived, by our clock. `skew_s`: by how many seconds our clock is ahead of the
    server's, at least: its `Date` header was set some time between the request and `answered_at`. None
    without a readable one. `elapsed_s`: from the call to the last byte. `host`: `name` or `name:port`, for
    messages.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str
    answered_at: datetime
    skew_s: float | None
    elapsed_s: float


class Http(Protocol):
    """GET and POST with a total deadline; raises `SourceError` without URL or secret, `Stopped`."""

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Return the reply if its status is 2xx, except 206 (a partial reply). Else raise `SourceError`.

        If the body is too large, or cannot be unpacked, the error has the status of the reply.
        """
        ...

    def begin_get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        ca_file: Path | None = None,
        max_bytes: int | None = None,
    ) -> Future[Reply]:
        """Begin what `get` does, and return at once; the future has its result. Raises `Stopped`.

        Certificates are checked against `ca_file` alone, by default against those that this machine trusts.
        At most `max_bytes` of a body are read.
        """
        ...

    def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send a body; otherwise like `get`. It is sent once: no redirect, no second try."""
        ...


class Retry(Protocol):
    """Call `attempt` until it returns, fails for good, or the policy allows no more tries (`retry.py`)."""

    def __call__(self, attempt: Callable[[], T]) -> T: ...
