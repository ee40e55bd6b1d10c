"""The host's zone by real files below /etc. Each test has its own /etc."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.needs import needs

ZONES = Path("/usr/share/zoneinfo")


def tallyd(folder: Path, *arguments: str, timezone: str, localtime: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a machine whose two files name these zones."""
    needs("unshare", root=True)
    etc = folder / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "timezone").write_text(f"{timezone}\n")
    (etc / "localtime").unlink(missing_ok=True)
    (etc / "localtime").symlink_to(ZONES / localtime)
    # Over a copy-on-write /etc, which ends with the process.
    over = folder / "over"
    over.mkdir(exist_ok=True)
    layers = f"lowerdir=/etc,upperdir={over}/up,workdir={over}/work"
    mount = (
        f"mount -t tmpfs tmpfs {over} && mkdir {over}/up {over}/work && "
        f"mount -t overlay overlay -o {layers} /etc && "
        f'cp -P {etc}/* /etc/ && exec "$@"'
    )
    command = ["unshare", "-m", "sh", "-c", mount, "sh", sys.executable, "-m", "tallyd", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip(f"needs leave to mount: {done.stderr.strip()}")
    return done


@pytest.fixture
def config(tmp_path: Path) -> str:
    poller = {"kind": "visitors", "inbox": "inbox", "sources": {"12": {}}}
    (tmp_path / "config.json").write_text(json.dumps({"pollers": {"park": poller}}))
    return str(tmp_path / "config.json")


def test_two_files_that_differ_are_noted_once_by_check_and_by_nothing_else(
    tmp_path: Path, config: str
) -> None:
    files = {"timezone": "Europe/Berlin", "localtime": "America/New_York"}
    checked = tallyd(tmp_path, "--config", config, "check", **files)
    assert checked.returncode == 0, checked.stderr
    assert "Time zone: America/New_York (of this machine)" in checked.stdout
    (note,) = [line for line in checked.stdout.splitlines() if "/etc/timezone" in line]
    assert note.startswith(
        "Note: /etc/timezone names another zone than /etc/localtime, which counts: America"
    )
    assert checked.stderr == ""
    once = tallyd(tmp_path, "--config", config, "once", "park", "--dry-run", **files)
    assert "timezone" not in once.stdout + once.stderr


def test_a_zone_in_the_config_needs_no_note(tmp_path: Path, config: str) -> None:
    content = json.loads(Path(config).read_text())
    Path(config).write_text(json.dumps({**content, "timezone": "Europe/Berlin"}))
    done = tallyd(tmp_path, "--config", config, "check", timezone="Europe/Rome", localtime="Europe/Berlin")
    assert (done.returncode, done.stderr) == (0, "")
    assert "/etc/timezone" not in done.stdout


def test_two_files_that_agree_need_no_note(tmp_path: Path, config: str) -> None:
    done = tallyd(tmp_path, "--config", config, "check", timezone="Europe/Berlin", localtime="Europe/Berlin")
    assert "Time zone: Europe/Berlin (of this machine)" in done.stdout
    assert "/etc/timezone" not in done.stdout + done.stderr
