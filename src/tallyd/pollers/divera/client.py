"""The requests to Divera: address, parameters, and the text of a failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from tallyd.contract.http import Request
from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.json_reply import Unreadable
from tallyd.core.language.messages import english
from tallyd.settings.secrets import Secret

T = TypeVar("T")

USERS_URL = "https://app.divera247.com/api/users"
PULL_URL = "https://app.divera247.com/api/v2/pull/all"
USERS_PATH = "/api/users"
_PULL_PATH = "/api/v2/pull/all"
_BLOCKS = ("user", "alarm", "news", "event", "status", "statusplan", "localmonitor")
"""Blocks of pull/all that tallyd never needs. `ts_BLOCK=now` asks for changes since now, so they are empty.

tallyd never sends `ts_monitor`, because it would suppress the counts."""
_REFUSED = (401, 403)


@dataclass(frozen=True)
class Answer(Generic[T]):
    """The value of a reply, and how far our clock is ahead of its `Date` (seconds, or None)."""

    value: T
    skew_s: float | None


def is_users_url(url: str) -> bool:
    """Whether a URL is the address of /api/users, below any path."""
    return urlsplit(url).path.rstrip("/").endswith(USERS_PATH)


def is_pull_url(url: str) -> bool:
    """Whether a URL is the address of /api/v2/pull/all, below any path."""
    return urlsplit(url).path.rstrip("/").endswith(_PULL_PATH)


def pull_url_of(users_url: str) -> str:
    """Return the address of pull/all beside a URL for which `is_users_url`."""
    parts = urlsplit(users_url)
    return parts._replace(path=parts.path.rstrip("/").removesuffix(USERS_PATH) + _PULL_PATH).geturl()


def pull_params(now: datetime, *, cluster: bool) -> dict[str, str]:
    """Return the parameters that keep pull/all small.

    `cluster`: also ask for the unit's own data. It has the names of the statuses, and those of all people.
    """
    blocks = _BLOCKS if cluster else (*_BLOCKS, "cluster")
    return {f"ts_{block}": str(int(now.timestamp())) for block in blocks}


def ask(
    tools: Toolbox, url: str, key: Secret, params: Mapping[str, str], *, read: Callable[[bytes], T]
) -> Answer[T]:
    """Send one request and return what `read` makes of the reply. Raises `SourceError`.

    It raises the error here, where no variable holds the reply: a traceback keeps the variables of every
    function that it passed, and a reply is full of names.
    """
    outcome = _outcome(tools, url, {"accesskey": key.reveal(), **params}, read)
    if isinstance(outcome, SourceError):
        raise outcome
    return outcome


def _outcome(
    tools: Toolbox, url: str, params: Mapping[str, str], read: Callable[[bytes], T]
) -> Answer[T] | SourceError:
    try:
        reply = tools.http.request(Request(url=url, params=params)).result()
    except SourceError as failure:
        return _named(failure, url)
    try:
        return Answer(read(reply.body), reply.skew_s)
    except Unreadable as unreadable:
        text = english(
            "{host} answered HTTP {status} {flaw}",
            host=reply.host,
            status=str(reply.status),
            flaw=str(unreadable),
        )
        # Always worth another try: an unfinished deployment or an error page looks like this too.
        return SourceError(text, transient=True)


def _named(failure: SourceError, url: str) -> SourceError:
    """Return a clearer error for a refused key, which says who has the right one; others are unchanged.

    /api/users takes only the key of a system user. pull/all takes the key of any user, but not everyone may
    see a monitor.
    """
    if failure.status not in _REFUSED:
        return failure
    status = str(failure.status)
    if is_pull_url(url):
        text = english(
            "access key refused (HTTP {status}); it must belong to a monitor user or a person of the unit",
            status=status,
        )
    else:
        text = english(
            "access key refused (HTTP {status}); it must belong to a system user of the unit", status=status
        )
    return SourceError(text, transient=False, status=failure.status)
