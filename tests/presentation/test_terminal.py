"""What commands print: foreign text stays text, numbers stand in line."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tallyd.presentation.terminal import complain, say, show_json, show_table, wide_tables

FOREIGN = "[bold]x[/bold]\x1b[31m\n\u202e;"


def test_a_table_in_a_pipe_is_plain_and_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("status", "count"), [("Einsatzbereit", 12), ("待命", 4), (None, None)], right=frozenset({1}))
    assert capsys.readouterr().out.splitlines() == [
        "status         count",
        "Einsatzbereit     12",
        "待命               4",
        "",
    ]


def test_markup_and_control_characters_are_shown_and_do_not_act(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name",), [(FOREIGN,)])
    say(FOREIGN.replace("\n", ""))
    complain(FOREIGN.replace("\n", ""))
    shown = capsys.readouterr()
    for text in (shown.out.splitlines()[1], shown.out.splitlines()[2], shown.err.splitlines()[0]):
        assert text.startswith(r"[bold]x[/bold]\x1b[31m")
        assert text.endswith(r"\u202e;")


def test_a_long_line_is_not_broken_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    say("word " * 100)
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_json_is_printed_as_utf_8(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"name": "Wäche"})
    assert capsys.readouterr().out == '{\n "name": "Wäche"\n}\n'


class Screen(io.StringIO):
    """What a terminal shows."""

    def isatty(self) -> bool:
        return True


def shown_at(
    columns: int,
    headings: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    prose: frozenset[int] = frozenset(),
    vital: frozenset[int] = frozenset(),
    broken: frozenset[int] = frozenset(),
) -> list[str]:
    """Return the lines that a terminal of this width shows."""
    with pytest.MonkeyPatch.context() as patch:
        screen = Screen()
        patch.setattr(sys, "stdout", screen)
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("TERM", "dumb")
        show_table(headings, rows, prose=prose, vital=vital, broken=broken)
        return [line.rstrip() for line in screen.getvalue().splitlines()]


WORDS = st.lists(st.text("ab門", min_size=1, max_size=5), min_size=1, max_size=2).map(" ".join)


@given(
    rows=st.integers(1, 6).flatmap(
        lambda width: st.lists(st.lists(WORDS, min_size=width, max_size=width), min_size=1, max_size=4)
    ),
    columns=st.integers(40, 90),
)
def test_on_a_terminal_each_value_is_whole_or_its_column_is_named_as_left_out(
    rows: list[list[str]], columns: int
) -> None:
    headings = [f"heading-{number}" for number in range(len(rows[0]))]
    cells = [
        [f"{place}-{text}-{number}" for number, text in enumerate(row)] for place, row in enumerate(rows)
    ]
    header, *lines = shown_at(columns, headings, cells)
    assert all(cell_len(line) <= columns for line in [header, *lines])
    said = " ".join(lines[len(cells) :])
    for number, heading in enumerate(headings):
        is_shown = heading in header.split()
        assert is_shown != (heading in said)
        for line, row in zip(lines, cells, strict=False):
            assert (f"  {row[number]}  " in f"  {line}  ") == is_shown


def test_the_first_column_always_stays_and_the_vital_ones_before_the_others() -> None:
    headings, row = ("name", "a", "b", "c"), ("n" * 20, "a" * 20, "b" * 20, "c" * 20)
    _, shown, *said = shown_at(70, headings, [row], vital=frozenset({3}))
    assert shown == f"{'n' * 20}  {'a' * 20}  {'c' * 20}"
    assert said == ["Left out, for lack of room: b. To see all: --wide"]


def test_a_week_of_means_has_room_because_each_stands_on_two_lines() -> None:
    headings = ("time", *("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))
    row = ("08:00", *(f"1{number}.8 (16-21)" for number in range(7)))
    means = frozenset(range(1, 8))
    assert shown_at(80, headings, [row], broken=means) == [
        "time   Mon      Tue      Wed      Thu      Fri      Sat      Sun",
        "08:00  10.8     11.8     12.8     13.8     14.8     15.8     16.8",
        "       (16-21)  (16-21)  (16-21)  (16-21)  (16-21)  (16-21)  (16-21)",
    ]
    assert shown_at(130, headings, [row], broken=means)[1].split() == " ".join(row).split()


def test_prose_stands_below_its_row_where_there_is_no_room_beside_it() -> None:
    headings, prose = ("name", "why"), frozenset({1})
    assert shown_at(30, headings, [("a", "it is short")], prose=prose) == ["name  why", "a     it is short"]
    rows = [("a", "the word 東門 stands in the middle"), ("b", None)]
    assert shown_at(30, headings, rows, prose=prose) == [
        "name",
        "a",
        "    why: the word 東門 stands",
        "    in the middle",
        "b",
    ]


def test_on_request_a_table_is_as_wide_as_it_is_and_only_then() -> None:
    headings, row = ("name", "a"), ("n" * 60, "a" * 60)
    with wide_tables():
        assert shown_at(70, headings, [row])[1] == f"{'n' * 60}  {'a' * 60}"
    assert shown_at(70, headings, [row])[1] == "n" * 60
