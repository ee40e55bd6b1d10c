"""The lines that a round leaves in the log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from tallyd.contract.lags import StoreOutcome
from tallyd.contract.toolbox import Toolbox
from tallyd.pollers.servers.freshness import TROUBLES, Step, passed
from tallyd.pollers.servers.rounds.elsewhere import WorkersTrouble
from tallyd.pollers.servers.rounds.out_facts import log_fields
from tallyd.pollers.servers.rounds.target_memory import CHECK, TargetMemory
from tallyd.pollers.servers.targets.target import Target

log = logging.getLogger("tallyd")

OTHER_DATA = "target has other data"


def say_stored(outcome: StoreOutcome, memory: TargetMemory, tools: Toolbox) -> None:
    """Say that the database stores no checks, or stores them again."""
    fields = {"poller": tools.poller, "job": CHECK, "dropped": outcome.dropped}
    if outcome.trouble is None and memory.unstored_since is not None:
        log.warning("checks are stored again", extra=fields)
    elif outcome.trouble is not None and memory.unstored_since is None:
        fields |= {"waiting": outcome.waiting}
        log.warning(
            "checks cannot be stored, they wait in memory", extra={**fields, "reason": outcome.trouble}
        )


def log_steps(steps: Sequence[tuple[Target, Step]], memory: TargetMemory, tools: Toolbox) -> None:
    """Say what has changed, and from time to time what is still not fresh."""
    for target, step in steps:
        event = _event(target, step, memory)
        if event is None:
            continue
        fields = {"poller": tools.poller, "job": CHECK, **log_fields(target.name, step, tools.zone)}
        log.log(_level(event, step), event, extra=fields)


def _level(event: str, step: Step) -> int:
    """Return the level of a line. A new time is normal."""
    if event == OTHER_DATA:
        return logging.DEBUG
    return logging.WARNING if step.known.state in TROUBLES else logging.INFO


def say_left(count: int, memory: TargetMemory, tools: Toolbox) -> None:
    """Say that some targets could not be checked, or that all can again."""
    if memory.is_behind != bool(count):
        memory.is_behind = bool(count)
        event = "not all targets could be checked" if count else "all targets are checked again"
        fields = {"poller": tools.poller, "job": CHECK, "left": count}
        log.log(logging.WARNING if count else logging.INFO, event, extra=fields)


def say_workers(trouble: WorkersTrouble, memory: TargetMemory, tools: Toolbox) -> None:
    """Say what is wrong with the workers, or that nothing is any more."""
    if memory.workers_trouble == trouble.reason:
        return
    memory.workers_trouble = trouble.reason
    fields = {"poller": tools.poller, "job": CHECK}
    if trouble.reason:
        more = {"reason": trouble.reason, "left": trouble.left, "checked_here": trouble.own}
        log.warning("workers did not check all targets", extra={**fields, **more})
    else:
        log.info("workers check all targets again", extra=fields)


def _event(target: Target, step: Step, memory: TargetMemory) -> str | None:
    """Return the log event of a check; None: no line."""
    if step.is_change:
        return "target changed"
    if step.known.state != "fresh":
        before = memory.checked_at.get(target.name, step.result.at - timedelta(microseconds=1))
        if passed(step.known.since, before, step.result.at, target.remind_every_s):
            return "target still not fresh"
    return OTHER_DATA if step.is_new_time and target.is_logged else None
