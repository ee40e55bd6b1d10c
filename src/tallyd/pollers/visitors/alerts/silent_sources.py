"""Silent sources: which, since when, and what to check.

One way for all: for the files of this machine, and for those that other hosts ingest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from tallyd.contract.arrivals import Arrival
from tallyd.core.alerts.values import Age, At, Value
from tallyd.core.reading import Problem
from tallyd.pollers.visitors.alerts.alert_kinds import INBOX, NO_FILES
from tallyd.pollers.visitors.alerts.memory import Quiet
from tallyd.pollers.visitors.alerts.shared import NOTED_EVERY
from tallyd.pollers.visitors.alerts.silence import silent_since
from tallyd.pollers.visitors.settings import VisitorsSettings

_SAME = timedelta(seconds=2)
"""Two times of one arrival may differ by this much: the database has whole seconds, and its own clock."""


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
    arrivals: Mapping[str, Arrival], seen: Mapping[str, datetime], settings: VisitorsSettings
) -> Mapping[str, Heard]:
    """Return when the newest file came, by subject of silence.

    `arrivals` are those of all hosts, with what this process has `seen` itself. What another one saw may be
    newer than it has noted.
    """
    last_at = {source: each.last_file_at for source, each in arrivals.items()}
    at_latest = {source: at if seen.get(source) == at else at + NOTED_EVERY for source, at in last_at.items()}
    if _is_per_source(settings):
        return {
            source: Heard(last_at=last_at.get(source), at_latest=at_latest.get(source))
            for source in settings.sources
        }
    newest, latest = max(last_at.values(), default=None), max(at_latest.values(), default=None)
    return {INBOX: Heard(last_at=newest, at_latest=latest)}


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
        if before is not None and (last_at is None or (before.last_at and last_at <= before.last_at + _SAME)):
            found[subject] = before
            continue
        since = silent_since(at_latest, now=now, watched_since=begin, after_s=after_s)
        if since is not None:
            found[subject] = Quiet(since, last_at)
    return found


def no_files(
    quiet: Mapping[str, Quiet],
    settings: VisitorsSettings,
    *,
    poller: str,
    elsewhere: Mapping[str, Mapping[str, Value]] = MappingProxyType({}),
) -> Iterable[Problem]:
    """Yield the problem of each subject that is quiet. `elsewhere` says where to look on other hosts."""
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
            **(elsewhere.get(subject) or _where_to_look(subject, quiet, settings)),
        )


def _where_to_look(source: str, quiet: Mapping[str, Quiet], settings: VisitorsSettings) -> dict[str, Value]:
    if not _is_per_source(settings):
        return {"inbox": settings.inbox or ""}
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
