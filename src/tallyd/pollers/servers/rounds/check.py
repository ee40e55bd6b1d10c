"""One check: what is known of a target before it is asked, and each time that it said becomes a state."""

from __future__ import annotations

from collections.abc import Collection
from datetime import tzinfo

from tallyd.core.language.messages import english
from tallyd.pollers.servers.freshness import CheckResult, check_result_of
from tallyd.pollers.servers.rounds.asking import Ask, Dated, Found
from tallyd.pollers.servers.rounds.target_memory import MOST_ITEMS, TargetMemory
from tallyd.pollers.servers.sources.source import Answer
from tallyd.pollers.servers.targets.target import Target


def ask_of(target: Target, *, zone: tzinfo, memory: TargetMemory) -> Ask:
    """Return what to ask of a target. `zone` is for times without one, if the target has no zone."""
    return Ask(
        name=target.name,
        source=target.source,
        each=target.each,
        form=target.form,
        zone=target.zone or zone,
        is_guessed=target.zone is None,
        timeout_s=target.timeout_s,
        stale_at=memory.stale_at(target),
    )


def results_of(target: Target, found: Found, *, zone: tzinfo, memory: TargetMemory) -> dict[str, CheckResult]:
    """Return the result of a check by the name of the target; also those of its items.

    `zone` is that of the poller.
    """
    answer = found.answer
    if answer is None:
        return {
            target.name: CheckResult(
                at=found.at, state=found.state, reason=found.failure, answered=found.status
            )
        }
    if found.failure:
        return {target.name: _invalid(answer, found.failure)}
    if target.each is None:
        return {target.name: _result(target, answer, found.times[""], zone)}
    items = {name: target.item(name) for name in found.times}
    followed = memory.note_items(target, [item.name for item in items.values()], answer.at)
    fault = found.fault
    if len(followed) < len(items):
        most = f"{MOST_ITEMS:,}"
        fault = english("with more than {most} items; are the names new each time?", most=most)
    results = {
        item.name: _result(item, answer, found.times[name], zone)
        for name, item in items.items()
        if item.name in followed
    }
    return {target.name: _of_all(answer, fault, results.values()), **results}


def _of_all(answer: Answer, fault: str, results: Collection[CheckResult]) -> CheckResult:
    """Return the result of a target with items: that of the newest, if nothing is wrong with the list."""
    dated = (each for each in results if each.computed_at)
    newest = max(dated, key=lambda each: each.computed_at or each.at, default=None)
    if fault or newest is None:
        missing = (
            english("with items, but none with a readable time") if results else english("without an item")
        )
        return _invalid(answer, answer.unusable(fault or missing))
    return newest


def _result(target: Target, answer: Answer, dated: Dated, zone: tzinfo) -> CheckResult:
    """Return the result of an answer with this time, as of the moment when it was given."""
    if dated.computed_at is None:
        return _invalid(answer, dated.flaw)
    return check_result_of(
        dated.computed_at,
        now=answer.at,
        skew_s=answer.skew_s,
        limits=target.limits_at(answer.at, zone),
        answered=answer.said,
        guessed_zone=dated.guessed_zone,
    )


def _invalid(answer: Answer, reason: str) -> CheckResult:
    return CheckResult(
        at=answer.at, state="invalid", skew_s=answer.skew_s, reason=reason, answered=answer.said
    )
