"""What the demo came to, poller by poller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tallyd.demo.counts import Counted, in_a_table, missing, targets_in_a_table
from tallyd.demo.files import Files
from tallyd.presentation.terminal import say, show_table

Readings: TypeAlias = Mapping[str, Sequence[Counted]]
"""The readings of each poller by its name, one at least of each."""


def show_summary(readings: Readings, *, every_s: float, files: Files, reports: int) -> None:
    """Say of each poller how many readings it has, and what they came to.

    `every_s` is the timetable of Divera's; `files` is what was taken, `reports` what the upstream took.
    """
    for poller, own in sorted(readings.items()):
        kind = own[-1].kind
        gaps = missing(own, every_s=every_s) if kind == "divera" else 0
        number = "1 reading in 1 file" if len(own) == 1 else f"{len(own)} readings in as many files"
        slots = f"; {gaps} slot{'' if gaps == 1 else 's'} without a reading" if gaps else ""
        say(f"\n{poller}: {number}, below {own[-1].path.parent}/{slots}")
        if kind == "visitors":
            say(f"{files} taken; the upstream took {reports} report{'' if reports == 1 else 's'}")
        say()
        _show_table(kind, own)


def _show_table(kind: str, own: Sequence[Counted]) -> None:
    if kind == "servers":
        headings: tuple[str, ...] = ("server", "last", "states", "oldest data")
        show_table(headings, targets_in_a_table(own), see="a wider terminal")
    else:
        heading = "status" if kind == "divera" else "today"
        headings = (heading, "last", "least", "most")
        show_table(headings, in_a_table(own), right=frozenset({1, 2, 3}), see="a wider terminal")
