"""Who was available in the past: a volunteer unit, where few are there on working days and most at night."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tallyd.demo.world.chance import drawn_for
from tallyd.demo.world.people import (
    AWAY,
    LEAVE,
    LIMITED,
    MEMBERS,
    ON_LEAVE,
    OUT,
    READY,
    WITHOUT_STATUS,
    Member,
    Status,
)

_WORKDAYS = range(5)
_AT_WORK, _EVENING = range(6, 17), range(17, 22)
_LIMITED_SHARE = 0.12
_ANSWERS_ALARM = 0.75
_STEADY = 0.7
"""How much of a person's status lasts for a quarter of the day; the rest changes by the hour."""


def statuses_at(local: datetime, *, is_alarm: bool = False) -> Mapping[Member, Status | None]:
    """Return everybody's status at a local time, the same for that hour for ever."""
    hour = drawn_for("strength", f"{local:%Y-%m-%dT%H}")
    quarter = drawn_for("strength", local.date(), local.hour // 6)
    likely = _likely(local)
    found: dict[Member, Status | None] = {}
    for member in MEMBERS:
        mood = _STEADY * quarter.random() + (1 - _STEADY) * hour.random()
        answers = hour.random() < _ANSWERS_ALARM
        if member.number in WITHOUT_STATUS:
            found[member] = None
        elif member.number == ON_LEAVE:
            found[member] = LEAVE
        elif mood < likely:
            found[member] = OUT if is_alarm and answers else READY
        else:
            found[member] = LIMITED if mood < likely + _LIMITED_SHARE else AWAY
    return found


def _likely(local: datetime) -> float:
    """Return about how many of all who have a status are ready, from 0 to 1."""
    is_workday = local.weekday() in _WORKDAYS
    if local.hour in _AT_WORK:
        return 0.54 if is_workday else 0.6
    if local.hour in _EVENING:
        return 0.63
    return 0.75
