"""The alert about a requirement that is not met."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime

from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.values import Value, several
from tallyd.core.reading import Problem
from tallyd.pollers.divera.requirement import Requirement

BELOW = AlertKind(
    key="<poller>/<requirement>/below",
    severity="warning",
    text="{poller}: [{name}: ][{people:# person|# people}][fewer than {too_few} people]"
    "[ with qualification {qualification}] on {statuses}[, minimum {at_least}]"
    "[; the monitor in Divera does not show {unshown}, so nobody is counted there]",
    over="{poller}: {requirement}: enough people again[{hours:, or outside its hours}]",
    ends="a reading with enough people, or one outside its hours (`when`)",
    short="below the minimum",
    many="minimum strengths not reached",
    subject="requirement",
)


@dataclass(frozen=True)
class Shortage:
    """Only `found` people where a requirement wants more."""

    requirement: Requirement
    found: int

    def problem(
        self,
        poller: str,
        names: Mapping[str, str],
        *,
        since: datetime,
        shown: Container[str],
        is_hidden: bool,
    ) -> Problem:
        """Return the problem. `names` are those of statuses, `shown` the statuses that the source shows.

        `is_hidden`: small counts are hidden, so it names only the minimum.
        """
        wanted = self.requirement
        labels = [f"{names[each]} ({each})" if each in names else each for each in wanted.statuses]
        statuses = several(labels, most=len(labels))
        numbers: dict[str, Value] = (
            {"too_few": wanted.count} if is_hidden else {"people": self.found, "at_least": wanted.count}
        )
        return BELOW.problem(
            poller,
            wanted.id,
            since=since,
            poller=poller,
            name=wanted.name,
            requirement=wanted.name or statuses,
            statuses=statuses,
            qualification=wanted.qualification,
            hours=len(wanted.when) or None,
            unshown=several(each for each in wanted.statuses if each not in shown),
            **numbers,
        )
