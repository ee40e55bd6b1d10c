"""One check of one target: its source is asked, and the time that it says becomes a state."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime, timedelta, tzinfo
from typing import Any

from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.json_reply import Unreadable
from tallyd.pollers.servers.computed_time import UnreadableTimeError, has_offset, read_time
from tallyd.pollers.servers.freshness import CheckResult, check_result_of, taken_off
from tallyd.pollers.servers.sources.source import Answer
from tallyd.pollers.servers.target_settings import Target


def begin(target: Target, tools: Toolbox) -> Future[Any]:
    """Ask the source of a target. Raises `Stopped`."""
    return target.source.begin(tools, target.timeout_s)


def result_of(
    target: Target, asked: Future[Any], *, now: datetime, zone: tzinfo, stale_at: datetime | None
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
    reply = asked.result()
    answer = target.source.answer(reply)
    try:
        value = target.source.value(reply)
    except Unreadable as error:
        return _invalid(answer, f"{answer.whence} {error}")
    return evaluated(target, answer, value, zone=zone, stale_at=stale_at)


def evaluated(
    target: Target, answer: Answer, value: object, *, zone: tzinfo, stale_at: datetime | None
) -> CheckResult:
    """Return the result of an answer with this time, as of the moment when it was given."""
    by_server = answer.at - timedelta(seconds=taken_off(answer.skew_s))
    try:
        computed_at = read_time(
            value, target.form, zone=target.zone or zone, now=by_server, stale_at=stale_at
        )
        is_guessed = target.zone is None and not has_offset(value, target.form)
    except UnreadableTimeError as error:
        return _invalid(answer, f"{answer.whence}, but {target.source.named} {error}")
    return check_result_of(
        computed_at,
        now=answer.at,
        skew_s=answer.skew_s,
        limits=target.limits_at(answer.at, zone),
        answered=answer.said,
        guessed_zone=str(zone) if is_guessed else "",
    )


def _invalid(answer: Answer, reason: str) -> CheckResult:
    return CheckResult(
        at=answer.at, state="invalid", skew_s=answer.skew_s, reason=reason, answered=answer.said
    )
