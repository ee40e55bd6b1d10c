"""`tallyd service allow`: which folders, and what it writes (the campaign tries it under a real systemd)."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from support.needs import needs
from tallyd.cli.config.check_folders import allowed_folders
from tallyd.cli.service.allow import drop_in, not_allowed

_ODD = '/srv/in: box 100% "x" \\y'


@pytest.mark.parametrize("folder", ["/srv/inbox", "/home/alice/inbox", "/var/lib/other", "/optional", "/mnt"])
def test_a_folder_of_data_is_allowed(folder: str) -> None:
    assert not_allowed(Path(folder)) is None


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        *((each, "too broad") for each in ("/", "/home", "/home/alice", "/var", "/var/lib")),
        *(
            (each, "belongs to the system")
            for each in ("/etc/x", "/usr", "/opt/tallyd/x", "/run/x", "/lib64")
        ),
        *((each, "cannot see") for each in ("/tmp/in", "/var/tmp")),
        ("/srv/in\nbox", "control characters"),
    ],
)
def test_others_are_not(folder: str, reason: str) -> None:
    fault = not_allowed(Path(folder))
    assert fault is not None
    assert reason in fault


@pytest.mark.parametrize("folder", ["/srv/inbox", "/home/alice/inbox", _ODD, f"/home/alice{_ODD}"])
def test_a_folder_that_is_taken_away_is_no_reason_not_to_start(folder: str) -> None:
    lines = drop_in(Path(folder)).splitlines()
    opened = [line for line in lines if line.startswith(("ReadWritePaths=", "BindPaths="))]
    assert len(opened) == (2 if folder.startswith("/home/") else 1)
    for line in opened:
        assert line.partition("=")[2].startswith('"-/')


def test_a_share_that_cannot_be_mounted_is_no_reason_not_to_start() -> None:
    text = drop_in(Path("/srv/share/inbox"), "srv-share.mount")
    assert text.startswith("[Unit]\nWants=srv-share.mount\nAfter=srv-share.mount\n[Service]\n")
    assert "Requires" not in text
    assert "[Unit]" not in drop_in(Path("/srv/inbox"))


def test_of_all_homes_the_service_sees_the_folder_alone_and_can_make_nothing_beside_it() -> None:
    text = drop_in(Path("/home/alice/inbox"))
    assert "\nTemporaryFileSystem=/home:ro,mode=0755\n" in text
    assert "\nInaccessiblePaths=-/root -/run/user\n" in text


@pytest.mark.parametrize("folder", ["/srv/inbox", f"/home/alice{_ODD}"])
def test_systemd_has_not_a_word_to_say_of_it(folder: str, tmp_path: Path) -> None:
    needs("systemd-analyze", root=not Path("/run/systemd").is_dir())
    unit = files("tallyd.cli.service").joinpath("tallyd.service").read_text(encoding="utf-8")
    path = tmp_path / "tallyd.service"
    path.write_text(unit.replace("/opt/tallyd/current/venv/bin/tallyd", sys.executable), encoding="utf-8")
    added = tmp_path / "tallyd.service.d" / "allow-x.conf"
    added.parent.mkdir()
    for text, is_fine in [
        (drop_in(Path(folder)), True),
        (drop_in(Path(folder)).replace("Paths=", "Path="), False),
    ]:
        added.write_text(text, encoding="utf-8")
        command = ["systemd-analyze", "verify", "--man=no", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.stdout + done.stderr == "") == is_fine, done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["/srv/inbox", "/home/alice/in box", _ODD, "/srv/it's"])
def test_check_reads_the_folder_out_of_it(folder: str, tmp_path: Path) -> None:
    (tmp_path / "allow-x.conf").write_text(drop_in(Path(folder)))
    assert allowed_folders(tmp_path) == [Path(folder)]


def test_nothing_in_the_name_of_a_folder_means_anything_to_systemd() -> None:
    assert drop_in(Path('/srv/100%h "x"\\y')).endswith('ReadWritePaths="-/srv/100%%h \\"x\\"\\\\y"\n')
