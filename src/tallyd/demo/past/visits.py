"""Who walked in and out in the past: open by day, busier at weekends, empty at night.

As in the crowd of the small world, everybody who comes also leaves, and a gate that is closed lets nobody
pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from tallyd.contract.passages import Count, seen_text
from tallyd.demo.world.chance import drawn_for
from tallyd.demo.world.crowd import HOSTS

STEP = timedelta(minutes=5)
"""Everybody of five minutes passes in the first one of them. Each alone: five times as many rows."""
_OPENS, _CLOSES = time(9), time(18)
_HOURLY = (260, 620, 900, 860, 980, 1250, 1180, 760, 330)
"""How many come on an ordinary working day, from hour to hour."""
_BUSY = {5: 1.9, 6: 2.1}
"""How many times as many on Saturday and Sunday."""
_SHARES = {"12": 0.38, "23": 0.22, "24": 0.15, "32": 0.25}
_LEAVE_AFTER = ((3, 0.1), (6, 0.25), (9, 0.3), (12, 0.2), (18, 0.15))
"""After how many steps which share of those who came has left."""
_TURNS_ROUND = 0.04

Minutes = dict[str, dict[str, Count]]
"""The counts of each host by minute."""


def visits_of(
    day: date, zone: ZoneInfo, *, is_open: Callable[[str, datetime], bool] = lambda _host, _at: True
) -> Minutes:
    """Return the counts of a local day by host and minute. `is_open` says which gates let people pass."""
    chance = drawn_for("visits", day)
    begin = datetime.combine(day, _OPENS, zone).astimezone(UTC)
    coming = _coming(day, chance)
    leaving = _leaving(coming)
    found: Minutes = {host: {} for host in HOSTS}
    for number, (came, left) in enumerate(zip(coming, leaving, strict=True)):
        at = begin + number * STEP
        gates = [host for host in HOSTS if is_open(host, at)]
        minute = seen_text(at)
        ins, outs = _spread(came, gates, chance), _spread(left, gates, chance)
        for host in gates:
            if ins[host] or outs[host]:
                turned = int(ins[host] * _TURNS_ROUND + chance.random())
                found[host][minute] = Count(ins[host], outs[host], turned, minute, minute)
    return found


def cut(minutes: Mapping[str, Count], *, before: datetime) -> dict[str, Count]:
    """Return the counts of the minutes before an instant."""
    bound = seen_text(before)
    return {minute: count for minute, count in minutes.items() if minute < bound}


def totals(minutes: Mapping[str, Mapping[str, Count]]) -> dict[str, Count]:
    """Return the sum of each host at which anybody passed."""
    return {host: _total(found) for host, found in minutes.items() if found}


def _total(minutes: Mapping[str, Count]) -> Count:
    counts = minutes.values()
    return Count(
        sum(each.n_in for each in counts),
        sum(each.n_out for each in counts),
        sum(each.n_other for each in counts),
        min(minutes),
        max(minutes),
    )


def _coming(day: date, chance: Random) -> Sequence[int]:
    """Return how many come in each step of the day, from the opening until all have left."""
    busy = _BUSY.get(day.weekday(), 1.0) * chance.uniform(0.75, 1.2)
    steps = timedelta(hours=1) // STEP
    coming = [
        int(hourly * busy * chance.uniform(0.7, 1.3) / steps) for hourly in _HOURLY for _ in range(steps)
    ]
    return [*coming, *[0] * max(after for after, _ in _LEAVE_AFTER)]


def _leaving(coming: Sequence[int]) -> Sequence[int]:
    """Return how many leave in each step. In the end all have left, and never more than came."""
    due = [0.0] * len(coming)
    for number, came in enumerate(coming):
        for after, share in _LEAVE_AFTER:
            if came:
                due[number + after] += came * share
    leaving, total, gone = [], 0.0, 0
    for each in due:
        total += each
        leaving.append(int(total + 1e-6) - gone)
        gone += leaving[-1]
    return leaving


def _spread(people: int, gates: Sequence[str], chance: Random) -> dict[str, int]:
    """Return how many of these people pass each gate."""
    whole = sum(_SHARES[host] for host in gates)
    found: dict[str, int] = {}
    left = people
    for host in gates[1:]:
        found[host] = min(left, int(people * _SHARES[host] / whole + chance.random()))
        left -= found[host]
    return {gates[0]: left, **found}
