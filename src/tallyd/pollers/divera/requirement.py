"""Requirements: how many people a unit needs, on which statuses, with which qualification, at which hours."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from datetime import datetime
from typing import Annotated
from unicodedata import normalize

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator

from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.values import Value, several
from tallyd.core.history import NO_STATUS
from tallyd.core.language.messages import mark
from tallyd.core.reading import Problem
from tallyd.core.schedule.hours import any_hold
from tallyd.core.texts import UNPRINTABLE
from tallyd.settings.alerting import HoursSettings
from tallyd.settings.types import PositiveInt, Strict, as_tuple, wrong

STATUS_ID = re.compile(rf"[1-9][0-9]{{0,18}}|{NO_STATUS}")
_QUALIFICATION_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_LONGEST_NAME = 80


def _status_id(written: str) -> str:
    if not STATUS_ID.fullmatch(written):
        raise wrong(f'must be a status id such as "50101", or "{NO_STATUS}" for people without a status')
    return written


def _qualification(written: str) -> str:
    if not _QUALIFICATION_ID.fullmatch(written):
        raise wrong('must be the id of a qualification in Divera, such as "2"')
    return written


def _name(written: str) -> str:
    if not written.strip() or "/" in written or UNPRINTABLE.search(written):
        raise wrong("must be a name without `/` and control characters")
    if all(STATUS_ID.fullmatch(part) for part in written.strip().split("+")):
        raise wrong("is a status id, or a sum of them, which names a requirement without a name; remove it")
    return normalize("NFC", written.strip())


BELOW = AlertKind(
    key="<poller>/<requirement>/below",
    severity="warning",
    text=mark(
        "{poller}: [{name}: ][{people:# person|# people}][fewer than {too_few} people]"
        "[ with qualification {qualification}] on {statuses}[, minimum {at_least}]"
        "[; the monitor in Divera does not show {unshown}, so nobody is counted there]"
    ),
    over=mark("{poller}: {requirement}: enough people again"),
    ends=mark("a reading with enough people; it also ends outside its hours (`when`)"),
    short=mark("below the minimum"),
    many=mark("minimum strengths not reached"),
    subject="requirement",
)

StatusId = Annotated[
    str,
    AfterValidator(_status_id),
    WithJsonSchema({"type": "string", "pattern": f"^({STATUS_ID.pattern})$", "examples": ["50101"]}),
]


class Requirement(Strict):
    """A minimum strength. tallyd warns below it, and reports how often it was met."""

    name: Annotated[str, Field(max_length=_LONGEST_NAME), AfterValidator(_name)] | None = Field(
        None, description="Name for messages and reports. Default: the statuses."
    )
    statuses: Annotated[tuple[StatusId, ...], BeforeValidator(as_tuple)] = Field(
        description="Status ids to add up. `none` stands for people without a status."
    )
    count: PositiveInt = Field(description="Minimum number of people on these statuses together.")
    qualification: Annotated[str, AfterValidator(_qualification)] | None = Field(
        None,
        description="Count only people with this qualification, by its id. Only with `source` `monitor`. "
        "tallyd then also counts qualifications.",
    )
    when: Annotated[tuple[HoursSettings, ...], BeforeValidator(as_tuple)] = Field(
        (), description="Hours in which it applies, by the time of the slot. Empty: always."
    )

    @field_validator("statuses")
    @classmethod
    def _are_statuses(cls, statuses: tuple[str, ...]) -> tuple[str, ...]:
        if not statuses:
            raise wrong("must name at least one status")
        if len(set(statuses)) < len(statuses):
            raise wrong("names a status twice; keep one")
        return statuses

    @property
    def id(self) -> str:
        """What names it in keys of alerts and in reports."""
        return self.name or "+".join(self.statuses)

    def applies(self, local: datetime) -> bool:
        """Whether a slot at this local time is judged."""
        return not self.when or any_hold((each.hours for each in self.when), local)

    def found(self, counts: Mapping[str, int], qualifications: Mapping[str, Mapping[str, int]]) -> int:
        """Return how many people there are. A missing status or qualification counts as 0."""
        if self.qualification is None:
            return sum(counts.get(status, 0) for status in self.statuses)
        return sum(qualifications.get(status, {}).get(self.qualification, 0) for status in self.statuses)

    def problem(
        self,
        poller: str,
        found: int,
        names: Mapping[str, str],
        *,
        since: datetime,
        shown: Container[str],
        is_hidden: bool,
    ) -> Problem:
        """Return the problem that it is not met. `names` are those of statuses, `shown` those in the source.

        `is_hidden`: small counts are hidden, so it names only the minimum.
        """
        labels = [f"{names[each]} ({each})" if each in names else each for each in self.statuses]
        statuses = several(labels, most=len(labels))
        numbers: dict[str, Value] = (
            {"too_few": self.count} if is_hidden else {"people": found, "at_least": self.count}
        )
        return BELOW.problem(
            poller,
            self.id,
            since=since,
            poller=poller,
            name=self.name,
            requirement=self.name or statuses,
            statuses=statuses,
            qualification=self.qualification,
            unshown=several(each for each in self.statuses if each not in shown),
            **numbers,
        )
