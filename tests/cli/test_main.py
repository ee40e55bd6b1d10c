"""What commands do where config, folders or output can't be used: one line, and no traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from support import warm
from support.needs import needs
from support.one_python import answers_in_one_python
from support.past import Past, write_config
from tallyd import __version__
from tallyd.cli.app import app
from tallyd.cli.main import config_first

KEY = "canary-key-8f3a"
_RIGHTS_OF_ROOT = "-dac_override,-dac_read_search"
BOUND_BY_MODES = (
    f'setpriv --bounding-set={_RIGHTS_OF_ROOT} --inh-caps={_RIGHTS_OF_ROOT} "$@"'
    if os.geteuid() == 0
    else '"$@"'
)
"""A line of shell under which even root may not read what its mode forbids."""
READING = ("check", "status", "report")


def tallyd(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return warm.run("-m", "tallyd", *arguments, **environ)


def in_shell(shell: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a new Python, in a line of shell that may close or redirect its output."""
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
def test_output_that_cannot_be_written_is_reported_in_one_line(
    arguments: list[str], shell: str, said: str, tmp_path: Path
) -> None:
    write_config(tmp_path)
    Past(tmp_path).taken("2026-11-19T08:00:00", {"50101": 12})
    path = str(tmp_path / "config.json")
    done = in_shell(shell, *([] if arguments == ["--version"] else ["--config", path]), *arguments)
    assert (done.returncode, done.stderr.splitlines(keepends=True)[-1]) == (1, said)
    assert "Traceback" not in done.stderr


def test_what_the_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"Wäche": 1}', "utf-8")
    done = in_shell('"$@"', "--config", str(tmp_path / "config.json"), "check", PYTHONIOENCODING="ascii")
    assert done.returncode == 78
    assert r"W\xe4che" in done.stderr


def test_a_bug_is_reported_without_the_secrets_of_the_config(tmp_path: Path) -> None:
    write_config(tmp_path, pollers={"divera": {"kind": "divera", "accesskey": KEY, "at": ["08:00"]}})
    program = (
        "import sys; import tallyd.cli.config.check as check; from tallyd.cli.main import main\n"
        f"check.tasks_of = lambda config: {{}}['{KEY}']\n"
        "main()"
    )
    done = warm.run("-c", program, "--config", str(tmp_path / "config.json"), "check")
    assert done.returncode == 1
    assert "unexpected error" in done.stderr
    assert KEY not in done.stderr.replace(program, "")
    assert "***" in done.stderr


@pytest.mark.parametrize("command", ["check", "status", "report"])
def test_a_config_that_is_a_folder_is_a_config_problem(command: str, tmp_path: Path) -> None:
    done = tallyd("--config", str(tmp_path), command)
    assert done.returncode == 78
    assert f"is a folder: {tmp_path}. Name the file in it: --config {tmp_path}/FILE" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_with_a_config_in_it_is_answered_with_that_config(tmp_path: Path) -> None:
    write_config(tmp_path)
    done = warm.run("-m", "tallyd", "--config", ".", "check", cwd=tmp_path)
    assert done.returncode == 78
    assert f".: is a folder: {tmp_path}. Name the file in it: --config config.json" in done.stderr


COMMANDS = [each.name or each.callback.__name__ for each in app.registered_commands if each.callback]


@cache
def command_line() -> Callable[..., None]:
    """Return what a call of the app makes anew each time."""
    return get_command(app)


