"""One round: check every target once, then store, log and report what has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from tallyd.contract.lags import HourCount, Hours, held, hour_of
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.daemon_alerts import executor_problem
from tallyd.core.naming import problem_key
from tallyd.core.reading import Problem, Reading, Slot
from tallyd.core.schedule.hours import any_held
from tallyd.pollers.servers.alert_kinds import VANISHED_FOR_S, problem_of, unstored, vanished_problem
from tallyd.pollers.servers.freshness import (
    CheckResult,
    State,
    Step,
    Trouble,
    follow,
    unseen,
)
from tallyd.pollers.servers.rounds.checking import check_all
from tallyd.pollers.servers.rounds.elsewhere import WorkersTrouble
from tallyd.pollers.servers.rounds.out_facts import facts_of, lag_row, summary_of
from tallyd.pollers.servers.rounds.round_log import log_steps, say_left, say_stored, say_workers
from tallyd.pollers.servers.rounds.target_memory import KEPT, TargetMemory, memory_of
from tallyd.pollers.servers.settings import ServersSettings
from tallyd.pollers.servers.targets.target import Target

_OF_ANSWERS: Final[frozenset[State]] = frozenset({"unreachable", "invalid"})
"""The only problems of a target with items. Each of those says itself how old its data is."""

Steps: TypeAlias = "list[tuple[Target, Step]]"


def round_of(settings: ServersSettings, slot: Slot, tools: Toolbox) -> tuple[Reading, ...]:
    """Check every target once and return the one reading. Raises `Stopped`.

    Targets that were not checked in time keep their state, and are the first in the next round. For a person
    who waits (`once`), all checks start at once, and leave no line in the log and no row in the database:
    those belong to the daemon's own rounds.
    """
    del slot
    tools.kept[KEPT] = memory = memory_of(tools.kept, tools.memory)
    have_left = memory.keep_only(settings.with_items(memory.known))
    checked = check_all(settings, tools, memory)
    reading = reading_of(settings, checked.results, memory, tools, have_left=have_left)
    if checked.trouble is None:
        return (reading,)
    say_workers(checked.trouble, memory, tools)
    return (replace(reading, executor=_executor_problems(checked.trouble, tools)),)


def reading_of(
    settings: ServersSettings,
    results: Mapping[str, CheckResult],
    memory: TargetMemory,
    tools: Toolbox,
    *,
    have_left: bool = False,
) -> Reading:
    """Return the reading of a round with these results, by target, after they are stored and logged.

    `have_left`: a target has left the config since the last round.
    """
    steps = _steps(settings, memory, results)
    missing = settings.with_items(memory.missing)
    forgotten = memory.forget_missing(missing, tools.now(), after_s=VANISHED_FOR_S)
    have_left = have_left or bool(forgotten)
    if not tools.is_by_hand:
        log_steps(steps, memory, tools)
        say_left(sum(target.name not in results for target in settings.checked), memory, tools)
    # A reload may have changed the interval: the time since the last round was that of either.
    hours = _hours(steps, memory, max(settings.every, memory.every_s))
    memory.every_s = settings.every
    memory.take([(target.name, step) for target, step in steps])
    taken_at = tools.now()
    stored = () if tools.is_by_hand else _store(steps, hours, memory, tools, now=taken_at)
    is_full = tools.is_by_hand or have_left or _is_due(memory.written_at, taken_at, settings.write_every)
    known = _with_those_left(settings, memory, steps)
    named = [(target.name, step) for target, step in known]
    written = named if is_full else [(name, step) for name, step in named if step.is_worth_a_file]
    is_written = is_full or bool(written)
    facts = facts_of(named, written, memory.tallies, tools.zone) if is_written else None
    is_partial = is_written and len(written) < len(named)
    latest = facts_of(named, named, memory.tallies, tools.zone) if is_partial else None
    if is_written:
        memory.begin_anew(taken_at, [name for name, _ in written])
    return Reading(
        taken_at=taken_at,
        facts=facts,
        latest=latest,
        problems=(*stored, *_problems(known, memory, tools)),
        outside_hours=frozenset(
            problem_key(tools.poller, *target.segments, trouble.state)
            for target, _, trouble in _troubles(known)
            if not _is_inside_hours(target, trouble, tools)
        ),
        forgotten=frozenset(problem_key(tools.poller, *name.split("/", 1)) for name in forgotten),
        memory=memory.to_store() if is_written or memory.has_unstored else None,
        skew_s=_skew(step.result for _, step in steps),
        summary=summary_of(named, tools.zone) if tools.is_by_hand else None,
    )


def _steps(settings: ServersSettings, memory: TargetMemory, results: Mapping[str, CheckResult]) -> Steps:
    return [
        (target, follow(memory.known.get(target.name), results[target.name]))
        for target in settings.with_items(results)
        if target.name in results
    ]


def _with_those_left(settings: ServersSettings, memory: TargetMemory, steps: Steps) -> Steps:
    """Return the steps in the order of the config, including the targets that were not checked."""
    found = {target.name: step for target, step in steps}
    known = memory.known
    return [
        (target, found.get(target.name) or unseen(known[target.name]))
        for target in settings.with_items(known)
        if target.name in known
    ]


def _executor_problems(trouble: WorkersTrouble, tools: Toolbox) -> tuple[Problem, ...]:
    """Return the problem of workers that did not do what they should, if there is one."""
    if not trouble.reason:
        return ()
    return (
        executor_problem(tools.poller, trouble.reason, left=trouble.left, own=trouble.own, since=tools.now()),
    )


def _is_due(written_at: datetime | None, now: datetime, every_s: float) -> bool:
    """Whether an instant of the grid has come since the last file; also after a clock was set back."""
    return written_at is None or now.timestamp() // every_s != written_at.timestamp() // every_s


def _skew(results: Iterable[CheckResult]) -> float | None:
    """Return the smallest difference of our clock: if one server agrees, our clock is not suspect."""
    return min((result.skew_s for result in results if result.skew_s is not None), key=abs, default=None)


def _problems(steps: Steps, memory: TargetMemory, tools: Toolbox) -> tuple[Problem, ...]:
    """Return the problems of targets. One that begins outside of the active hours waits for them."""
    now = tools.now()
    vanished = (
        vanished_problem(target, since, tools.poller, step.known.computed_at)
        for target, step in steps
        if target.is_notified and (since := target.missing_since(memory.missing, now))
    )
    return tuple(vanished) + tuple(
        problem_of(target, trouble, tools.poller, step.known.computed_at, tools.zone)
        for target, step, trouble in _troubles(steps)
        if _is_inside_hours(target, trouble, tools)
    )


def _troubles(steps: Steps) -> Iterator[tuple[Target, Step, Trouble]]:
    for target, step in steps:
        for trouble in step.known.troubles if target.is_notified else ():
            if target.each is None or trouble.state in _OF_ANSWERS:
                yield target, step, trouble


def _is_inside_hours(target: Target, trouble: Trouble, tools: Toolbox) -> bool:
    return not target.active or any_held(target.active, trouble.since, tools.now(), tools.zone)


# -- the database --------------------------------------------------------------------------------------------


def _store(
    steps: Steps, hours: Hours, memory: TargetMemory, tools: Toolbox, *, now: datetime
) -> tuple[Problem, ...]:
    """Store rows and hours; return the problem if the database does not store them."""
    if tools.records is None:
        return ()
    rows = [
        lag_row(target.name, step)
        for target, step in steps
        if tools.keep_days and target.is_recorded and step.is_new
    ]
    outcome = tools.records.note_checks(rows, hours)
    say_stored(outcome, memory, tools)
    if outcome.trouble is None:
        memory.unstored_since = None
        return ()
    since = memory.unstored_since = min(memory.unstored_since or now, now)
    problem = unstored(outcome, since=since, now=now, poller=tools.poller)
    return () if problem is None else (problem,)


def _hours(steps: Steps, memory: TargetMemory, every_s: float) -> Hours:
    """Return what this round adds to hours: its checks, and for how long the state before each of them held.

    A state holds for two rounds at most: after that nobody knows. Nor does this process know what an earlier
    one found, or for how long.
    """
    found: dict[tuple[str, str], HourCount] = {}
    for target, step in steps:
        at, lag_s = step.result.at, step.result.lag_s
        found[hour_of(at), target.name] = HourCount(1, None if lag_s is None else round(lag_s, 3))
        before = memory.checked_at.get(target.name)
        if step.was is None or before is None:
            continue
        until = min(at, before + timedelta(seconds=2 * every_s + target.timeout_s))
        since = memory.count(target.name, before, until)
        for hour, count in held(step.was, since, until):
            key = hour, target.name
            found[key] = found[key] + count if key in found else count
    return found
