"""The made-up people: who is on which status is a pure rule."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest

from tallyd.demo.world.people import (
    ALARM_BEGINS_S,
    ALARM_EVERY_S,
    ALARM_LASTS_S,
    LEAVE,
    MEMBERS,
    OUT,
    READY,
    counts_at,
    status_of,
)


def test_there_are_25_memberships_and_one_person_has_two() -> None:
    memberships = Counter(member.user_id for member in MEMBERS)

    assert len(MEMBERS) == 25
    assert sorted(memberships.values())[-2:] == [1, 2]


def test_phones_are_from_the_range_set_aside_for_fiction_and_mail_goes_nowhere() -> None:
    assert all(re.fullmatch(r"\+49 30 23125 \d{3}", member.phone) for member in MEMBERS)
    assert all(re.fullmatch(r"[a-zä.]+@feuerwehr\.example", member.email) for member in MEMBERS)


def test_another_process_finds_everybody_on_the_same_status() -> None:
    script = "from tallyd.demo.world.people import *; print([counts_at(at).total() and [s and s.id for s in"
    script += " (status_of(m, at) for m in MEMBERS)] for at in (0, 3.5, 100, 86400)])"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    here = [
        [status and status.id for status in (status_of(member, at) for member in MEMBERS)]
        for at in (0, 3.5, 100, 86400)
    ]
    assert said.strip() == str(here)


def test_a_whole_second_is_the_same_instant_however_it_is_written() -> None:
    for at in range(0, 300, 7):
        assert counts_at(at) == counts_at(float(at))


def test_counts_move_between_any_two_readings_of_the_demo() -> None:
    readings = [counts_at(at) for at in range(4, 600, 10)]

    moved = sum(before != after for before, after in pairwise(readings))
    assert moved >= 0.9 * len(readings)


def test_everybody_is_counted_at_any_time_and_some_have_no_status() -> None:
    for at in range(300):
        counts = counts_at(at)
        assert counts.total() == len(MEMBERS)
        assert counts[None] == 3
        assert counts[LEAVE] == 1


@pytest.mark.parametrize("alarm", [0, 1, 60])
def test_an_alarm_takes_most_of_the_ready_ones_out_for_a_while(alarm: int) -> None:
    begins = alarm * ALARM_EVERY_S + ALARM_BEGINS_S

    assert counts_at(begins - 0.5)[OUT] == 0
    assert counts_at(begins + ALARM_LASTS_S / 2)[OUT] > counts_at(begins + ALARM_LASTS_S / 2)[READY]
    assert counts_at(begins + ALARM_LASTS_S)[OUT] == 0
