"""A server that is asked over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from tallyd.contract.http import Reply, Request
from tallyd.contract.workers import WorkTools
from tallyd.core.language.messages import english
from tallyd.pollers.servers.sources.extraction import Extraction
from tallyd.pollers.servers.sources.source import Answer
from tallyd.settings.secrets import Secret
from tallyd.settings.urls import other_host

# A cache in between would answer with old data, which is not the fault of the server.
_HEADERS: Final = {"Accept": "application/json, */*;q=0.5", "Cache-Control": "no-cache"}
_AGE: Final = re.compile(r"\d{1,9}", re.ASCII)
_MOST_SKEW_S: Final = 100 * 365 * 86400.0
"""A larger difference is not a clock: `Date` may say the year 9999, and calculations with it would fail."""
_MOST_BYTES: Final = 1024 * 1024
"""A limit, because many replies may arrive at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSource:
    """A request to a server, and where the time is in its reply; implements `Source`."""

    url: str
    method: Literal["GET", "HEAD", "POST"]
    headers: Mapping[str, Secret]
    body: bytes | None
    ca_file: Path | None
    client_cert: Path | None
    extraction: Extraction

    @property
    def address(self) -> str:
        """The URL without its query: the name of a parameter does not always tell that it is a secret."""
        return urlsplit(self.url)._replace(query="").geturl()

    @property
    def host(self) -> str:
        """The host in the URL; empty if it is this machine."""
        return other_host(self.url)

    @property
    def secrets(self) -> Iterable[Secret]:
        """The values of its headers."""
        return self.headers.values()

    @property
    def named(self) -> str:
        """What holds the time."""
        return self.extraction.named

    def begin(self, tools: WorkTools, timeout_s: float) -> Future[Reply]:
        """Ask the server. Raises `Stopped`, and `SecretMissing`."""
        headers = {name: value.reveal(tools.read_secret) for name, value in self.headers.items()}
        return tools.http.request(
            Request(
                url=self.url,
                method=self.method,
                headers={**_HEADERS, **headers},
                body=self.body,
                timeout_s=timeout_s,
                max_bytes=_MOST_BYTES,
                ca_file=self.ca_file,
                client_cert=self.client_cert,
                is_one_of_many=True,
            )
        )

    def answer(self, reply: Reply) -> Answer:
        """Return who answered, when its headers had arrived, and what its clock said."""
        return Answer(
            at=reply.answered_at,
            place=reply.host,
            status=str(reply.status),
            said=_said(reply),
            skew_s=skew_of(reply),
        )

    def value(self, reply: Reply) -> object:
        """Return the time as the reply writes it. Raises `Unreadable`."""
        return self.extraction.value(reply)


def _said(reply: Reply) -> str:
    """Return `200, 41 ms`."""
    # Without numbers, this message would have the form of any list.
    took_s = reply.elapsed_s
    if took_s < 1:
        return english("{status}, {amount:# ms}", status=reply.status, amount=round(took_s * 1000))
    seconds = int(took_s * 10) / 10 if took_s < 10 else int(took_s)
    return english("{status}, {amount:# s}", status=reply.status, amount=format(seconds, "g"))


def skew_of(reply: Reply) -> float | None:
    """Return how far our clock is ahead of the server's, without the age that a cache reports."""
    if reply.skew_s is None:
        return None
    age = reply.headers.get("age", "").strip()
    skew_s = reply.skew_s - (int(age) if _AGE.fullmatch(age) else 0)
    return skew_s if abs(skew_s) <= _MOST_SKEW_S else None
