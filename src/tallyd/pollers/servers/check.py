"""One check of one target: a GET request, the field of the reply, and the time in it."""

from __future__ import annotations

import re
from concurrent.futures import Future
from datetime import datetime, timedelta, tzinfo
from typing import Final

from tallyd.contract.http import Http, Reply, Request
from tallyd.core.errors import SourceError
from tallyd.core.json_reply import Unreadable, parse
from tallyd.core.texts import shortened, span, visible
from tallyd.pollers.servers.computed_time import UnreadableTimeError, has_offset, read_time
from tallyd.pollers.servers.freshness import CheckResult, check_result_of, taken_off
from tallyd.pollers.servers.target_settings import Target

# A cache in between would answer with old data, which is not the fault of the server.
_HEADERS: Final = {"Accept": "application/json, */*;q=0.5", "Cache-Control": "no-cache"}
_AGE: Final = re.compile(r"\d{1,9}", re.ASCII)
_MOST_SKEW_S: Final = 100 * 365 * 86400.0
"""A larger difference is not a clock: `Date` may say the year 9999, and calculations with it would fail."""
_MOST_BYTES: Final = 1024 * 1024
_MOST_VALUES: Final = 30_000
"""A limit, because many replies may arrive at the same time."""


def begin(target: Target, http: Http) -> Future[Reply]:
    """Ask a target. Its secrets are read now, and not kept. Raises `Stopped`."""
    headers = {**_HEADERS, **{name: value.reveal() for name, value in target.headers.items()}}
    return http.request(
        Request(
            url=target.url,
            headers=headers,
            timeout_s=target.timeout_s,
            ca_file=target.ca_file,
            max_bytes=_MOST_BYTES,
            is_one_of_many=True,
        )
    )


def result_of(
    target: Target, asked: Future[Reply], *, now: datetime, zone: tzinfo, stale_at: datetime | None
) -> CheckResult:
    """Return the result of a check that has ended; see `read_time` for `stale_at`.

    `zone` is for times without one, if the target has no zone. Raises `Stopped`. Everything that the target
    does is a state.
    """
    failure = asked.exception()  # not raised: this frame, which has the future, would be in its traceback
    if isinstance(failure, SourceError):
        # With a 2xx status, the body is unusable.
        is_answered = failure.status is not None and 200 <= failure.status < 300
        return CheckResult(at=now, state="invalid" if is_answered else "unreachable", reason=failure.text)
    return evaluated(target, asked.result(), zone=zone, stale_at=stale_at)


def evaluated(target: Target, reply: Reply, *, zone: tzinfo, stale_at: datetime | None) -> CheckResult:
    """Return the result of a reply, as of the moment when its headers had arrived."""
    now = reply.answered_at
    skew_s = skew_of(reply)
    said = f"{reply.status}, {_took(reply.elapsed_s)}"
    try:
        value = field_of(reply.body, target.path)
        by_server = now - timedelta(seconds=taken_off(skew_s))
        computed_at = read_time(
            value, target.form, zone=target.zone or zone, now=by_server, stale_at=stale_at
        )
        is_guessed = target.zone is None and not has_offset(value, target.form)
    except Unreadable as error:
        reason = f"{reply.host} answered HTTP {reply.status} {error}"
    except UnreadableTimeError as error:
        named = shortened(target.field, 80)
        reason = f"{reply.host} answered HTTP {reply.status}, but {named} {error}"
    else:
        return check_result_of(
            computed_at,
            now=now,
            skew_s=skew_s,
            limits=target.limits,
            answered=said,
            guessed_zone=str(zone) if is_guessed else "",
        )
    return CheckResult(at=now, state="invalid", skew_s=skew_s, reason=reason, answered=said)


def skew_of(reply: Reply) -> float | None:
    """Return how far our clock is ahead of the server's, without the age that a cache reports."""
    if reply.skew_s is None:
        return None
    age = reply.headers.get("age", "").strip()
    skew_s = reply.skew_s - (int(age) if _AGE.fullmatch(age) else 0)
    return skew_s if abs(skew_s) <= _MOST_SKEW_S else None


def _took(seconds: float) -> str:
    return f"{round(seconds * 1000)} ms" if seconds < 1 else span(seconds)


def field_of(body: bytes, path: tuple[str, ...]) -> object:
    """Return the value at a path into a JSON answer. Raises `Unreadable`."""
    value = parse(body, most_values=_MOST_VALUES)
    for number, segment in enumerate(path):
        if isinstance(value, dict) and segment in value:
            value = value[segment]
        elif isinstance(value, list) and segment.isdecimal() and int(segment) < len(value):
            value = value[int(segment)]
        else:
            raise Unreadable(f"without {visible('.'.join(path[: number + 1]))}")
    return value
