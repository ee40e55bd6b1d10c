"""Silent sources: which, since when, and what to check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from tallyd.core.alerts.values import Age, At, Value
from tallyd.core.reading import Problem
from tallyd.pollers.visitors.alerts.alert_kinds import INBOX, NO_FILES
from tallyd.pollers.visitors.alerts.memory import SAVED_EVERY, Quiet, Remembered
from tallyd.pollers.visitors.alerts.silence import silent_since
from tallyd.pollers.visitors.settings import VisitorsSettings


@dataclass(frozen=True, kw_only=True)
class Heard:
    """When the newest file came: `last_at` as far as known, and `at_latest` the latest possible time."""

    last_at: datetime | None
    at_latest: datetime | None


def subjects_of_silence(settings: VisitorsSettings) -> tuple[str, ...]:
    """Return the subjects to watch for silence: the sources, or the inbox as a whole."""
    if settings.no_files is None:
        return ()
    return tuple(settings.sources) if _is_per_source(settings) else (INBOX,)


def label_of(source: str, settings: VisitorsSettings) -> str:
    """Return the name of a source for people."""
    known = settings.sources.get(source)
    return (known.label if known else None) or source


def heard(
    memory: Remembered, known: Remembered, seen: Mapping[str, datetime], settings: VisitorsSettings
) -> Mapping[str, Heard]:
    """Return when the newest file came, by subject of silence.

    `known` is the memory before this run, `memory` the one after it, `seen` what this process saw. A time
    that is only remembered may be too early, by up to the interval between two stored memories.
    """
    at_latest = {
        source: at + SAVED_EVERY if source in known.arrivals and seen.get(source) != at else at
        for source, at in memory.arrivals.items()
    }
    if _is_per_source(settings):
        return {
            source: Heard(last_at=memory.arrivals.get(source), at_latest=at_latest.get(source))
            for source in settings.sources
        }
    return {
        INBOX: Heard(
            last_at=max(memory.arrivals.values(), default=None),
            at_latest=max(at_latest.values(), default=None),
        )
    }


def quiet_now(
    known: Mapping[str, Quiet],
    files: Mapping[str, Heard],
    begins: Mapping[str, datetime],
    *,
    now: datetime,
    after_s: float,
) -> dict[str, Quiet]:
    """Return the subjects that are quiet. `begins` is since when the silence of each counts.

    A subject that was quiet stays quiet until a file comes. A new start of its hours in the morning does not
    change that.
    """
    found = {}
    for subject, begin in begins.items():
        last_at, at_latest = files[subject].last_at, files[subject].at_latest
        before = known.get(subject)
        if before is not None and (last_at is None or (before.last_at and last_at <= before.last_at)):
            found[subject] = before
            continue
        since = silent_since(at_latest, now=now, watched_since=begin, after_s=after_s)
        if since is not None:
            found[subject] = Quiet(since, last_at)
    return found


def no_files(quiet: Mapping[str, Quiet], settings: VisitorsSettings, *, poller: str) -> Iterable[Problem]:
    """Yield the problem of each subject that is quiet."""
    per_source = _is_per_source(settings)
    for subject, each in quiet.items():
        yield NO_FILES.problem(
            poller,
            subject,
            since=each.since,
            source=label_of(subject, settings) if per_source else poller,
            span=Age(each.since),
            last=At(each.last_at) if each.last_at else None,
            never=None if each.last_at else 1,
            **(_where_to_look(subject, quiet, settings) if per_source else {"inbox": settings.inbox}),
        )


def _where_to_look(source: str, quiet: Mapping[str, Quiet], settings: VisitorsSettings) -> dict[str, Value]:
    others = [each for each in settings.sources if each != source]
    delivering = sum(each not in quiet for each in others)
    if not others:
        return {"only": source}
    if not delivering:
        return {"silent": len(others)}
    if delivering == len(others):
        return {"rest": len(others), "host": source}
    return {"others": len(others), "delivering": delivering, "host": source}


def _is_per_source(settings: VisitorsSettings) -> bool:
    return settings.no_files is not None and settings.no_files.per_source and bool(settings.sources)
