"""How the demo says what an out file counts."""

from __future__ import annotations

from typing import Any

import pytest

from tallyd.core.language.languages import reading_in
from tallyd.demo.show import in_a_line, shown

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
