"""How many files the daemon says that it took."""

from __future__ import annotations

import pytest

from tallyd.demo.files import Files

TAKEN = "2026-11-26 12:21:27 CET INFO visitors sweep: files taken "
LINES = {
    "all kinds": (f"{TAKEN}done=3 empty=2 rejected=1 records=17 skipped=0", Files(4, 3, 2)),
    "some not": (f"{TAKEN}done=3 repeat=1 waiting=9 unsettled=2 records=3 skipped=0", Files(4, 1, 1)),
    "another event": (
        "2026-11-26 12:21:27 CET INFO visitors sweep: file known already done=3",
        Files(1, 1, 1),
    ),
    "another job": ("2026-11-26 12:21:27 CET INFO visitors report: reading taken done=3", Files(1, 1, 1)),
    "no line of a log": ("Traceback (most recent call last):", Files(1, 1, 1)),
}


@pytest.mark.parametrize(("line", "after"), LINES.values(), ids=LINES)
def test_files_are_added_up(line: str, after: Files) -> None:
    assert Files(1, 1, 1).and_those_of(line) == after


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        (Files(), "0 files"),
        (Files(1, 0, 0), "1 file"),
        (Files(4, 3, 0), "7 files (3 empty)"),
        (Files(4, 3, 2), "9 files (3 empty, 2 refused)"),
        (Files(0, 0, 1), "1 file (1 refused)"),
    ],
)
def test_they_are_shown_in_words(files: Files, shown: str) -> None:
    assert str(files) == shown


def test_those_since_an_earlier_look_are_the_difference() -> None:
    assert Files(5, 4, 3).since(Files(1, 2, 3)) == Files(4, 2, 0)
