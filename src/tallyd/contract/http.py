"""HTTP as a poller sees it: a request, its answer, and how it is repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to ask of a host.

    `timeout_s` is for all of it, `max_bytes` for the unpacked body; None: the limits of the client.
    Certificates are checked against `ca_file` alone, by default against those that this machine trusts.
    `client_cert` is a file with our own certificate and its key, for servers that ask for one.
    `is_sent_once`: no redirect, no second try after a hang-up. `is_one_of_many`: its name lookup may wait for
    those of other such requests.
    """

    url: str
    method: Literal["GET", "HEAD", "POST"] = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout_s: float | None = None
    max_bytes: int | None = None
    ca_file: Path | None = None
    client_cert: Path | None = None
    is_sent_once: bool = False
    is_one_of_many: bool = False


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
    """HTTP with a total deadline. No error contains the URL or a secret."""

    def request(self, request: Request) -> Future[Reply]:
        """Begin a request, and return at once. Raises `Stopped`.

        The future has the reply if its status is 2xx, except 206 (a partial reply). Else it has a
        `SourceError`, or `Stopped`. If the body is too large, or cannot be unpacked, the error has the status
        of the reply.
        """
        ...


class Retry(Protocol):
    """Call `attempt` until it returns, fails for good, or the policy allows no more tries (`retry.py`)."""

    def __call__(self, attempt: Callable[[], T]) -> T: ...
