"""When a problem becomes an alert and when it is over. Pure: what is known comes in, what changes goes out.

A key's life: *waiting* while fewer than `raise_after` readings in a row have named it; *open*; *over* once
`resolve_after` readings in a row did not name it. One that is over is kept until every channel has heard so
(`notices.py`). Its version grows with every change that is to be told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from tallyd.core.alerts.values import Fields
from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem, Severity

RUN_WHATS = frozenset({"failed", "missed", "crashed"})
"""What the daemon itself says about a job's runs; a good reading of the job ends it."""
OWN = "tallyd"
"""The first segment of what the daemon has to say of itself."""


@dataclass(frozen=True)
class Rules:
    """After how many readings in a row a problem is raised, and after how many good ones it is over."""

    raise_after: int = 1
    resolve_after: int = 1


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One key as it is remembered.

    `since` is when the trouble began, `raised_at` when it was raised (None: waiting), `over_at` the first
    good reading of those that ended it (None: not over). `is_unwatched`: it ended because the config does not
    ask for it any more. `bad` and `good` count readings in a row, `bad_since` and `good_since` since when.
    `degree` is how bad it has been at worst; when it grows, it is told again.
    """

    key: str
    severity: Severity
    text: str
    over: str
    since: datetime
    version: int = 0
    degree: int = 0
    fields: Fields = field(default_factory=dict, hash=False)
    bad: int = 0
    bad_since: datetime | None = None
    good: int = 0
    good_since: datetime | None = None
    raised_at: datetime | None = None
    over_at: datetime | None = None
    is_unwatched: bool = False

    @property
    def is_open(self) -> bool:
        return self.raised_at is not None and self.over_at is None

    @property
    def is_waiting(self) -> bool:
        return self.raised_at is None

    @property
    def problem(self) -> Problem:
        """The alert as a problem of a reading."""
        return Problem(
            key=self.key,
            text=self.text,
            over=self.over,
            since=self.since,
            severity=self.severity,
            fields=self.fields,
        )


@dataclass(frozen=True, kw_only=True)
class Observations:
    """What one look at things found: the problems named, and which keys it would have named (`may_resolve`).

    `counts` false: the look is no reading (a run that will be done again); it raises nothing but what is to
    be raised `at_once`. `is_unwatched`: what may be closed is so at once, since nobody asks for it any more.
    """

    named: tuple[Problem, ...]
    may_resolve: Callable[[str], bool]
    now: datetime
    rules: Rules = Rules()
    counts: bool = True
    is_unwatched: bool = False


@dataclass(frozen=True)
class Judgement:
    """What findings change.

    `standing` are the problems named, each with the `since` of its beginning. `changed` are the alerts as
    they are to be stored, `gone` the keys to be forgotten. `raised` and `closed` are those of `changed` that
    began (or became worse) and ended.
    """

    standing: tuple[Problem, ...] = ()
    changed: tuple[Alert, ...] = ()
    gone: tuple[str, ...] = ()
    raised: tuple[Alert, ...] = ()
    closed: tuple[Alert, ...] = ()


def judge(known: Mapping[str, Alert], observations: Observations) -> Judgement:
    """Raise what is named often enough; end what is not named, may be closed, and was good often enough.

    A problem that goes on keeps the `since` of its beginning and takes the newer text and severity. Of two
    problems with one key the later in order counts.
    """
    named = {problem.key: problem for problem in observations.named}
    after = {key: _worse(known.get(key), problem, observations) for key, problem in named.items()}
    better = {
        key: _better(alert, observations)
        for key, alert in known.items()
        if key not in named and observations.may_resolve(key)
    }
    changed = tuple(
        alert
        for key, alert in (*after.items(), *better.items())
        if alert is not None and alert != known.get(key)
    )
    return Judgement(
        standing=tuple(
            replace(problem, since=min(problem.since, _began(after[key]))) for key, problem in named.items()
        ),
        changed=changed,
        gone=tuple(key for key, alert in better.items() if alert is None),
        raised=tuple(each for each in changed if each.is_open and each.version != _version(known, each)),
        closed=tuple(each for each in changed if each.over_at and each.version != _version(known, each)),
    )


def _version(known: Mapping[str, Alert], alert: Alert) -> int:
    return known[alert.key].version if alert.key in known else 0


def _began(alert: Alert) -> datetime:
    return alert.since if alert.is_open or alert.bad_since is None else alert.bad_since


def _worse(alert: Alert | None, problem: Problem, observations: Observations) -> Alert:
    """Return what becomes of a key that is named."""
    if alert is not None and alert.is_open:
        degree = max(alert.degree, _degree(problem))
        return replace(
            alert,
            severity=problem.severity,
            text=problem.text,
            over=problem.over,
            fields=problem.fields,
            since=min(alert.since, problem.since),
            good=0,
            good_since=None,
            version=alert.version + (degree > alert.degree),
            degree=degree,
        )
    known_bad = alert.bad if alert else 0
    bad_since = min(problem.since, (alert.bad_since if alert else None) or problem.since)
    bad = known_bad + observations.counts
    begun = Alert(
        key=problem.key,
        severity=problem.severity,
        text=problem.text,
        over=problem.over,
        fields=problem.fields,
        since=bad_since,
        version=alert.version if alert else 0,
        degree=_degree(problem),
        bad=bad,
        bad_since=bad_since,
    )
    if problem.at_once or (observations.counts and bad >= observations.rules.raise_after):
        return replace(begun, bad=0, bad_since=None, raised_at=observations.now, version=begun.version + 1)
    if alert is not None and alert.over_at is not None:
        # Its end is perhaps still to be told: it only counts, until it is raised anew.
        return replace(alert, bad=bad, bad_since=bad_since)
    return begun


def _degree(problem: Problem) -> int:
    """Return how bad a problem is: 0 for a warning; an error is worse, one that stays by itself the worst."""
    return (problem.severity == "error") + problem.stays


def _better(alert: Alert, observations: Observations) -> Alert | None:
    """Return what becomes of a key that could have been named and was not; None: it is forgotten."""
    if alert.is_waiting:
        return None
    if alert.over_at is not None:
        return replace(alert, bad=0, bad_since=None)
    good, good_since = alert.good + 1, alert.good_since or observations.now
    if not observations.is_unwatched and good < observations.rules.resolve_after:
        return replace(alert, good=good, good_since=good_since)
    return replace(
        alert,
        good=0,
        good_since=None,
        over_at=observations.now if observations.is_unwatched else good_since,
        is_unwatched=observations.is_unwatched,
        version=alert.version + 1,
    )


def closed_by_reading(poller: str, job: str, judges: frozenset[str]) -> Callable[[str], bool]:
    """Return what a good reading of a job may close: what it judges, and the daemon's word on its runs."""

    def may_resolve(key: str) -> bool:
        segments = key_segments(key)
        if len(segments) != 3 or segments[0] != poller:
            return False
        _, subject, what = segments
        return what in judges or (subject == job and what in RUN_WHATS)

    return may_resolve


def unwatched(
    jobs: Iterable[tuple[str, str, frozenset[str]]],
    watched: Mapping[str, Mapping[str, frozenset[str]]] = MappingProxyType({}),
) -> Callable[[str], bool]:
    """Return which keys belong to no job (poller, name, judges) any more; the daemon's own always belong.

    `watched` are, by poller and last segment, the subjects that there are; others are unwatched as well.
    """
    jobs = tuple(jobs)
    known = [closed_by_reading(poller, job, judges) for poller, job, judges in jobs]
    names = {(poller, job) for poller, job, _ in jobs}

    def is_unwatched(key: str) -> bool:
        segments = key_segments(key)
        if segments[0] == OWN:
            return False
        subjects = watched.get(segments[0], {}).get(segments[-1])
        if subjects is not None and segments[1] not in subjects:
            return True
        return segments[:2] not in names and not any(may_resolve(key) for may_resolve in known)

    return is_unwatched


def lasted_s(alert: Alert, *, until: datetime) -> float:
    """Return how long an alert lasted, in seconds; never negative, the clock may have been set back."""
    return max(0.0, ((alert.over_at or until) - alert.since).total_seconds())