@pytest.mark.parametrize("command", [[], *([each] for each in COMMANDS)], ids="".join)
def test_help_and_version_have_a_short_form_everywhere(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    # What scripts ask alone, `tallyd -V`, is answered before: see below.
    for option, said in (
        ("-h", "-h, --help"),
        ("--help", "-V, --version"),
        ("--help", "Examples:" if command else "Commands:"),
        ("-V", f"tallyd {__version__}\n"),
    ):
        with pytest.raises(SystemExit) as ending:
            command_line()([*command, option], prog_name="tallyd")
        assert ending.value.code == 0
        assert said in capsys.readouterr().out


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_the_version_is_answered_without_any_import_that_takes_long(option: str) -> None:
    done = in_shell(f'"{sys.executable}" -X importtime -m tallyd {option}')
    assert done.stdout == f"tallyd {__version__}\n"
    assert "typer" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ("report", "--by", "fortnight"), "'--by': 'fortnight' is not one of 'hour', ", id="choice"
        ),
        pytest.param(("once", "x", "--attempts", "0"), "'--attempts': must be 1 or more", id="too-few"),
        pytest.param(("demo", "--port", "70000"), "'--port': must be 65,535 or less", id="too-many"),
        pytest.param(("files", "--most", "x"), "'--most': must be a whole number", id="no-number"),
        pytest.param(("mute", "x"), "Missing option '--for'", id="missing"),
    ],
)
def test_a_wrong_option_is_explained_in_plain_words(arguments: tuple[str, ...], said: str) -> None:
    done = tallyd(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Value error" not in done.stderr
    assert "Input" not in done.stderr


def _visitors(folder: Path, **more: object) -> str:
    poller = {"kind": "visitors", "inbox": "files/in", "sources": {"12": {}}, **more}
    (folder / "config.json").write_text(json.dumps({"pollers": {"park": poller}}))
    return str(folder / "config.json")


def test_an_inbox_that_the_start_makes_is_no_fault_before_the_first_start(tmp_path: Path) -> None:
    path = _visitors(tmp_path)
    done = tallyd("--config", path, "check", "--online")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"park: {tmp_path}/files/in does not exist yet; tallyd creates it when it starts" in done.stdout
    looked = tallyd("--config", path, "once", "park", "--dry-run")
    assert looked.returncode == 0, looked.stderr
    assert sorted(tmp_path.iterdir()) == [tmp_path / "config.json"], "nothing was made by looking"


def test_an_inbox_that_is_to_be_mounted_must_be_there(tmp_path: Path) -> None:
    done = tallyd("--config", _visitors(tmp_path, inbox_is_mount=True), "check", "--online")
    assert done.returncode == 1
    assert "the inbox files/in is missing" in done.stderr


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["plain", "json"])
def test_once_in_a_pipe_prints_json_and_nothing_else(options: tuple[str, ...], tmp_path: Path) -> None:
    done = tallyd("--config", _visitors(tmp_path), "once", "park", "--job", "sweep", *options)
    content = json.loads(done.stdout)
    assert (content["poller"], content["job"], content["records"]) == ("park", "sweep", 0)


def test_once_on_a_terminal_shows_a_table(tmp_path: Path) -> None:
    needs("script")
    path = _visitors(tmp_path)
    done = in_shell(f'script -qec "{sys.executable} -m tallyd --config {path} once park" /dev/null')
    assert re.search(r"Files ingested +0\s+Records +0\s", done.stdout)
    assert "{" not in done.stdout


@pytest.mark.parametrize("command", ["check", "status", "report"])
def test_a_name_that_is_too_long_is_reported_in_one_line(command: str, tmp_path: Path) -> None:
    done = tallyd("--config", f"{tmp_path}/{'x' * 300}", command)
    assert done.returncode == 78
    assert "File name too long" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_may_not_be_entered_is_reported(tmp_path: Path) -> None:
    write_config(tmp_path, data_dir="locked/data")
    locked = tmp_path / "locked"
    if os.geteuid() == 0:
        needs("setpriv")
    locked.mkdir(mode=0)
    path = str(tmp_path / "config.json")
    answers = answers_in_one_python(
        *(("--config", path, command) for command in READING), shell=BOUND_BY_MODES
    )
    locked.chmod(0o700)
    assert [done.returncode for done in answers] == [78, 1, 1]
    for done in answers:
        assert str(locked) in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_config_that_may_not_be_read_is_a_config_problem(tmp_path: Path) -> None:
    write_config(tmp_path)
    if os.geteuid() == 0:
        needs("setpriv")
    (tmp_path / "config.json").chmod(0)
    path = str(tmp_path / "config.json")
    # By its path, or by the environment.
    commands = (("--config", path, "check"), *((name,) for name in READING))
    for done in answers_in_one_python(*commands, shell=BOUND_BY_MODES, TALLYD_CONFIG=path):
        assert done.returncode == 78
        assert " cannot read " in done.stderr
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


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("check --config x.json --online", "--config x.json check --online"),
        ("check --config=x.json", "--config=x.json check"),
        ("--config a.json check --config b.json", "--config b.json check"),
        ("check --config", "--config check"),
        ("notify ops -- --config x", "notify ops -- --config x"),
        ("status", "status"),
    ],
)
def test_the_config_may_be_named_behind_the_command(typed: str, meant: str) -> None:
    assert config_first(typed.split()) == meant.split()


def test_help_imports_no_library_of_configs() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tallyd", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pydantic" not in done.stderr
