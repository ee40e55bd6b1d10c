"""`tallyd import`: which poller gets the data, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from tallyd.cli.app import app
from tallyd.cli.options import OldProgram
from tallyd.imports.programs import PROGRAMS

DIVERA = {"kind": "divera", "accesskey": "canary-key-8f3a", "at": ["08:00"]}


def called(folder: Path, pollers: dict[str, Any], *words: str) -> tuple[int, str]:
    (folder / "config.json").write_text(json.dumps({"pollers": pollers}))
    (folder / "old" / "out").mkdir(parents=True, exist_ok=True)
    done = CliRunner().invoke(app, ["--config", str(folder / "config.json"), "import", *words])
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize(
    ("pollers", "words", "complaint"),
    [
        pytest.param({}, (), "has no poller of kind divera; --print-config prints one", id="none"),
        pytest.param({"a": DIVERA, "b": DIVERA}, (), "Add --poller with one of: a, b", id="two"),
        pytest.param(
            {"a": DIVERA}, ("--poller", "b"), 'there is no poller "b" of kind divera', id="another name"
        ),
    ],
)
def test_it_says_what_it_needs(
    tmp_path: Path, pollers: dict[str, Any], words: tuple[str, ...], complaint: str
) -> None:
    status, said = called(tmp_path, pollers, "divera-status-logger", str(tmp_path / "old"), *words)
    assert status == 2
    assert complaint in said
    assert not (tmp_path / "state").exists()


def test_the_poller_is_chosen_by_name(tmp_path: Path) -> None:
    pollers = {"a": DIVERA, "b": DIVERA}
    words = ("divera-status-logger", str(tmp_path / "old"), "--poller", "b")
    assert called(tmp_path, pollers, *words) == (0, "b: imported: 0 readings")


def test_a_program_that_it_does_not_know_is_refused_with_those_that_it_knows(tmp_path: Path) -> None:
    status, said = called(tmp_path, {}, "uptime-kuma", str(tmp_path))
    assert status == 2
    assert all(f"'{program}'" in said for program in PROGRAMS)
    assert tuple(PROGRAMS) == get_args(OldProgram)
