"""HTTP as a poller sees it: a request, its answer, and how it is repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A whole HTTP reply, read completely and within its limits.

    `body` is unpacked (gzip and the like) but not parsed. `skew_s`: our clock minus the `Date` header in
    seconds, None without a readable one. `elapsed_s`: from the call to the last byte. `host`: `name` or
    `name:port`, for messages.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str
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
        ca_file: Path | None = None,
        max_bytes: int | None = None,
    ) -> Reply:
        """Return the reply if its status is 2xx, except 206 (a partial reply). Else raise `SourceError`.

        Certificates are checked against `ca_file` alone, by default against those that this machine trusts.
        At most `max_bytes` of a body are read. If a body is larger, or cannot be unpacked, the error has the
        status of the reply.
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
