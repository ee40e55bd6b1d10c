"""What commands print: foreign text stays text, numbers stand in line."""

from __future__ import annotations

import pytest

from tallyd.console import complain, say, show_json, show_table

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
