"""When a problem becomes an alert and when it is resolved. Pure: known alerts come in, changes go out.

A key is *waiting* while fewer than `raise_after` readings in a row have named it. Then it is *open*. It is
*resolved* after `resolve_after` readings in a row did not name it. A resolved alert is kept until every
channel has received its end (`notices.py`). Its version grows with every change that channels must receive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from tallyd.core.alerts.acknowledgement import Acknowledgement
from tallyd.core.alerts.wording import OUTSIDE_HOURS, UNWATCHED
from tallyd.core.naming import key_segments
from tallyd.core.reading import Problem

RUN_WHATS = frozenset({"failed", "missed", "crashed"})
"""Problems that the daemon reports about a job's runs. A good reading of the job resolves them."""
OWN = "tallyd"
"""The first segment of keys about the daemon itself."""


@dataclass(frozen=True)
class Rules:
    """How many bad readings in a row raise a problem, and how many good ones resolve it."""

    raise_after: int = 1
    resolve_after: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert(Problem):
    """The stored alert of one key: the problem as it was last named, and what is known of it.

    `since` is when the problem began, `raised_at` when it was raised (None: waiting), `over_at` the first of
    the good readings that resolved it (None: not resolved). `is_unwatched`: it ended because the config does
    not ask for it any more, or not at that hour; `over` says which. `severity_since` is when its severity
    last changed (None: never). `bad` and `good` count readings in a row, `bad_since` and `good_since` say
    since when. `degree` is how bad it was at worst; when it grows, channels are notified again.
    `is_at_worst`: the text is that of a reading with this degree. `acknowledged` says who works on it; the
    next time that the key is raised, nobody does.
    """

    severity_since: datetime | None = None
    version: int = 0
    degree: int = 0
    is_at_worst: bool = True
    bad: int = 0
    bad_since: datetime | None = None
    good: int = 0
    good_since: datetime | None = None
    raised_at: datetime | None = None
    over_at: datetime | None = None
    is_unwatched: bool = False
    acknowledged: Acknowledgement | None = None

    @property
    def is_open(self) -> bool:
        return self.raised_at is not None and self.over_at is None

    @property
    def is_waiting(self) -> bool:
        return self.raised_at is None

    @property
    def began(self) -> datetime:
        """When the problem began; of one that counts readings, the first of those."""
        return self.since if self.is_open or self.bad_since is None else self.bad_since


@dataclass(frozen=True, kw_only=True)
class Observations:
    """What one look found: the problems it names, and the keys that it could resolve (`may_resolve`).

    `counts` false: the look is not a reading (the run will be repeated). It raises only problems with
    `at_once`. `is_unwatched`: keys that may be resolved end at once, because nobody asks for them any more.
    `outside_hours` are keys that nobody asks for at this hour: they end at once if they are open, and the
    look says nothing about readings in a row.
    """

    named: tuple[Problem, ...]
    may_resolve: Callable[[str], bool]
    now: datetime
    rules: Rules = Rules()
    counts: bool = True
    is_unwatched: bool = False
    outside_hours: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Evaluation:
    """What observations change.

    `standing` are the named problems, each with the `since` of its beginning. `changed` are the alerts to
    store, `gone` the keys to delete. `raised` and `closed` are those of `changed` that began (or got worse)
    and ended.
    """

    standing: tuple[Problem, ...] = ()
    changed: tuple[Alert, ...] = ()
    gone: tuple[str, ...] = ()
    raised: tuple[Alert, ...] = ()
    closed: tuple[Alert, ...] = ()


