"""The invented people of the small world, and the rule for their status.

The status of each person is a pure function of the seconds since the world began: no state, no chance, the
same in every run. Last names are plants, and phone numbers are from the ranges reserved for fiction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tallyd.demo.world.chance import chance

ALARM_EVERY_S = 60
ALARM_BEGINS_S = 15
ALARM_LASTS_S = 20
"""From second 15 of each minute on, most people who are ready are out for 20 s."""
_ANSWERS_ALARM = 0.7
_SHORTEST_HOLD_S, _LONGEST_HOLD_S = 8, 30


@dataclass(frozen=True)
class Status:
    """A status of the unit. Names have the spaces that people typed."""

    id: int
    name: str
    color_hex: str
    hidden: bool = False


READY = Status(50101, "Einsatzbereit ", "1ba345")
LIMITED = Status(50102, "Bedingt bereit", "ffd000")
AWAY = Status(50103, "Nicht bereit  ", "d60000")
OUT = Status(50104, "Im Einsatz ", "0057b8")
LEAVE = Status(50105, "Beurlaubt", "999999", hidden=True)
STATUSES = (READY, LIMITED, AWAY, OUT, LEAVE)

QUALIFICATIONS: Mapping[int, str] = {1: "Atemschutz", 2: "Maschinist ", 3: "Gruppenführer"}


@dataclass(frozen=True, kw_only=True)
class Member:
    """A membership: a person in two units has two, with one `user_id`. `number` counts them from 1."""

    number: int
    user_id: int
    cluster_id: int
    firstname: str
    lastname: str
    qualifications: tuple[int, ...]

    @property
    def phone(self) -> str:
        return f"+49 30 23125 {self.user_id % 1000:03d}"

    @property
    def email(self) -> str:
        return f"{self.firstname}.{self.lastname}@feuerwehr.example".lower().replace("ü", "ue")


_NAMES = (
    "Mara Ahorn, Jonas Birke, Selma Buche, Till Distel, Greta Eibe, Henry Erle, Ida Esche, Oskar Espe, "
    "Frieda Farn, Emil Fichte, Nele Ginster, Anton Hasel, Paula Holunder, Bruno Kiefer, Lotte Klee, "
    "Hannes Lärche, Merle Linde, Karl Mistel, Elsa Quitte, Ole Rüster, Thea Schlehe, Jasper Tanne, "
    "Carla Ulme, Levi Weide"
)
_HOME, _NEIGHBOURS = 4711, 4712
ON_LEAVE = 22
WITHOUT_STATUS = (13, 23, 24)


def _members() -> Iterator[Member]:
    names = [name.split() for name in _NAMES.split(", ")]
    for number, (firstname, lastname) in enumerate([*names, names[0]], start=1):
        is_second = number > len(names)
        yield Member(
            number=number,
            user_id=90_001 if is_second else 90_000 + number,
            cluster_id=_NEIGHBOURS if is_second else _HOME,
            firstname=firstname,
            lastname=lastname,
            qualifications=tuple(key for key in QUALIFICATIONS if number % (key + 2) == 0),
        )


MEMBERS = tuple(_members())
"""25 memberships of 24 people: the first person is also in a second unit."""


def status_of(member: Member, elapsed_s: float) -> Status | None:
    """Return a member's status `elapsed_s` seconds after the world began; None: the member never had one.

    Each member gets a new random status every 8 to 30 s (often the same), and an alarm calls most of the
    ready members out.
    """
    if member.number in WITHOUT_STATUS:
        return None
    if member.number == ON_LEAVE:
        return LEAVE
    hold_s = _SHORTEST_HOLD_S + int(chance(member.number) * (_LONGEST_HOLD_S - _SHORTEST_HOLD_S))
    turn = int((elapsed_s + member.number) // hold_s)
    status = _drawn(chance(member.number, turn))
    alarm, into_alarm_s = divmod(elapsed_s - ALARM_BEGINS_S, ALARM_EVERY_S)
    is_called = status is READY and elapsed_s >= ALARM_BEGINS_S and into_alarm_s < ALARM_LASTS_S
    if is_called and chance(member.number, "alarm", int(alarm)) < _ANSWERS_ALARM:
        return OUT
    return status


def counts_at(elapsed_s: float) -> Counter[Status | None]:
    """Return how many members are on each status."""
    return Counter(status_of(member, elapsed_s) for member in MEMBERS)


def _drawn(number: float) -> Status:
    return READY if number < 0.55 else LIMITED if number < 0.75 else AWAY
