"""What the demo shows of its daemon, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import pytest

from tallyd.core.language.languages import reading_in
from tallyd.demo.child import Child
from tallyd.demo.folder import DemoFolder
from tallyd.demo.show import Show, in_a_line, shown
from tallyd.demo.timetable import Pace

CONTENTS: dict[str, tuple[dict[str, Any], str]] = {
    "statuses by their names": (
        {"total": 6, "counts": {"50101": 2, "50102": 1, "none": 3}, "names": {"50101": "ready"}},
        "6 people: ready 2, 50102 1, no status 3",
    ),
    "a hidden count": ({"total": 9, "counts": {"1": None, "2": 7}, "names": {}}, "9 people: 1 hidden, 2 7"),
    "visitors": ({"counts": {"in": 9, "out": 2, "inside": 7}}, "in 9, out 2, inside 7"),
}


@pytest.mark.parametrize(("content", "shown"), CONTENTS.values(), ids=CONTENTS)
def test_counts_are_shown_in_a_line(content: dict[str, Any], shown: str) -> None:
    assert in_a_line(content) == shown


def test_counts_are_shown_in_the_language_of_the_reader() -> None:
    content = {"total": 1204, "counts": {"50101": None, "none": 1204}, "names": {"50101": "Einsatzbereit"}}
    with reading_in("de"):
        assert in_a_line(content) == "1.204 Personen: Einsatzbereit verborgen, ohne Status 1.204"
        assert in_a_line({"counts": {"in": 2, "balance": 2}}) == "Eintritte 2, Bilanz 2"
        assert shown("eins\nzwei") == "Chat: eins\n      zwei"


class SlowlyStarting:
    """A daemon that runs at the fifth look."""

    looks = 0

    def new_lines(self) -> Iterator[str]:
        self.looks += 1
        if self.looks == 5:
            yield "2026-11-20 12:00:00 UTC INFO tallyd started config=config.json pid=7"

    def has_ended(self) -> bool:
        return False


def test_the_time_that_was_asked_for_begins_when_the_daemon_runs(tmp_path: Path) -> None:
    show = Show(DemoFolder(tmp_path), "http://127.0.0.1:1", Pace(), zone="UTC", messages=SimpleQueue())
    daemon = SlowlyStarting()
    show.watch(cast("Child", daemon), 0.01)
    assert daemon.looks >= 5
