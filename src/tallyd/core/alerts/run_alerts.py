"""The problems of jobs: runs without a reading, runs that hang, and reports that are not accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.values import At, Span, Value, several
from tallyd.core.language.messages import mark
from tallyd.core.reading import Problem

FAILED = AlertKind(
    key="<poller>/<job>/failed",
    severity="error",
    text=mark(
        "{poller}: no reading[ for {slot}]: {reason}[ ({attempts} attempts until {until})]."
        "[ No retry before {no_retry_before}.][ Retrying until {again_until}.][ Next slot {next_slot}.]"
        "{lost: Recorded as missing, not zero.}"
    ),
    over=mark("{poller}: working again"),
    ends=mark("the next reading"),
    short=mark("no reading"),
    many=mark("jobs without a reading"),
)
MISSED = AlertKind(
    key="<poller>/<job>/missed",
    severity="warning",
    text=mark(
        "{poller}: no {slots:reading|readings} for {slots}[ and perhaps more since {older_since}]: {reason}."
        "[ Next slot {next_slot}.] Recorded as missing, not zero."
    ),
    over=mark("{poller}: working again"),
    ends=mark("the next reading"),
    short=mark("reading missed"),
    many=mark("jobs with missed slots"),
)
CRASHED = AlertKind(
    key="<poller>/<job>/crashed",
    severity="error",
    text=mark(
        "{poller}: no reading[ for {slot}]: tallyd itself failed ({reason}). "
        "The log has the traceback; please report it.[ Next slot {next_slot}.]"
    ),
    over=mark("{poller}: working again"),
    ends=mark("the next reading"),
    short=mark("tallyd itself failed"),
    many=mark("jobs that crashed"),
    at_once=True,
)
OVERDUE = AlertKind(
    key="<poller>/<job>/overdue",
    severity="error",
    text=mark(
        "{poller}: {job}, started at {since}, has made no progress for over {limit}. "
        "Other jobs continue. If this does not end, restart tallyd."
    ),
    over=mark("{poller}: {job} is no longer stuck"),
    ends=mark("the run makes progress again, or ends"),
    short=mark("stuck"),
    many=mark("stuck jobs"),
    at_once=True,
)
RUN_KINDS = (FAILED, MISSED, CRASHED, OVERDUE)
"""The kinds for the jobs of every poller."""
UNSENT = AlertKind(
    key="<poller>/<ssid>/unsent",
    severity="error",
    text=mark(
        "report {slot}[ for {ssid}] [not accepted: {answer}][not delivered: {reason}]."
        "[ No retry before {no_retry_before}.] Counting goes on; the newest report is retried."
        "{answer: Is this machine's address still unlocked?}"
    ),
    over=mark("reports[ for {ssid}] are accepted again"),
    ends=mark("the upstream accepts a report of that name"),
    short=mark("reports not accepted"),
    many=mark("names whose reports are not accepted"),
    subject="ssid",
    at_once=True,
)
"""The kind for every poller that sends reports to an upstream."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run without a reading: its poller and job, its slot (None outside the timetable), and the next slot
    (None: there is none).

    `asked_s` is how many seconds the source asked us to wait; 0 if it did not.
    """

    poller: str
    job: str
    due_at: datetime | None
    now: datetime
    next_at: datetime | None
    asked_s: float = 0.0

    @property
    def no_retry_before(self) -> At | None:
        """The end of the wait that the source asked for; None: no wait, or the next slot comes first."""
        until = self.now + timedelta(seconds=self.asked_s)
        if not self.asked_s or (self.next_at is not None and self.next_at <= until):
            return None
        return At(until)

    @property
    def next_slot(self) -> At | None:
        return None if self.next_at is None else At(self.next_at)

    @property
    def slot(self) -> At | None:
        return At(self.due_at, has_day=True) if self.due_at else None

    @property
    def since(self) -> datetime:
        return self.due_at or self.now


def failed_for_now(run: Run, failure: str, *, attempts: int, until: datetime) -> Problem:
    """Return the problem of a run that will start again before `until`, the end of its catch-up."""
    tried = _tried(attempts, run)
    return _failed(run, failure, **tried, no_retry_before=run.no_retry_before, again_until=At(until))


def failed_for_good(run: Run, failure: str, *, attempts: int) -> Problem:
    """Return the problem of a slot that will never have a reading."""
    return _failed(
        run,
        failure,
        **_tried(attempts, run),
        no_retry_before=run.no_retry_before,
        next_slot=run.next_slot,
        lost=_lost(run),
    )


def refused(run: Run, failure: str) -> Problem:
    """Return the problem of a failure that another try would not fix (a wrong key)."""
    found = _failed(run, failure, no_retry_before=run.next_slot, lost=_lost(run))
    return replace(found, at_once=True, stays=True)


def _failed(run: Run, reason: str, **fields: Value | None) -> Problem:
    return FAILED.problem(
        run.poller, run.job, since=run.since, poller=run.poller, slot=run.slot, reason=reason, **fields
    )


def _lost(run: Run) -> int | None:
    """Return how many readings are lost: one if the run had a slot."""
    return 1 if run.due_at else None


def _tried(attempts: int, run: Run) -> dict[str, Value | None]:
    return {"attempts": attempts, "until": At(run.now)} if attempts > 1 else {}


def missed(
    run: Run, slots: Sequence[datetime], reason: str, *, older_since: datetime | None = None
) -> Problem:
    """Return the problem of slots at which nothing ran; `slots` are those since the last reading.

    With `older_since`, there may be others from then on that nobody looked at.
    """
    return MISSED.problem(
        run.poller,
        run.job,
        since=slots[0],
        poller=run.poller,
        slots=several(At(at) for at in slots),
        older_since=At(older_since) if older_since else None,
        reason=reason,
        next_slot=run.next_slot,
    )


def crashed(run: Run, kind: str) -> Problem:
    """Return the problem of a bug. `kind` is the exception's type; its text may hold anything."""
    return CRASHED.problem(
        run.poller,
        run.job,
        since=run.since,
        poller=run.poller,
        slot=run.slot,
        reason=kind,
        next_slot=run.next_slot,
    )


def unsent(
    poller: str,
    ssid: str,
    *,
    slot_at: datetime,
    reason: str,
    was_refused: bool,
    since: datetime,
    is_only: bool,
    no_retry_before: datetime | None = None,
) -> Problem:
    """Return the problem of reports that an upstream does not accept, or that do not reach it.

    `slot_at` is the slot of the report that was tried last. The upstream asked for time until
    `no_retry_before`. `is_only`: all reports of the poller have one name.
    """
    return UNSENT.problem(
        poller,
        ssid,
        since=since,
        slot=At(slot_at),
        ssid=None if is_only else ssid,
        answer=reason if was_refused else None,
        reason=None if was_refused else reason,
        no_retry_before=At(no_retry_before) if no_retry_before else None,
    )


def overdue(poller: str, job: str, *, since: datetime, limit_s: float) -> Problem:
    """Return the problem of a run that shows no progress for `limit_s`. `since` is when it started."""
    return OVERDUE.problem(poller, job, since=since, poller=poller, job=job, limit=Span(limit_s))
