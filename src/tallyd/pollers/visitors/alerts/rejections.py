"""Rejected files as a level: how many of a source, since when, and what to do.

What a run saw is compared with the ledger. So a rejection is reported later even if its run was killed before
it stored its memory.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from tallyd.contract.passages import LedgerRow
from tallyd.core.alerts.values import Span, Value
from tallyd.core.reading import Problem
from tallyd.core.texts import first_reasons
from tallyd.pollers.visitors.alerts.alert_kinds import REJECTED
from tallyd.pollers.visitors.alerts.memory import MOST_SOURCES, Level
from tallyd.pollers.visitors.alerts.shared import Shared
from tallyd.pollers.visitors.ingest.file_parser import TOO_LARGE, TOO_OLD
from tallyd.pollers.visitors.ingest.sweep_counts import OfSource

OVER_AFTER = timedelta(hours=1)
"""The problem is resolved when no file was rejected for this time and a good one came."""
MOST_ASKED = 500
"""Most rows to read from the ledger."""
_EXACT_UP_TO = 100
_LONGEST_REASON = 200
_PREDICATES = ("is ", "has ", "begins ", "contains ", "ends ", "continues ")


def grown(known: Mapping[str, Level], sources: Mapping[str, OfSource], *, now: datetime) -> dict[str, Level]:
    """Return the levels after a run, from what it saw of each source."""
    levels = dict(known)
    for source, seen in sources.items():
        before = levels.get(source)
        if seen.rejected:
            levels[source] = _after_refusals(before, seen, now)
        elif before is not None and seen.good:
            levels[source] = replace(before, is_mixed=True, is_good_again=True)
    return levels


def agreed(
    levels: Mapping[str, Level], ledger: Iterable[LedgerRow], *, asked_at: datetime, now: datetime
) -> dict[str, Level]:
    """Return the levels, corrected by the ledger's newest rejected rows (at most `MOST_ASKED`).

    A source with rows since `asked_at` (the last read of the ledger) or from the last hour has a level. If a
    level has no row since its beginning, its files were replayed, and it ends.
    """
    rows = tuple(ledger)
    are_all = len(rows) < MOST_ASKED
    found = dict(levels)
    recent = min(asked_at, now - OVER_AFTER)
    for source in dict.fromkeys([*levels, *(row.source for row in rows)]):
        own = [row for row in rows if row.source == source]
        if source in levels:
            own = [row for row in own if row.ingested_at >= _whole(levels[source].since)]
        else:
            own = [row for row in own if recent < row.ingested_at < now + OVER_AFTER]
        if own:
            found[source] = _as_stored(found.get(source), own, are_all=are_all)
        elif are_all:
            found.pop(source, None)
    return found


def followed(
    levels: Mapping[str, Level], known: Mapping[str, Level], shared: Shared, *, now: datetime
) -> dict[str, Level]:
    """Return the levels with what became of the newest file of each source that another host ingests.

    `known` are those before this run. The clock of that host may be hours behind, so that it rejects all
    files and its rows in the ledger look old: such a level is kept, or begins here.
    """
    found = dict(levels)
    for source, arrival in shared.arrivals.items():
        if arrival.host == shared.here:
            continue
        level, before = found.get(source), known.get(source)
        if arrival.state == "done" and level:
            found[source] = replace(level, is_mixed=True, is_good_again=True)
        elif level:
            found[source] = replace(
                level,
                is_mixed=level.is_mixed and before is not None,
                is_good_again=level.is_good_again and arrival.state != "rejected",
            )
        elif arrival.state == "rejected" and now - arrival.seen_at < OVER_AFTER:
            at, reason = arrival.seen_at, arrival.reason or ""
            begun = before or Level(since=at, last_at=at, files=1, reason=reason)
            found[source] = replace(begun, last_at=at, is_good_again=False, reason=reason)
    return found


def still(levels: Mapping[str, Level], *, now: datetime) -> dict[str, Level]:
    """Return the levels that are not resolved; if there are too many, those with the newest rejections."""
    left = {
        source: level
        for source, level in levels.items()
        # A file rejected while the clock was far ahead has a time to come: that keeps no alert open.
        if not (level.is_good_again and abs(now - level.last_at) >= OVER_AFTER)
    }
    newest = sorted(left, key=lambda source: left[source].last_at, reverse=True)[:MOST_SOURCES]
    return {source: left[source] for source in left if source in newest}


def rejected(poller: str, source: str, label: str, level: Level, *, on: str | None = None) -> Problem:
    """Return the problem of a level: an error if no other file came, else a warning.

    `on` is the host that has the files, if it is not this one.
    """
    problem = REJECTED.problem(
        poller,
        source,
        since=level.since,
        source=label,
        on=on,
        **{"there" if on else "id": shlex.quote(source)},
        **{"files" if level.is_mixed else "all": _about(level.files)},
        **_reason(source, level),
    )
    return replace(problem, severity="warning" if level.is_mixed else "error")


def _after_refusals(before: Level | None, seen: OfSource, now: datetime) -> Level:
    is_mixed = seen.good > 0 or (before is not None and before.is_mixed)
    is_all_ahead = seen.ahead is not None and (before is None or before.ahead_s is not None)
    return Level(
        since=before.since if before else seen.first_at or now,
        last_at=seen.last_at or now,
        files=(before.files if before else 0) + seen.rejected,
        is_mixed=is_mixed,
        is_good_again=seen.ends_good,
        reason=seen.reason,
        ahead_s=seen.ahead.total_seconds() if seen.ahead and is_all_ahead else None,
    )


def _as_stored(level: Level | None, rows: list[LedgerRow], *, are_all: bool) -> Level:
    """Return a level with as many files as the ledger has, or more if not all rows were read.

    `rows` are newest first.
    """
    if level is None:
        return Level(
            since=rows[-1].ingested_at,
            last_at=rows[0].ingested_at,
            files=len(rows),
            is_mixed=True,  # unknown whether others were good: assume the less serious case
            reason=rows[0].reason or "",
        )
    files = len(rows) if are_all else max(level.files, len(rows))
    return replace(level, files=files, last_at=max(level.last_at, rows[0].ingested_at))


def _whole(at: datetime) -> datetime:
    """Return an instant cut to the second, as in the ledger."""
    return at.replace(microsecond=0)


def _about(count: int) -> Value:
    """Return a count that changes rarely, because each change of an alert is stored."""
    return count if count <= _EXACT_UP_TO else f"{(count - 1) // 100 * 100}+"


def _reason(source: str, level: Level) -> dict[str, Value]:
    if level.ahead_s is not None:
        return {"ahead": Span(level.ahead_s // 60 * 60)}
    text = first_reasons(level.reason, _LONGEST_REASON)
    if level.reason.startswith(TOO_LARGE):
        return {"too_large": text}
    if level.reason.startswith(TOO_OLD):
        return {"too_old": text}
    return {"flaw" if text.startswith(_PREDICATES) else "reason": text, "folder": source}
