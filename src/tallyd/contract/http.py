from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A whole HTTP answer, already read and bounded.

    `body` is decoded (gzip and the like) but not parsed. `skew_s`: our clock minus the `Date` header in
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
        """Return the answer if its status is 2xx but 206 (a part of an answer), else raise `SourceError`.

        Certificates are verified against `ca_file` alone, by default against what this machine trusts. Of a
        body at most `max_bytes` are read; for one that is larger, or can't be unpacked, the error has the
        status of the answer.
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
        """Send a body; else as `get`. Sent once: no redirect is followed, and nothing is sent again."""
        ...


class Retry(Protocol):
    """Call `attempt` until it returns, fails for good, or the policy is used up (see `retry.py`)."""

    def __call__(self, attempt: Callable[[], T]) -> T: ...
