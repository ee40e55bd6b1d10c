"""A folder of configs with one mistake each: what the command says, and its exit status."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support import warm
from tallyd.config.load import load
from tallyd.core.errors import ConfigError

BAD = sorted((Path(__file__).parent / "bad").glob("*.json"))
ENVIRON = {"TALLYD_TEST_KEY": "canary-5e1f-as-an-access-key"}


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_one_mistake_is_one_problem_with_its_place_and_what_to_do(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path, environ=ENVIRON)
    (line,) = caught.value.lines()
    assert line.startswith(f"{path.name}: ")
    assert line.endswith(" (1 of 1 problem)")
    for expected in path.with_suffix(".expected").read_text("utf-8").splitlines():
        assert expected in line


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_no_message_shows_a_secret(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(path, environ=ENVIRON)
    assert "canary" not in "\n".join(caught.value.lines())
    assert "canary" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


@pytest.mark.parametrize("command", [["run"], ["check"], ["once", "divera"]], ids=lambda command: command[0])
def test_a_wrong_config_ends_a_command_with_78_and_no_traceback(command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"timezon": "UTC", "retry": {"attempts": 0}}')
    done = _tallyd("--config", str(path), *command)
    assert done.returncode == 78
    assert done.stdout == ""
    ending = "; nothing started" if command == ["run"] else ""
    assert done.stderr.splitlines() == [
        f"config.json: retry.attempts: must be 1 or more (1 of 2 problems{ending})",
        f'config.json: timezon: unknown key; did you mean "timezone"? (2 of 2 problems{ending})',
    ]
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_config_that_is_not_there_is_named_with_what_to_do(tmp_path: Path) -> None:
    done = _tallyd("--config", str(tmp_path / "nowhere.json"), "check")
    assert done.returncode == 78
    assert f"no such file: {tmp_path / 'nowhere.json'}" in done.stderr
    assert f" init > {tmp_path / 'nowhere.json'}, or" in done.stderr


def _tallyd(*arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run("-m", "tallyd", *arguments, **ENVIRON)
