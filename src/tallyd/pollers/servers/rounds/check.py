"""One check: the source of a target is asked, and each time that it says becomes a state."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future
from datetime import datetime, timedelta, tzinfo
from typing import Any

from tallyd.contract.toolbox import Toolbox
from tallyd.core.errors import SourceError
from tallyd.core.json_reply import Unreadable
from tallyd.core.language.messages import english
from tallyd.pollers.servers.computed_time import UnreadableTimeError, has_offset, read_time
from tallyd.pollers.servers.freshness import CheckResult, State, check_result_of, taken_off
from tallyd.pollers.servers.rounds.target_memory import MOST_ITEMS, TargetMemory
from tallyd.pollers.servers.sources.items import Items
from tallyd.pollers.servers.sources.source import Answer
from tallyd.pollers.servers.targets.target import Target


def begin(target: Target, tools: Toolbox) -> Future[Any]:
    """Ask the source of a target. Raises `Stopped`."""
    return target.source.begin(tools, target.timeout_s)


def results_of(
    target: Target, asked: Future[Any], *, now: datetime, zone: tzinfo, memory: TargetMemory
) -> dict[str, CheckResult]:
    """Return the result of a check that has ended, by the name of the target; also those of its items.

    `zone` is for times without one, if the target has no zone. Raises `Stopped`. Everything that the target
    does is a state.
    """
    failure = asked.exception()  # not raised: this frame, which has the future, would be in its traceback
    if isinstance(failure, SourceError):
        # With a 2xx status, the body is unusable.
        is_answered = failure.status is not None and 200 <= failure.status < 300
        state: State = "invalid" if is_answered else "unreachable"
        answered = str(failure.status or "")
        return {target.name: CheckResult(at=now, state=state, reason=failure.text, answered=answered)}
    reply = asked.result()
    answer = target.source.answer(reply)
    try:
        if target.each is None:
            value = target.source.value(reply)
            return {target.name: _evaluated(target, answer, value, zone=zone, memory=memory)}
        items = target.each.items_of(reply)
    except Unreadable as error:
        return {target.name: _invalid(answer, answer.unusable(str(error)))}
    values = [(target.item(name), value) for name, value in items.times.items()]
    followed = memory.note_items(target, [item.name for item, _ in values], answer.at)
    if len(followed) < len(values):
        most = f"{MOST_ITEMS:,}"
        items = Items(fault=english("with more than {most} items; are the names new each time?", most=most))
    found = {
        item.name: _evaluated(item, answer, value, zone=zone, memory=memory)
        for item, value in values
        if item.name in followed
    }
    return {target.name: _of_all(answer, items, found.values()), **found}


def _of_all(answer: Answer, items: Items, results: Collection[CheckResult]) -> CheckResult:
    """Return the result of a target with items: that of the newest, if nothing is wrong with the list."""
    dated = (each for each in results if each.computed_at)
    newest = max(dated, key=lambda each: each.computed_at or each.at, default=None)
    if items.fault or newest is None:
        missing = (
            english("with items, but none with a readable time") if results else english("without an item")
        )
        return _invalid(answer, answer.unusable(items.fault or missing))
    return newest


def _evaluated(
    target: Target, answer: Answer, value: object, *, zone: tzinfo, memory: TargetMemory
) -> CheckResult:
    """Return the result of an answer with this time, as of the moment when it was given."""
    if isinstance(value, Unreadable):
        return _invalid(answer, answer.unusable(str(value)))
    by_server = answer.at - timedelta(seconds=taken_off(answer.skew_s))
    try:
        computed_at = read_time(
            value, target.form, zone=target.zone or zone, now=by_server, stale_at=memory.stale_at(target.name)
        )
        is_guessed = target.zone is None and not has_offset(value, target.form)
    except UnreadableTimeError as error:
        return _invalid(answer, answer.misdated(target.source.named, str(error)))
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
