"""The problems of the inbox after a look: a function of what was seen, of the memory, and of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from tallyd.contract.inbox import Look
from tallyd.contract.passages import LedgerRow
from tallyd.core.reading import Problem
from tallyd.core.texts import shortened
from tallyd.pollers.visitors.alerts.alert_kinds import (
    DATABASE,
    EVALUATES,
    INBOX,
    INBOX_GONE,
    NO_FILES,
    UNREACHABLE,
    UNREADABLE,
)
from tallyd.pollers.visitors.alerts.memory import MOST_SOURCES, Quiet, Remembered, Trouble
from tallyd.pollers.visitors.alerts.rejections import agreed, grown, rejected, still
from tallyd.pollers.visitors.alerts.silence import active_since
from tallyd.pollers.visitors.alerts.silent_sources import (
    heard,
    label_of,
    no_files,
    quiet_now,
    subjects_of_silence,
)
from tallyd.pollers.visitors.ingest.sweep_counts import Tally
from tallyd.pollers.visitors.settings import VisitorsSettings

STANDS_S = 10.0
"""Shorter problems of the inbox are ignored: a remount, or a file that is just being moved."""
DATABASE_STANDS_S = 60.0
_LONGEST_REASON = 300


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run saw. `looked_at` is when it looked, `now` when it had ingested what it could.

    `ledger` has the newest rejected files; None if the run did not read the ledger.
    """

    poller: str
    zone: tzinfo
    looked_at: datetime
    now: datetime
    look: Look
    tally: Tally
    ledger: tuple[LedgerRow, ...] | None = None


@dataclass(frozen=True)
class Evaluated:
    """The problems, the new memory, and which kinds of problems could be evaluated."""

    problems: tuple[Problem, ...]
    memory: Remembered
    evaluates: frozenset[str]


def evaluate(run: Run, known: Remembered, settings: VisitorsSettings) -> Evaluated:
    """Evaluate a run. Silence counts until the time of the look, because more files arrive during the run."""
    memory = _updated(run, known, settings)
    evaluates = EVALUATES
    if run.look.state != "here":
        evaluates -= {UNREADABLE.what}
    quiet = _quiet(run, known, memory, settings)
    if quiet is None:
        evaluates -= {NO_FILES.what}
        stays = {subject: each for subject, each in known.quiet.items() if subject in memory.watched}
        memory = replace(memory, quiet=stays)
    else:
        memory = replace(memory, quiet=quiet)
    problems = (
        *_gone(run, memory, settings),
        *_unreadable(run, memory),
        *_unreachable(run, memory),
        *_rejected(run, memory, settings),
        *no_files(quiet or {}, settings, poller=run.poller),
    )
    return Evaluated(problems, memory, evaluates)


def _quiet(
    run: Run, known: Remembered, memory: Remembered, settings: VisitorsSettings
) -> dict[str, Quiet] | None:
    """Return the sources that are quiet; None if that cannot or must not be evaluated now."""
    wanted = settings.no_files
    if wanted is None:
        return {}
    active = active_since((each.hours for each in wanted.active), run.looked_at, run.zone)
    if active is None or memory.unseen_since is not None:
        return None
    begins = {
        subject: max(since, active, memory.back_at or since) for subject, since in memory.watched.items()
    }
    files = heard(memory, known, run.look.arrivals, settings)
    return quiet_now(known.quiet, files, begins, now=run.looked_at, after_s=wanted.after)


# ---- the memory --------------------------------------------------------------------------------------------


def _updated(run: Run, known: Remembered, settings: VisitorsSettings) -> Remembered:
    is_seen = run.look.state == "here" and not run.look.is_blind
    # A short interruption is not a problem, so it does not restart the time of silence either.
    came_back = is_seen and _stands(known.unseen_since, run.looked_at, STANDS_S)
    levels = grown(known.rejected, run.tally.sources, now=run.now)
    if run.ledger is not None:
        levels = agreed(levels, run.ledger, asked_at=known.ledger_at, now=run.now)
    return replace(
        known,
        ledger_at=known.ledger_at if run.ledger is None else run.now,
        watched={each: known.watched.get(each, run.looked_at) for each in subjects_of_silence(settings)},
        arrivals=_arrivals(run, known, settings),
        unseen_since=None if is_seen else known.unseen_since or run.looked_at,
        back_at=run.looked_at if came_back else known.back_at,
        unreadable_since=_unreadable_since(run, known),
        database=_database(run, known),
        rejected=still(levels, now=run.now),
    )


def _arrivals(run: Run, known: Remembered, settings: VisitorsSettings) -> Mapping[str, datetime]:
    found = dict(known.arrivals)
    for source, at in run.look.arrivals.items():
        came_at = min(at, run.looked_at)
        found[source] = max(came_at, found.get(source, came_at))
    if len(found) > MOST_SOURCES:
        newest = sorted(found, key=lambda source: (source in settings.sources, found[source]), reverse=True)
        found = {source: found[source] for source in newest[:MOST_SOURCES]}
    return found


def _unreadable_since(run: Run, known: Remembered) -> datetime | None:
    if run.look.state != "here":
        return known.unreadable_since
    # After a restart, a file has no known problem until it was tried again.
    is_still = known.unreadable_since is not None and bool(run.tally.failed)
    if run.look.untakable or is_still:
        return known.unreadable_since or run.looked_at
    return None


def _database(run: Run, known: Remembered) -> Trouble | None:
    if run.tally.database is None:
        return None
    return Trouble(known.database.since if known.database else run.now, run.tally.database)


# ---- the problems ------------------------------------------------------------------------------------------


def _gone(run: Run, memory: Remembered, settings: VisitorsSettings) -> Iterable[Problem]:
    if run.look.state == "here" or not _stands(memory.unseen_since, run.looked_at, STANDS_S):
        return
    since = memory.unseen_since or run.looked_at
    fault = {"unmounted" if run.look.state == "unmounted" else "gone": settings.inbox}
    yield INBOX_GONE.problem(run.poller, INBOX, since=since, poller=run.poller, **fault)


def _unreadable(run: Run, memory: Remembered) -> Iterable[Problem]:
    found = run.look.untakable or run.tally.failed
    if run.look.state != "here" or not found:
        return
    if not _stands(memory.unreadable_since, run.looked_at, STANDS_S):
        return
    since = memory.unreadable_since or run.looked_at
    name = min(found)
    yield UNREADABLE.problem(
        run.poller,
        INBOX,
        since=since,
        poller=run.poller,
        files=len(found),
        name=name,
        reason=shortened(found[name].removeprefix(f"{name}: ").rstrip("."), _LONGEST_REASON),
    )


def _unreachable(run: Run, memory: Remembered) -> Iterable[Problem]:
    trouble = memory.database
    if trouble is None or not _stands(trouble.since, run.now, DATABASE_STANDS_S):
        return
    yield UNREACHABLE.problem(
        run.poller,
        DATABASE,
        since=trouble.since,
        poller=run.poller,
        reason=shortened(trouble.reason, _LONGEST_REASON),
    )


def _rejected(run: Run, memory: Remembered, settings: VisitorsSettings) -> Iterable[Problem]:
    for source, level in memory.rejected.items():
        yield rejected(run.poller, source, label_of(source, settings), level)


def _stands(since: datetime | None, now: datetime, for_s: float) -> bool:
    return since is not None and now - since >= timedelta(seconds=for_s)
