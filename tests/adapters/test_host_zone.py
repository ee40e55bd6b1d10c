"""The host's zone by real files below /etc. Each test has its own /etc."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.needs import needs
from support.one_python import answers_in_one_python

ZONES = Path("/usr/share/zoneinfo")


def tallyd(
    config: Path, *commands: Sequence[str], timezone: str, localtime: str
) -> list[subprocess.CompletedProcess[str]]:
    """Run commands on a machine whose two files name these zones."""
    needs("unshare", root=True)
    folder = config.parent
    etc = folder / "etc"
    etc.mkdir()
    (etc / "timezone").write_text(f"{timezone}\n")
    (etc / "localtime").symlink_to(ZONES / localtime)
    # Over a copy-on-write /etc, which ends with the process.
    over = folder / "over"
    over.mkdir()
    layers = f"lowerdir=/etc,upperdir={over}/up,workdir={over}/work"
    mount = (
        f"mount -t tmpfs tmpfs {over} && mkdir {over}/up {over}/work && "
        f"mount -t overlay overlay -o {layers} /etc"
    )
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True, check=False).returncode:
        pytest.skip("needs leave to mount")
    inside = f'{mount} && cp -P {etc}/* /etc/ && exec "$@"'
    words = [("--config", str(config), *command) for command in commands]
    return answers_in_one_python(*words, shell=f'unshare -m sh -c {shlex.quote(inside)} sh "$@"')


@pytest.fixture
def config(tmp_path: Path) -> Path:
    poller = {"kind": "visitors", "inbox": "inbox", "sources": {"12": {}}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"pollers": {"park": poller}}))
    return path


def test_two_files_that_differ_are_noted_once_by_check_and_by_nothing_else(config: Path) -> None:
    commands = (("check",), ("once", "park", "--dry-run"))
    checked, once = tallyd(config, *commands, timezone="Europe/Berlin", localtime="America/New_York")
    assert checked.returncode == 0, checked.stderr
    assert "Time zone: America/New_York (of this machine)" in checked.stdout
    (note,) = [line for line in checked.stdout.splitlines() if "/etc/timezone" in line]
    assert note.startswith(
        "Note: /etc/timezone names another zone than /etc/localtime, which counts: America"
    )
    assert checked.stderr == ""
    assert "timezone" not in once.stdout + once.stderr


def test_a_zone_in_the_config_needs_no_note(config: Path) -> None:
    config.write_text(json.dumps({**json.loads(config.read_text()), "timezone": "Europe/Berlin"}))
    (done,) = tallyd(config, ("check",), timezone="Europe/Rome", localtime="Europe/Berlin")
    assert (done.returncode, done.stderr) == (0, "")
    assert "/etc/timezone" not in done.stdout


def test_two_files_that_agree_need_no_note(config: Path) -> None:
    (done,) = tallyd(config, ("check",), timezone="Europe/Berlin", localtime="Europe/Berlin")
    assert "Time zone: Europe/Berlin (of this machine)" in done.stdout
    assert "/etc/timezone" not in done.stdout + done.stderr
