"""The problems after a look: a function of what was seen, of the memory, and of now.

A sweep looks into its inbox and into what it shares with other hosts. The watch of a centre, which has no
inbox, looks only into the latter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo

from tallyd.contract.arrivals import Arrival
from tallyd.contract.inbox import Look
from tallyd.contract.passages import LedgerRow
from tallyd.core.alerts.values import At, Value
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
    WATCHES,
    WRONG_CLOCK,
)
from tallyd.pollers.visitors.alerts.memory import Quiet, Remembered, Trouble
from tallyd.pollers.visitors.alerts.other_hosts import Whereabouts, all_hosts, whereabouts, wrong_clocks
from tallyd.pollers.visitors.alerts.rejections import agreed, followed, grown, rejected, still
from tallyd.pollers.visitors.alerts.shared import Shared
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

    `look` is None for a centre. `shared` is what was last read of all hosts; None: nothing yet.
    `ledger` has the newest rejected files; None if the run did not read the ledger.
    """

    poller: str
    zone: tzinfo
    looked_at: datetime
    now: datetime
    look: Look | None
    tally: Tally
    shared: Shared | None
    ledger: tuple[LedgerRow, ...] | None = None

    @property
    def seen(self) -> Mapping[str, datetime]:
        """The arrivals that this process itself has seen."""
        return (
            {source: min(at, self.looked_at) for source, at in self.look.arrivals.items()}
            if self.look
            else {}
        )

    @property
    def arrivals(self) -> Mapping[str, Arrival]:
        """The arrivals of all hosts."""
        return self.shared.with_seen(self.seen) if self.shared else {}


@dataclass(frozen=True)
class Evaluated:
    """The problems, the new memory, and which kinds of problems could be evaluated."""

    problems: tuple[Problem, ...]
    memory: Remembered
    evaluates: frozenset[str]


def evaluate(run: Run, known: Remembered, settings: VisitorsSettings) -> Evaluated:
    """Evaluate a run. Silence counts until the time of the look, because more files arrive during the run."""
    memory = _updated(run, known, settings)
    evaluates = EVALUATES if run.look else WATCHES
    if run.look and run.look.state != "here":
        evaluates -= {UNREADABLE.what}
    if run.shared is None:
        evaluates -= {WRONG_CLOCK.what}
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
        *no_files(
            quiet or {},
            settings,
            poller=run.poller,
            elsewhere={
                subject: each.fields for subject, each in _elsewhere(quiet or {}, run, settings).items()
            },
        ),
        *(wrong_clocks(run.shared, run.poller, now=run.now) if run.shared and settings.leads else ()),
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
    if active is None or memory.unseen_since is not None or run.shared is None:
        return None
    begins = {
        subject: max(since, active, memory.back_at or since) for subject, since in memory.watched.items()
    }
    files = heard(run.arrivals, run.seen, settings)
    found = quiet_now(known.quiet, files, begins, now=run.looked_at, after_s=wanted.after)
    elsewhere = _elsewhere(found, run, settings)
    return {
        subject: each
        for subject, each in found.items()
        if subject in known.quiet or subject not in elsewhere or elsewhere[subject].is_certain
    }


def _elsewhere(quiet: Mapping[str, Quiet], run: Run, settings: VisitorsSettings) -> Mapping[str, Whereabouts]:
    """Return what is known of the hosts of silent sources whose files do not come to this one."""
    if settings.no_files is None or run.shared is None:
        return {}
    arrivals, after, found = run.arrivals, timedelta(seconds=settings.no_files.after), {}
    for subject, each in quiet.items():
        arrival = arrivals.get(subject)
        is_here = run.look is not None and (arrival is None or arrival.host == run.shared.here)
        if is_here:
            continue
        if subject in settings.sources:
            due_at = each.since + after
            found[subject] = whereabouts(arrival, run.shared, due_at=due_at, now=run.looked_at)
        else:
            found[subject] = all_hosts(run.shared, run.poller, now=run.looked_at)
    return found


# ---- the memory --------------------------------------------------------------------------------------------


def _updated(run: Run, known: Remembered, settings: VisitorsSettings) -> Remembered:
    is_seen = run.look is None or (run.look.state == "here" and not run.look.is_blind)
    # A short interruption is not a problem, so it does not restart the time of silence either.
    came_back = is_seen and _stands(known.unseen_since, run.looked_at, STANDS_S)
    levels = grown(known.rejected, run.tally.sources, now=run.now)
    rows = _rejected_rows(run, settings)
    if rows is not None:
        levels = agreed(levels, rows, asked_at=known.ledger_at, now=run.now)
    if run.shared is not None and settings.leads:
        levels = followed(levels, known.rejected, run.shared, now=run.now)
    return replace(
        known,
        ledger_at=run.now
        if any(row.ingested_at > known.ledger_at for row in rows or ())
        else known.ledger_at,
        watched={each: known.watched.get(each, run.looked_at) for each in subjects_of_silence(settings)},
        unseen_since=None if is_seen else known.unseen_since or run.looked_at,
        back_at=run.looked_at if came_back else known.back_at,
        unreadable_since=_unreadable_since(run, known),
        database=_database(run, known),
        rejected=still(levels, now=run.now),
    )


def _rejected_rows(run: Run, settings: VisitorsSettings) -> tuple[LedgerRow, ...] | None:
    """Return the rejected files that this daemon reports: a collector, only those of its own sources."""
    if run.ledger is None or settings.leads:
        return run.ledger
    here, arrivals = run.shared.here if run.shared else "", run.arrivals
    return tuple(row for row in run.ledger if row.source not in arrivals or arrivals[row.source].host == here)


def _unreadable_since(run: Run, known: Remembered) -> datetime | None:
    if run.look is None or run.look.state != "here":
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
    if (
        run.look is None
        or run.look.state == "here"
        or not _stands(memory.unseen_since, run.looked_at, STANDS_S)
    ):
        return
    since = memory.unseen_since or run.looked_at
    fault = {"unmounted" if run.look.state == "unmounted" else "gone": settings.inbox or ""}
    yield INBOX_GONE.problem(run.poller, INBOX, since=since, poller=run.poller, **fault)


def _unreadable(run: Run, memory: Remembered) -> Iterable[Problem]:
    if run.look is None or run.look.state != "here":
        return
    found = run.look.untakable or run.tally.failed
    if not found:
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
    reason = shortened(trouble.reason, _LONGEST_REASON)
    what: dict[str, Value] = {"reason": reason} if run.look else {"unknown": At(trouble.since), "why": reason}
    yield UNREACHABLE.problem(run.poller, DATABASE, since=trouble.since, poller=run.poller, **what)


def _rejected(run: Run, memory: Remembered, settings: VisitorsSettings) -> Iterable[Problem]:
    for source, level in memory.rejected.items():
        arrival = run.shared.arrivals.get(source) if run.shared else None
        on = (
            run.shared.name_of(arrival.host)
            if run.shared and arrival and arrival.host != run.shared.here
            else None
        )
        yield rejected(run.poller, source, label_of(source, settings), level, on=on)


def _stands(since: datetime | None, now: datetime, for_s: float) -> bool:
    return since is not None and now - since >= timedelta(seconds=for_s)
