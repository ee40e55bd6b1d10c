"""The servers poller: every so often it asks each target how old its data is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from tallyd.contract.poller import Found, Job
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.questions import Question
from tallyd.core.reading import Json
from tallyd.core.schedule.timetable import Every
from tallyd.core.texts import span
from tallyd.pollers.servers.alert_kinds import KINDS, TARGET_KINDS, UNSTORED
from tallyd.pollers.servers.check_round import check_all, round_of
from tallyd.pollers.servers.freshness import CheckResult
from tallyd.pollers.servers.questions import QUESTIONS
from tallyd.pollers.servers.settings import ServersSettings
from tallyd.pollers.servers.target_memory import TargetMemory

_LIMIT_S = 300.0
"""Without progress. Each check ends with its timeout, but for the lookup of a name."""


class ServersPoller(ServersSettings):
    """Asks servers when their data was last computed."""

    @classmethod
    def alert_kinds(cls) -> tuple[AlertKind, ...]:
        """Return what can be said of a target, and of a database that takes no checks."""
        return KINDS

    def watched(self) -> Mapping[str, frozenset[str]]:
        """Return the targets that people are told of."""
        notified = frozenset(target.name for target in self.checked if target.is_notified)
        return {
            **{kind.what: notified for kind in TARGET_KINDS.values()},
            UNSTORED.what: frozenset({"database"}),
        }

    def reminders(self) -> Mapping[str, float | None]:
        """Return how often each target is told again, in seconds; None: never. Others as all problems."""
        return {target.name: target.remind_every_s for target in self.checked if target.has_reminder}

    def view(self, subject: str, what: str) -> Mapping[str, str]:
        """Return the target that a problem is of: its view shows the plot of its lag."""
        is_of_target = any(kind.what == what for kind in TARGET_KINDS.values()) and subject in self.targets
        return {"target": subject} if is_of_target else {}

    def jobs(self) -> tuple[Job, ...]:
        """Return the one job, `check`: a run is a round."""
        check = Job(
            name="check",
            when=Every(self.every),
            evaluates=frozenset(kind.what for kind in KINDS),
            limit_s=_LIMIT_S,
            run=partial(round_of, self),
        )
        return (check,)

    @property
    def needs_records(self) -> bool:
        """Yes: changes and hours are stored in the database."""
        return True

    def probe(self, tools: Toolbox) -> tuple[Found, ...]:
        """Check every target once and return the state of each."""
        results = check_all(self, tools, TargetMemory())
        return tuple(
            Found(
                target.name,
                result.reason or f"{result.state}, {_age(result)} ({result.answered})",
                None,
                is_fine=result.lag_s is not None,
            )
            for target in self.checked
            for result in (results[target.name],)
        )

    @classmethod
    def found_headings(cls) -> tuple[str, ...]:
        """Return the headings of the targets checked."""
        return ("target", "state")

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


def _age(result: CheckResult) -> str:
    lag_s = result.lag_s or 0.0
    return f"{span(-lag_s)} ahead" if result.state == "future" else f"{span(max(lag_s, 0.0))} old"
