"""The invented crowd of the small world: who walks in and out, at which gate and when.

It is a pure function of the seconds since the world began, the same in every run. Everybody who comes also
leaves after a while, and nobody leaves who did not come. Each gate is a camera with the name of its host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import pi, sin
from typing import Literal, TypeAlias

from tallyd.demo.world.chance import chance

HOSTS = ("12", "23", "24", "32")
LABELS = {"12": "Gate 12", "23": "Tunnel", "24": "Bridge", "32": "Gate 32"}
QUIET_HOST = "24"
CYCLE_S = 120
QUIET_FROM_S, QUIET_UNTIL_S = 14, 38
"""When in each cycle nothing comes from `QUIET_HOST`. The gate is closed then, and people use another one."""
SHORTEST_STAY_S, LONGEST_STAY_S = 15, 75
_WAVE_S = 90
_MOST_A_SECOND = 3
_TURNS_ROUND = 0.04

Way: TypeAlias = Literal[0, 1, 2]
"""The values in the files: in, out, and somebody who turned around in the gate."""


@dataclass(frozen=True, order=True)
class Passage:
    """A person in a gate: the second since the world began, the camera's number for them, the direction."""

    second: int
    track: int
    way: Way


@dataclass(frozen=True)
class _Visitor:
    number: int
    left_s: int
    turns_round: bool


def is_quiet(host: str, second: int) -> bool:
    """Whether a host reports nothing for that second."""
    return host == QUIET_HOST and QUIET_FROM_S <= second % CYCLE_S < QUIET_UNTIL_S


def passages(host: str, first_s: int, end_s: int) -> tuple[Passage, ...]:
    """Return who passed a gate from the second `first_s` until before `end_s`, the earliest first."""
    return tuple(sorted(passage for second in range(first_s, end_s) for passage in _at(second, host)))


def _at(second: int, host: str) -> Iterator[Passage]:
    for visitor in _coming(second):
        if _gate(visitor.number, 0, second) == host:
            yield Passage(second, visitor.number * 2, 2 if visitor.turns_round else 0)
    for before in range(second - LONGEST_STAY_S, second - SHORTEST_STAY_S + 1):
        for visitor in _coming(before):
            leaves = visitor.left_s == second and not visitor.turns_round
            if leaves and _gate(visitor.number, 1, second) == host:
                yield Passage(second, visitor.number * 2 + 1, 1)


def _gate(number: int, way: int, second: int) -> str:
    open_ones = [host for host in HOSTS if not is_quiet(host, second)]
    return open_ones[int(chance("gate", number, way) * len(open_ones))]


@lru_cache(maxsize=1024)
def _coming(second: int) -> tuple[_Visitor, ...]:
    """Return the visitors who come in a second: up to three, in waves; nobody before the world began."""
    if second < 0:
        return ()
    likely = 0.2 + 0.15 * sin(2 * pi * second / _WAVE_S)
    numbers = (second * _MOST_A_SECOND + place for place in range(_MOST_A_SECOND))
    return tuple(
        _Visitor(
            number,
            second + SHORTEST_STAY_S + int(chance("stay", number) * (LONGEST_STAY_S - SHORTEST_STAY_S)),
            turns_round=chance("turns", number) < _TURNS_ROUND,
        )
        for number in numbers
        if chance("comes", number) < likely
    )
