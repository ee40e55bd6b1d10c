"""Which problems begin, go on and end. Pure: what is open comes in, what changes goes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem

RUN_WHATS = frozenset({"failed", "missed", "crashed"})
"""What the daemon itself says about a job's runs; a good reading of the job ends it."""


@dataclass(frozen=True)
class Judgement:
    """What one run changes.

    `standing` are the problems named now, each with the `since` of its beginning. `raised` are those among
    them that were not open, `closed` those that were open and are over.
    """

    standing: tuple[Problem, ...] = ()
    raised: tuple[Problem, ...] = ()
    closed: tuple[Problem, ...] = ()


def judge(
    open_now: Mapping[str, Problem], named: Iterable[Problem], *, may_close: Callable[[str], bool]
) -> Judgement:
    """Raise what is named and not open; close what is open, not named, and within `may_close`.

    A problem that goes on keeps the `since` of its beginning and takes the newer text and severity. Of two
    problems with one key the later in order counts.
    """
    latest = {problem.key: problem for problem in named}
    standing = tuple(
        replace(problem, since=min(open_now[key].since, problem.since)) if key in open_now else problem
        for key, problem in latest.items()
    )
    return Judgement(
        standing=standing,
        raised=tuple(problem for problem in standing if problem.key not in open_now),
        closed=tuple(problem for key, problem in open_now.items() if key not in latest and may_close(key)),
    )


def closed_by_reading(poller: str, job: str, judges: frozenset[str]) -> Callable[[str], bool]:
    """Return what a good reading of a job may close: what it judges, and the daemon's word on its runs."""

    def may_close(key: str) -> bool:
        segments = key_segments(key)
        if len(segments) != 3 or segments[0] != poller:
            return False
        _, subject, what = segments
        return what in judges or (subject == job and what in RUN_WHATS)

    return may_close


def unwatched(jobs: Iterable[tuple[str, str, frozenset[str]]]) -> Callable[[str], bool]:
    """Return which keys belong to no job (poller, name, judges) any more; the daemon's own always belong."""
    jobs = tuple(jobs)
    known = [closed_by_reading(poller, job, judges) for poller, job, judges in jobs]
    names = {(poller, job) for poller, job, _ in jobs}

    def is_unwatched(key: str) -> bool:
        segments = key_segments(key)
        if segments[0] == "tallyd":
            return False
        return (segments[0], segments[1]) not in names and not any(may_close(key) for may_close in known)

    return is_unwatched


def lasted_s(problem: Problem, *, until: datetime) -> float:
    """Return how long a problem lasted, in seconds; never negative, the clock may have been set back."""
    return max(0.0, (until - problem.since).total_seconds())