def evaluate(known: Mapping[str, Alert], observations: Observations) -> Evaluation:
    """Raise keys that were named often enough. Resolve keys that may be resolved and were good often enough.

    An open problem keeps the `since` of its beginning and gets the newer text and severity. Of two problems
    with one key, the later one counts.
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
    return Evaluation(
        standing=tuple(
            replace(problem, since=min(problem.since, after[key].began)) for key, problem in named.items()
        ),
        changed=changed,
        gone=tuple(key for key, alert in better.items() if alert is None),
        raised=tuple(each for each in changed if each.is_open and each.version != _version(known, each)),
        closed=tuple(each for each in changed if each.over_at and each.version != _version(known, each)),
    )


def _version(known: Mapping[str, Alert], alert: Alert) -> int:
    return known[alert.key].version if alert.key in known else 0


def _worse(alert: Alert | None, problem: Problem, observations: Observations) -> Alert:
    """Return the alert of a named key after this look."""
    if alert is not None and alert.is_open:
        degree, changes = max(alert.degree, _degree(problem)), problem.severity != alert.severity
        return replace(
            alert,
            severity=problem.severity,
            severity_since=observations.now if changes else alert.severity_since,
            text=problem.text,
            over=problem.over,
            fields=problem.fields,
            since=min(alert.since, problem.since),
            good=0,
            good_since=None,
            version=alert.version + (degree > alert.degree),
            degree=degree,
            is_at_worst=_degree(problem) == degree,
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
        # Its end may still have to be sent: until it is raised again, it only counts readings.
        return replace(alert, bad=bad, bad_since=bad_since)
    return begun


def _degree(problem: Problem) -> int:
    """Return how bad a problem is: 0 for a warning, more for an error, most for an error that stays."""
    return (problem.severity == "error") + problem.stays


def _better(alert: Alert, observations: Observations) -> Alert | None:
    """Return the alert of a key that could have been named and was not; None: delete it."""
    is_outside_hours = alert.key in observations.outside_hours
    if is_outside_hours and not alert.is_open:
        return alert
    if alert.is_waiting:
        return None
    if alert.over_at is not None:
        return replace(alert, bad=0, bad_since=None)
    if observations.is_unwatched or is_outside_hours:
        return replace(
            _ended(alert, observations.now),
            over=OUTSIDE_HOURS if is_outside_hours else UNWATCHED,
            is_unwatched=True,
        )
    good, good_since = alert.good + 1, alert.good_since or observations.now
    if good < observations.rules.resolve_after:
        return replace(alert, good=good, good_since=good_since)
    return _ended(alert, good_since)


def _ended(alert: Alert, at: datetime) -> Alert:
    return replace(alert, good=0, good_since=None, over_at=at, version=alert.version + 1)


def acknowledge(alert: Alert, *, by: str, why: str, now: datetime) -> Alert:
    """Return an open alert, acknowledged until it is resolved. A new reason replaces the one before."""
    version, last = alert.version + 1, alert.acknowledged
    if last is not None and why in ("", last.why):
        return alert
    times = last.times + 1 if last is not None and last.version == alert.version else 1
    found = Acknowledgement(at=now, by=by, why=why, version=version, times=times)
    return replace(alert, acknowledged=found, version=version)


def closed_by_reading(poller: str, job: str, evaluates: frozenset[str]) -> Callable[[str], bool]:
    """Return the test for keys that a good reading of a job may resolve: its `evaluates`, and its runs.

    A subject may be of several segments.
    """

    def may_resolve(key: str) -> bool:
        first, *subject, what = key_segments(key)
        if first != poller or not subject:
            return False
        return what in evaluates or (subject == [job] and what in RUN_WHATS)

    return may_resolve


def unwatched(
    jobs: Iterable[tuple[str, str, frozenset[str]]],
    watched: Mapping[str, Mapping[str, frozenset[str]]] = MappingProxyType({}),
) -> Callable[[str], bool]:
    """Return the test for keys that belong to no job (poller, name, evaluates) now; not the daemon's own.

    `watched` holds the existing subjects by poller and last segment; other subjects are also unwatched.
    """
    jobs = tuple(jobs)
    known = [closed_by_reading(poller, job, evaluates) for poller, job, evaluates in jobs]
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
    """Return how long an alert lasted, in seconds; never negative, even if the clock was set back."""
    return max(0.0, ((alert.over_at or until) - alert.since).total_seconds())
