"""Commands in messages are named as they have to be typed where the message is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from tallyd.called import COMMANDS, as_called, name_for
from tallyd.cli.app import app

HOME = Path("/usr")


@pytest.fixture(autouse=True)
def _no_tallyd_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


def test_the_services_tallyd_is_called_with_sudo() -> None:
    prefix = Path("/opt/tallyd/releases/1/venv")
    assert name_for(prefix / "bin/tallyd", prefix=prefix, folder=Path("/")) == "sudo tallyd"


@pytest.mark.parametrize(
    ("folder", "name"),
    [("/home/ada/tallyd", ".venv/bin/tallyd"), ("/home/ada", "tallyd/.venv/bin/tallyd"), ("/srv", None)],
)
def test_a_clones_tallyd_is_called_by_its_path(folder: str, name: str | None) -> None:
    program = Path("/home/ada/tallyd/.venv/bin/tallyd")
    assert name_for(program, prefix=HOME, folder=Path(folder)) == (name or str(program))


def test_a_tallyd_that_the_path_has_is_called_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tallyd"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert name_for(program, prefix=HOME, folder=tmp_path) == "tallyd"


def test_every_command_is_known_by_its_name() -> None:
    assert set(COMMANDS) == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Run: tallyd check --online", "Run: HERE check --online"),
        (
            "`tallyd init --kind KIND > x`, then `tallyd check`",
            "`HERE init --kind KIND > x`, then `HERE check`",
        ),
        ("sudo tallyd check", "sudo tallyd check"),
        (".venv/bin/tallyd check", ".venv/bin/tallyd check"),
        (
            "while tallyd runs; tallyd checks; the tallyd daemon",
            "while tallyd runs; tallyd checks; the tallyd daemon",
        ),
        ("tallyd: is fine", "tallyd: is fine"),
    ],
)
def test_only_commands_change(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tallyd.called.called", lambda: "HERE")
    assert as_called(text) == shown


def test_the_installed_program_of_this_venv_names_itself_in_its_messages(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "tallyd"
    done = subprocess.run(
        [program, "--config", tmp_path / "config.json", "check"],
        env={"PATH": "/nowhere"},
        cwd=program.parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Write one with: bin/tallyd init > config.json" in done.stderr
