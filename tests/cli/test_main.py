"""What commands do where config, folders or output can't be used: one line, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.needs import needs
from support.past import Past, write_config

KEY = "canary-key-8f3a"
_RIGHTS_OF_ROOT = "-dac_override,-dac_read_search"
BOUND_BY_MODES = (
    f'setpriv --bounding-set={_RIGHTS_OF_ROOT} --inh-caps={_RIGHTS_OF_ROOT} "$@"'
    if os.geteuid() == 0
    else '"$@"'
)
"""A line of shell under which even root may not read what its mode forbids."""


def tallyd(*arguments: str, shell: str = '"$@"', **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command, within a line of shell that may close or redirect its output."""
    return subprocess.run(
        ["sh", "-c", shell, "sh", sys.executable, "-m", "tallyd", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environ},
        check=False,
    )


@pytest.mark.parametrize("arguments", [["--version"], ["schema"], ["report"]], ids=lambda each: each[0])
@pytest.mark.parametrize(
    ("shell", "said"),
    [
        pytest.param('"$@" >&-', "tallyd: stdout is closed\n", id="closed"),
        pytest.param('"$@" >/dev/full', "tallyd: no space left on device\n", id="full"),
    ],
)
def test_output_that_can_not_be_written_is_told_in_one_line(
    arguments: list[str], shell: str, said: str, tmp_path: Path
) -> None:
    write_config(tmp_path)
    Past(tmp_path).taken("2026-11-19T08:00:00", {"50101": 12})
    path = str(tmp_path / "config.json")
    done = tallyd(*([] if arguments == ["--version"] else ["--config", path]), *arguments, shell=shell)
    assert (done.returncode, done.stderr.splitlines(keepends=True)[-1]) == (1, said)
    assert "Traceback" not in done.stderr


def test_what_the_terminal_can_not_show_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"Wäche": 1}', "utf-8")
    done = tallyd("--config", str(tmp_path / "config.json"), "check", PYTHONIOENCODING="ascii")
    assert done.returncode == 78
    assert r"W\xe4che" in done.stderr


def test_a_bug_is_told_without_the_secrets_of_the_config(tmp_path: Path) -> None:
    write_config(tmp_path, pollers={"divera": {"kind": "divera", "accesskey": KEY, "at": ["08:00"]}})
    program = (
        "import sys; import tallyd.cli.check as check; from tallyd.cli.main import main\n"
        f"check.tasks_of = lambda config: {{}}['{KEY}']\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "--config", str(tmp_path / "config.json"), "check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "unexpected error" in done.stderr
    assert KEY not in done.stderr.replace(program, "")
    assert "***" in done.stderr


@pytest.mark.parametrize("command", ["check", "status", "report"])
def test_a_config_that_is_a_folder_is_a_config_problem(command: str, tmp_path: Path) -> None:
    done = tallyd("--config", str(tmp_path), command)
    assert done.returncode == 78
    assert "it is a folder, no regular file" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["check", "status", "report"])
def test_a_name_that_is_too_long_is_told_in_one_line(command: str, tmp_path: Path) -> None:
    done = tallyd("--config", f"{tmp_path}/{'x' * 300}", command)
    assert done.returncode == 78
    assert "File name too long" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("command", "status"), [("check", 78), ("status", 1), ("report", 1)])
def test_a_folder_that_may_not_be_entered_is_told(command: str, status: int, tmp_path: Path) -> None:
    write_config(tmp_path, data_dir="locked/data")
    locked = tmp_path / "locked"
    if os.geteuid() == 0:
        needs("setpriv")
    locked.mkdir(mode=0)
    done = tallyd("--config", str(tmp_path / "config.json"), command, shell=BOUND_BY_MODES)
    locked.chmod(0o700)
    assert done.returncode == status
    assert str(locked) in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["check", "status", "report"])
def test_a_config_that_may_not_be_read_is_a_config_problem(command: str, tmp_path: Path) -> None:
    write_config(tmp_path)
    if os.geteuid() == 0:
        needs("setpriv")
    (tmp_path / "config.json").chmod(0)
    by_option = tallyd("--config", str(tmp_path / "config.json"), command, shell=BOUND_BY_MODES)
    by_environment = tallyd(command, shell=BOUND_BY_MODES, TALLYD_CONFIG=str(tmp_path / "config.json"))
    for done in (by_option, by_environment):
        assert done.returncode == 78
        assert "may not be read by" in done.stderr
        assert "Traceback" not in done.stderr


def test_excel_and_json_exclude_each_other(tmp_path: Path) -> None:
    write_config(tmp_path)
    done = tallyd("--config", str(tmp_path / "config.json"), "report", "--excel", "--format", "json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--excel is CSV, not JSON" in done.stderr


def test_status_after_readings_by_hand_alone_says_so(tmp_path: Path) -> None:
    write_config(tmp_path)
    Past(tmp_path).taken("2026-11-19T08:00:00", {"50101": 12}, origin="once")
    done = tallyd("--config", str(tmp_path / "config.json"), "status")
    assert done.returncode == 1
    assert "tallyd run has not been started with" in done.stderr
