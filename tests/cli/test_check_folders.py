"""`tallyd check`: folders that tallyd could not write where it runs, and what a daemon would reject."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support import warm
from support.daemon import running, write_config
from support.mounts import disk
from tallyd.cli.config.check_folders import allowed_folders, folder_problems
from tallyd.config.folders import DATA_FOLDER, LOG_FOLDER
from tallyd.config.load import load
from tallyd.config.model import Config

_SERVICE = (DATA_FOLDER, LOG_FOLDER)
_INSTALLED = {"data_dir": str(DATA_FOLDER), "log": {"dir": str(LOG_FOLDER)}}


def _config(folder: Path, **keys: Any) -> Config:
    return load(write_config(folder, {"timezone": "UTC", **keys}), environ={})


def _check(config: Path) -> subprocess.CompletedProcess[str]:
    return warm.run("-m", "tallyd", "--config", str(config), "check", NO_COLOR="1")


# ---- what the hardened service may not write


def test_the_folders_of_the_service_are_open_to_it(tmp_path: Path) -> None:
    pollers = {"in": {"kind": "visitors", "inbox": "inbox/in"}}
    config = _config(tmp_path, **_INSTALLED, pollers=pollers)
    assert folder_problems(config, only=_SERVICE, tries=False) == ()


@pytest.mark.parametrize(
    ("keys", "places"),
    [
        pytest.param({}, {"out.dir", "log.dir", "state.dir"}, id="beside the config"),
        pytest.param({**_INSTALLED, "out": {"dir": "/srv/out"}}, {"out.dir"}, id="out elsewhere"),
        pytest.param(
            {
                **_INSTALLED,
                "database": {"url": "sqlite:////srv/records.db"},
                "pollers": {"in": {"kind": "visitors", "inbox": "inbox/in"}},
            },
            {"database.url"},
            id="database elsewhere",
        ),
        pytest.param(
            {**_INSTALLED, "database": {"url": "sqlite:////srv/records.db"}}, set(), id="a database unused"
        ),
        pytest.param(
            {**_INSTALLED, "pollers": {"in": {"kind": "visitors", "inbox": "/srv/in box"}}},
            {"pollers.in.inbox"},
            id="an inbox elsewhere",
        ),
        pytest.param(
            {**_INSTALLED, "pollers": {"in": {"kind": "visitors", "inbox": "/mnt/allowed/in"}}},
            set(),
            id="an inbox that was allowed",
        ),
    ],
)
def test_each_other_one_is_a_problem_with_its_place(
    keys: dict[str, Any], places: set[str], tmp_path: Path
) -> None:
    found = folder_problems(_config(tmp_path, **keys), only=(*_SERVICE, Path("/mnt/allowed")), tries=False)
    assert {problem.place for problem in found} == places
    for problem in found:
        assert problem.text.startswith("the service may not write /")
        assert "choose a folder below /var/lib/tallyd" in problem.text


def test_the_command_that_opens_an_inbox_is_printed_ready_for_a_shell(tmp_path: Path) -> None:
    config = _config(tmp_path, **_INSTALLED, pollers={"in": {"kind": "visitors", "inbox": "/srv/in box"}})
    (problem,) = folder_problems(config, only=_SERVICE, tries=False)
    assert problem.text.endswith("or run: sudo tallyd service allow '/srv/in box'")


def test_several_folders_in_one_line_of_somebody_elses_drop_in_count_too(tmp_path: Path) -> None:
    (tmp_path / "own.conf").write_text("[Service]\nReadWritePaths=/srv/a -/srv/b '/srv/c d'\n")
    assert allowed_folders(tmp_path) == [Path("/srv/a"), Path("/srv/b"), Path("/srv/c d")]


# ---- what this user could not write


def test_what_is_missing_will_be_made_and_is_no_problem(tmp_path: Path) -> None:
    config = _config(tmp_path, data_dir="not/there", pollers={"in": {"kind": "visitors", "inbox": "in"}})
    assert folder_problems(config, only=None) == ()
    assert sorted(tmp_path.iterdir()) == [config.path]


def test_a_file_where_a_folder_must_be_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    found = folder_problems(_config(tmp_path, data_dir="data/here"), only=None)
    assert {problem.place for problem in found} == {"data_dir", "out.dir", "log.dir", "state.dir"}
    assert {problem.text for problem in found} == {
        f"{tmp_path / 'data'} is not a folder; choose another path"
    }


def test_folders_on_a_disk_that_is_read_only_are_problems_of_the_config(tmp_path: Path) -> None:
    with disk(tmp_path / "disk") as place:
        (place / "out").mkdir()
        pollers = {"in": {"kind": "visitors", "inbox": "in"}, "park": {"kind": "visitors", "inbox": "park"}}
        content = {"timezone": "UTC", "data_dir": str(place), "pollers": pollers}
        config = write_config(tmp_path, content)
        assert _check(config).returncode == 0
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        done = _check(config)
    assert done.returncode == 78
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0] == (
        f"config.json: out.dir: this user may not write {place / 'out'}. Check its owner and "
        f"its disk: ls -ld {place / 'out'} (1 of 6 problems)"
    )
    for key in ("log.dir", "state.dir", "database.url", "pollers.in.inbox", "pollers.park.inbox"):
        assert any(line.startswith(f"config.json: {key}: ") for line in lines), key
    assert f"cannot create {place / 'log'}: this user may not write {place}. " in lines[1]


def test_an_inbox_whose_share_is_not_mounted_now_is_an_alert_and_no_problem_of_the_config(
    tmp_path: Path,
) -> None:
    with disk(tmp_path / "disk") as place:
        (place / "share").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        poller = {"kind": "visitors", "inbox": str(place / "share"), "inbox_is_mount": True}
        assert folder_problems(_config(tmp_path, pollers={"in": poller}), only=None) == ()
        poller["inbox_is_mount"] = False
        (problem,) = folder_problems(_config(tmp_path, pollers={"in": poller}), only=None)
        assert problem.place == "pollers.in.inbox"


# ---- what a running daemon would reject


def test_it_says_what_a_running_daemon_would_reject_the_file_for(tmp_path: Path) -> None:
    content: dict[str, Any] = {"timezone": "UTC", "pollers": {}}
    config = write_config(tmp_path, content)
    with running(config) as daemon:
        write_config(tmp_path, {**content, "log": {"level": "DEBUG"}})
        assert "Note:" not in _check(config).stdout
        write_config(tmp_path, {**content, "database": {"keep_days": 5}, "out": {"dir": "elsewhere"}})
        done = _check(config)
        assert done.returncode == 0
        for key in ("out.dir", "database"):
            note = f"Note: {key}: changed; the running tallyd rejects this file until a restart: "
            assert f"{note}sudo systemctl restart tallyd\n" in done.stdout
        assert daemon.end() == 0
    assert "Note:" not in _check(config).stdout, "the next start takes it"
    assert json.loads(config.read_text())["out"] == {"dir": "elsewhere"}
