"""The servers poller: every so often it asks each target how old its data is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo
from functools import partial

from tallyd.contract.growth import READING_BYTES, Growth
from tallyd.contract.job import Job
from tallyd.contract.poller import Found
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.notices import AlertPolicy
from tallyd.core.language.formats import span
from tallyd.core.language.messages import mark, tr, translated, translation
from tallyd.core.questions import Question
from tallyd.core.reading import Json
from tallyd.core.schedule.calendar import NEAR_DAYS
from tallyd.core.schedule.hours import never_begins
from tallyd.core.schedule.timetable import YEAR_S, Every
from tallyd.core.workers_spec import WorkersNeeded
from tallyd.pollers.servers.alert_kinds import (
    DATABASE,
    KINDS,
    TARGET_KINDS,
    UNREACHABLE,
    UNSTORED,
    VANISHED,
)
from tallyd.pollers.servers.boards.checks_table import SHOWN
from tallyd.pollers.servers.boards.shown import ServersShown
from tallyd.pollers.servers.freshness import CheckResult
from tallyd.pollers.servers.questions import QUESTIONS
from tallyd.pollers.servers.rounds.check_round import round_of
from tallyd.pollers.servers.rounds.checking import check_all
from tallyd.pollers.servers.rounds.target_memory import CHECK, TargetMemory

_TARGET_BYTES, _HOUR_BYTES = 220, 65
"""Of a target in an out file, and of one hour of a target in the database."""
_LIMIT_S = 300.0
"""Without progress. Each check ends with its timeout."""


class ServersPoller(ServersShown):
    __doc__ = mark("Asks servers when their data was last computed.")  # people read it, in their language

    @classmethod
    def alert_kinds(cls) -> tuple[AlertKind, ...]:
        """Return what can be said of a target, and of a database that takes no checks."""
        return KINDS

    def watched(self) -> Mapping[str, frozenset[str]]:
        """Return the targets that send alerts."""
        notified = frozenset(target.name for target in self.checked if target.is_notified)
        return {
            **{kind.what: notified for kind in (*TARGET_KINDS.values(), VANISHED)},
            UNSTORED.what: frozenset({DATABASE}),
        }

    def hosts(self) -> Mapping[tuple[str, str], str]:
        """Return the hosts of the targets that send alerts, but for this machine."""
        what = UNREACHABLE.what
        return {
            (target.name, what): target.source.host
            for target in self.checked
            if target.is_notified and target.source.host
        }

    def own_policies(self, whole: AlertPolicy) -> Mapping[str, AlertPolicy]:
        """Return the alert policy of each target that has its own; an item has that of its target."""
        found = ((target.name, target.policy(whole)) for target in self.checked)
        return {name: policy for name, policy in found if policy is not whole}

    def group_members(self) -> Mapping[str, frozenset[str]]:
        """Return the targets of each group; the items of an answer belong to its target."""
        found: dict[str, set[str]] = {}
        for target in self.checked:
            if target.group:
                found.setdefault(target.group, set()).add(target.name)
        return {group: frozenset(names) for group, names in found.items()}

    def due_times(self, now: datetime, zone: tzinfo) -> tuple[tuple[str, datetime], ...]:
        """Return when new data of each target with `due` must be there next."""
        found = ((target.name, target.next_due(now, zone)) for target in self.checked)
        return tuple((name, at) for name, at in found if at is not None)

    def vain(self, now: datetime, zone: tzinfo) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """Return the targets for which no data is ever due, or whose hours never begin."""
        for target in self.checked:
            place = ("targets", target.name)
            if target.due and target.next_due(now, zone) is None:
                yield (*place, "due"), tr("nothing is due in the next {days} days", days=NEAR_DAYS)
            if why := never_begins(target.active, now.astimezone(zone).date()):
                yield (*place, "active"), why

    def view(self, subject: str, what: str) -> Mapping[str, str]:
        """Return the target that a problem is of: its view shows the plot of its lag."""
        is_of_target = what in {kind.what for kind in (*TARGET_KINDS.values(), VANISHED)}
        return {"target": subject} if is_of_target and self.target(subject) else {}

    def jobs(self) -> tuple[Job, ...]:
        """Return the one job, `check`: a run is a round."""
        check = Job(
            name=CHECK,
            when=Every(self.every),
            evaluates=frozenset(kind.what for kind in KINDS),
            limit_s=_LIMIT_S,
            run=partial(round_of, self),
        )
        return (check,)

    def growth(self) -> Growth:
        """Return the regular out files, without those of changes; every hour of a target is kept for ever."""
        count = len(self.checked)
        return Growth(
            files=YEAR_S / self.write_every,
            file_bytes=READING_BYTES + count * _TARGET_BYTES,
            rows_bytes=YEAR_S / 3600 * count * _HOUR_BYTES,
        )

    @classmethod
    def default_keep_days(cls) -> int | None:
        """Return 90: a hundred targets write a gigabyte a year, and the database has every hour for ever."""
        return 90

    @property
    def needs_records(self) -> bool:
        """Yes: changes and hours are stored in the database."""
        return True

    def workers_needed(self) -> WorkersNeeded | None:
        """Return who else asks the targets."""
        if self.executor == "threads":
            return None
        return WorkersNeeded(processes=self.processes or 0, scheduler=self.scheduler)

    @property
    def duties(self) -> frozenset[str]:
        """Checks: a second daemon would overwrite the hours of the first."""
        return frozenset({"checks"})

    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        """Check every target once and return the state of each."""
        results = check_all(self, tools, TargetMemory()).results
        return tuple(
            Found(
                target.name,
                translated(result.reason) or _found(result),
                None,
                is_fine=result.lag_s is not None,
            )
            for target in self.with_items(results)
            for result in (results[target.name],)
        )

    # -- for a person who writes a config ------------------------------------------------------------------

    @classmethod
    def found_headings(cls) -> tuple[str, ...]:
        """Return the headings of the targets checked."""
        return (tr("target"), tr("state"))

    @classmethod
    def starter(cls, secrets: str) -> Mapping[str, Json]:
        """Return a poller to begin with."""
        del secrets
        return {
            "every": "60s",
            "targets": {"PROD": {"url": "http://127.0.0.1:5000/version", "stale_after": "15m"}},
        }

    @classmethod
    def questions(cls) -> tuple[Question, ...]:
        """Return what a person is asked."""
        return QUESTIONS


def _found(result: CheckResult) -> str:
    lag_s, answered = result.lag_s or 0.0, translated(result.answered)
    if result.state == "future":
        return tr("future, {span} ahead[ ({answered})]", span=span(-lag_s), answered=answered)
    return tr(
        "{state}, {age} old[ ({answered})]",
        state=translation(SHOWN[result.state].word),
        age=span(max(lag_s, 0.0)),
        answered=answered,
    )
