"""The command as a person calls it where it runs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from support.long import some
from tallyd.presentation.invocation import config_named, filled, program_of

MODULE = "lib/python3.11/site-packages/tallyd/__main__.py"
SERVICE = "/opt/tallyd/current/venv/bin/tallyd"
INSTALLED = "/etc/tallyd/config.json"


def called(argv: list[str], *, python: str, on_path: str | None, folder: Path) -> str:
    program = program_of(argv[0], python=python, on_path=on_path, folder=folder)
    return program + config_named(argv, folder=folder)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose venv has a script and a Python, beside a program of a stranger."""
    folder = tmp_path / "a clone"
    for name in (".venv/bin/tallyd", ".venv/bin/python", "bare/bin/python", "bin/tallyd"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o755)
    return folder


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        pytest.param([".venv/bin/tallyd", "run"], ".venv/bin/tallyd", id="as it was typed"),
        pytest.param(["{clone}/.venv/bin/tallyd", "run"], ".venv/bin/tallyd", id="from the folder"),
        pytest.param(["../a clone/bin/tallyd"], "'../a clone/bin/tallyd'", id="quoted for a shell"),
        pytest.param(["{clone}/.venv/" + MODULE, "run"], ".venv/bin/tallyd", id="as a module"),
        pytest.param(["/usr/bin/pytest", "tests"], "tallyd", id="from another program"),
        pytest.param(
            [".venv/bin/tallyd", "--config", "my config.json", "run", "--config", "x"],
            ".venv/bin/tallyd --config 'my config.json'",
            id="with a config",
        ),
        pytest.param(
            [".venv/bin/tallyd", "--config=other.json", "run"], ".venv/bin/tallyd --config other.json", id="="
        ),
        pytest.param(
            [".venv/bin/tallyd", "--config", "{clone}/config.json", "run"],
            ".venv/bin/tallyd",
            id="with the config that it takes anyway",
        ),
        pytest.param([SERVICE, "--config", INSTALLED, "run"], "sudo tallyd", id="the service"),
        pytest.param(
            ["/opt/tallyd/releases/1/venv/bin/tallyd", "--config", "x.json", "check"],
            "sudo tallyd --config x.json",
            id="the installed program with another config",
        ),
    ],
)
def test_it_is_called_as_it_works_from_the_folder_where_it_runs(
    clone: Path, argv: list[str], command: str
) -> None:
    argv = [argument.replace("{clone}", str(clone)) for argument in argv]
    python = str(clone / ".venv/bin/python")
    assert called(argv, python=python, on_path=None, folder=clone) == command


def test_the_one_that_a_shell_finds_goes_by_its_name_alone(clone: Path, tmp_path: Path) -> None:
    found = clone / "bin" / "tallyd"
    link = tmp_path / "tallyd"  # pipx makes such links
    link.symlink_to(found)
    assert called([str(found)], python="", on_path=str(link), folder=tmp_path) == "tallyd"
    assert called([str(link)], python="", on_path=str(link), folder=tmp_path) == "tallyd"
    other = str(clone / ".venv/bin/tallyd")
    assert called([other], python="", on_path=str(link), folder=tmp_path) == shlex.quote(
        "a clone/.venv/bin/tallyd"
    )


def test_a_module_without_a_script_is_called_by_its_python(clone: Path) -> None:
    module = f"{clone}/bare/{MODULE}"
    python = str(clone / "bare/bin/python")
    assert called([module], python=python, on_path=None, folder=clone) == "bare/bin/python -m tallyd"


def test_texts_have_it_in_place_of_its_placeholder() -> None:
    assert filled("Run: {tallyd} check {x}", "sudo tallyd") == "Run: sudo tallyd check {x}"


@pytest.mark.parametrize("program", some([["{bin}/tallyd"], ["{bin}/python", "-m", "tallyd"]]), ids=" ".join)
def test_a_command_that_a_message_names_can_be_run_there(tmp_path: Path, program: list[str]) -> None:
    folder = Path(sys.executable).parent
    call = [part.replace("{bin}", str(folder)) for part in program]
    environment = {name: value for name, value in os.environ.items() if name != "TALLYD_CONFIG"} | {
        "PATH": "/bin"
    }
    done = subprocess.run(
        [*call, "check"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 78
    advised = done.stderr.split("Create one with: ")[1].split(" > ")[0]
    assert advised == f"{shlex.quote(str(folder / 'tallyd'))} init"
    shown = subprocess.run(
        shlex.split(advised), cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert '"pollers"' in shown.stdout
