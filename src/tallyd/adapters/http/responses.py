"""The meaning of an answer's status and headers: success, refusal, redirect, waiting time, date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from tallyd.core.addresses import host_of, origin_of
from tallyd.core.errors import SourceError
from tallyd.core.language.messages import english
from tallyd.core.texts import shortened

_PARTIAL = 206
_PASSING = frozenset({408, 425, 429})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_ASKED_S = 366 * 86400.0
"""A longer wait than a year is a mistake, and limiting it avoids dates that can't be computed."""
_SECONDS = re.compile(r"[+-]?[0-9]+")


def is_whole(status: int) -> bool:
    """Whether a status means a complete answer: 2xx except 206, a part, which we never ask for."""
    return 200 <= status < 300 and status != _PARTIAL


def refusal(status: int, headers: Mapping[str, str], *, host: str, now: datetime) -> SourceError:
    """Return the failure for a status that is not whole.

    408, 425, 429 and 5xx are transient and may have a `Retry-After`.
    """
    if status == _PARTIAL:
        text = english("{host} sent only a part of its answer (HTTP {status})", host=host, status=status)
        return SourceError(text, transient=True, status=status)
    if status in (401, 403):
        text = english("{host}: access refused (HTTP {status})", host=host, status=status)
        return SourceError(text, transient=False, status=status)
    if status == 407:
        text = english("{host}: the proxy refused access (HTTP 407)", host=host)
        return SourceError(text, transient=False, status=status)
    transient = status in _PASSING or status >= 500
    return SourceError(
        english("{host} answered HTTP {status}", host=host, status=status),
        transient=transient,
        retry_after_s=retry_after_s(headers, now=now) if transient else None,
        status=status,
    )


def retry_after_s(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return how many seconds the answer asks us to wait; None without a readable `Retry-After`.

    The header is a number of seconds or a date. The wait until a date counts from the answer's own `Date`,
    since both come from the same clock; without one it counts from `now`. The result is between 0 and a year.
    """
    written = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(written):
        asked_s = float(written)
    elif until := parse_date(written):
        asked_s = (until - (parse_date(headers.get("date")) or now)).total_seconds()
    else:
        return None
    return min(max(asked_s, 0.0), _MOST_ASKED_S)


def parse_date(written: str | None) -> datetime | None:
    """Return the instant of an HTTP date, aware, UTC; None for anything else. Without a zone it is UTC."""
    try:
        found = parsedate_to_datetime(written or "")
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None  # an answer without a readable date is still an answer


def skew_s(asked_at: datetime, answered_at: datetime, date: datetime | None) -> float | None:
    """Return by how many seconds our clock is ahead of the server's, at least; below 0: behind.

    `date` is when the server says that it answered. That was some time between `asked_at` and `answered_at`:
    perhaps it was thinking until then. So a date between the two is 0. None without a date.
    """
    if date is None:
        return None
    nearest = min(max(date, asked_at), answered_at)
    return (nearest - date).total_seconds()


def redirect_of(status: int, headers: Mapping[str, str]) -> str | None:
    """Return the target of a redirect as written; None if the answer is none."""
    return headers.get("location") if status in _REDIRECTS else None


def moved(status: int, *, host: str) -> SourceError:
    """Return the failure of a POST whose answer is a redirect."""
    text = english(
        "{host} redirects (HTTP {status}), which is not followed with a report; set the new address",
        host=host,
        status=status,
    )
    return SourceError(text, transient=False, status=status)


def followed(url: str, location: str, *, host: str) -> str:
    """Return the absolute URL of a redirect that may be followed. Otherwise raise `SourceError`.

    Scheme, host and port must stay the same, because key and headers go along. From http to https on the same
    host is allowed too, to the same port or to 443: on another port may be somebody else's server. The error
    names only the host of the target.
    """
    try:
        target = urljoin(url, _as_utf8(location))
        before, after = origin_of(url), origin_of(target)
        named = shortened(host_of(target), 80)
    except ValueError:
        text = english("{host} redirects to an address that can't be read", host=host)
        raise SourceError(text, transient=False) from None
    upgraded = before[0] == "http" and after in {("https", before[1], port) for port in (443, before[2])}
    if "@" not in urlsplit(target).netloc and (before == after or upgraded):
        return target
    if before[:2] == ("https", after[1]) and after[0] == "http":
        text = english("{host} redirects from https to http, which is not followed", host=host)
        raise SourceError(text, transient=False)
    text = english(
        "{host} redirects to {other}, which is not followed; if that is right, set the new address",
        host=host,
        other=named,
    )
    raise SourceError(text, transient=False)


def _as_utf8(header: str) -> str:
    """Decode a header as UTF-8 if possible. `Answer` decodes every header as Latin-1."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header
