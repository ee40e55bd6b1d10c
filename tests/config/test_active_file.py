"""What the daemon leaves for `status`, `alerts`, `check`: they find its state whatever the config says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support import warm
from support.daemon import running, wait_until, write_config
from support.mounts import disk
from tallyd.config.active_file import Active, active_file, read_active, write_active
from tallyd.config.folders import DATA_FOLDER, INSTALLED
from tallyd.config.load import load
from tallyd.config.model import Config
from tallyd.core.errors import ConfigError

_POLLER = {"kind": "divera", "accesskey": "canary-5e1f-as-a-key", "at": ["00:00"]}


def _config(folder: Path, **keys: Any) -> Config:
    folder.mkdir(exist_ok=True)
    return load(write_config(folder, {"timezone": "UTC", **keys}), environ={})


def _with_state(config: Config) -> Config:
    """Make the state of a config look as if a daemon had run."""
    config.state_dir.mkdir(parents=True, exist_ok=True)
    (config.state_dir / "state.db").touch()
    write_active(config, restart="start it again")
    return config


# ---- the file


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param("/home/x/tallyd/config.json", "/home/x/tallyd/.config.json.active", id="a clone"),
        pytest.param("/home/x/tallyd/two.json", "/home/x/tallyd/.two.json.active", id="two configs"),
        pytest.param("/etcetera/config.json", "/etcetera/.config.json.active", id="not in /etc"),
        pytest.param("/etc/park/a/config.json", "/var/lib/park/a/.config.json.active", id="below /etc"),
        pytest.param(str(INSTALLED), f"{DATA_FOLDER}/.config.json.active", id="the service"),
    ],
)
def test_its_place_follows_from_the_config_alone(config: str, expected: str) -> None:
    assert active_file(Path(config)) == Path(expected)


def test_it_says_where_the_state_is_and_what_is_fixed_until_a_restart(tmp_path: Path) -> None:
    config = _with_state(_config(tmp_path, data_dir="data"))
    assert read_active(config.path) == Active(
        config.path, tmp_path / "data" / "state", config.fixed, "start it again", timezone="UTC"
    )
    assert config.changed_from(config.fixed) == ()


@pytest.mark.parametrize(
    ("keys", "changed"),
    [
        ({"data_dir": "b"}, ("data_dir", "out.dir", "log.dir", "state.dir", "pollers.in.inbox", "database")),
        ({"log": {"dir": "other"}}, ("log.dir",)),
        ({"database": {"url": "sqlite:///other.db"}}, ("database",)),
        ({"database": {"keep_days": 5}}, ("database",)),
        ({"http": {"timeout": "9s"}}, ()),
        ({"pollers": {"in": {"kind": "visitors", "inbox": "other"}}}, ("pollers.in.inbox",)),
        ({"pollers": {"new": {"kind": "visitors", "inbox": "other"}}}, ()),
    ],
    ids=lambda each: json.dumps(each) if isinstance(each, dict) else "",
)
def test_what_differs_from_it_is_named(
    keys: dict[str, Any], changed: tuple[str, ...], tmp_path: Path
) -> None:
    poller = {"kind": "visitors", "inbox": "inbox"}
    old = _with_state(_config(tmp_path, pollers={"in": poller}))
    active = read_active(old.path)
    assert active is not None
    assert _config(tmp_path, **{"pollers": {"in": poller}, **keys}).changed_from(active.fixed) == changed


def test_a_changed_password_is_seen_and_no_password_stands_in_the_file(tmp_path: Path) -> None:
    url = "postgresql+psycopg://park:{}@127.0.0.1/park"
    old = _with_state(_config(tmp_path, database={"url": url.format("geheim-4711")}))
    assert "geheim-4711" not in active_file(old.path).read_text()
    new = _config(tmp_path, database={"url": url.format("geheim-4712")})
    assert new.changed_from(old.fixed) == ("database",)


def test_it_is_written_only_when_it_says_something_else(tmp_path: Path) -> None:
    config = _with_state(_config(tmp_path))
    before = active_file(config.path).stat()
    write_active(config, restart="start it again")
    assert active_file(config.path).stat() == before


def test_the_same_config_named_by_another_way_is_the_same(tmp_path: Path) -> None:
    config = _with_state(_config(tmp_path / "real"))
    (tmp_path / "link").symlink_to(tmp_path / "real")
    other = load(tmp_path / "link" / ".." / "link" / "config.json", environ={})
    active = read_active(other.path)
    assert active is not None
    assert other.changed_from(active.fixed) == ()
    assert active.state_dir == config.state_dir


def test_a_folder_whose_name_is_not_utf_8_is_named_like_any_other(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"L\xf6schzug")
    config = _with_state(_config(folder))
    active = read_active(config.path)
    assert active is not None
    assert active.state_dir == folder / "state"


def _copied(config: Config) -> Path:
    return Path(shutil.copytree(config.path.parent, config.path.parent.with_name("copy"))) / "config.json"


def _without_state(config: Config) -> Path:
    shutil.rmtree(config.state_dir)
    return config.path


def _torn(config: Config) -> Path:
    active_file(config.path).write_bytes(active_file(config.path).read_bytes()[:40])
    return config.path


def _of_another_sort(config: Config) -> Path:
    active_file(config.path).write_text("[]")
    return config.path


@pytest.mark.parametrize("change", [_copied, _without_state, _torn, _of_another_sort])
def test_one_that_says_nothing_of_this_config_counts_for_nothing(
    change: Callable[[Config], Path], tmp_path: Path
) -> None:
    assert read_active(change(_with_state(_config(tmp_path / "first")))) is None


# ---- what commands make of it


def _tallyd(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return warm.run("-m", "tallyd", "--config", str(config), *arguments, NO_COLOR="1")


def test_with_a_broken_config_status_and_alerts_find_the_state_while_it_runs_and_after(
    tmp_path: Path,
) -> None:
    content = {"timezone": "UTC", "data_dir": "data", "pollers": {"divera": _POLLER}}
    config = write_config(tmp_path, content)
    with running(config) as daemon:
        config.write_text('{"data_dir" "data"}')
        wait_until(lambda: "REJECTED" in _tallyd(config, "status").stdout)
        first = _tallyd(config, "status").stdout.splitlines()[0]
        assert "running" not in first
        assert "invalid JSON at line 1, column 13" in first
        assert _tallyd(config, "mute", "tallyd/config", "--for", "1h").returncode == 0
        assert "tallyd/config" in _tallyd(config, "alerts").stdout
        assert daemon.end() == 0
    assert _tallyd(config, "run").returncode == 78
    done = _tallyd(config, "status")
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert "was active since" in first
    assert "tallyd is NOT running; config.json: invalid JSON at line 1, column 13" in first
    assert "tallyd cannot start with it" in first
    assert any(line.startswith("divera") for line in rest)
    assert json.loads(_tallyd(config, "status", "--json").stdout)["config"]["on_disk"].startswith(
        "config.json: "
    )
    config.unlink()
    assert "no such file" in _tallyd(config, "status").stdout


def test_a_config_that_names_another_state_is_rejected_and_hides_nothing(tmp_path: Path) -> None:
    content = {"timezone": "UTC", "pollers": {"divera": _POLLER}}
    config = write_config(tmp_path, content)
    with running(config) as daemon:
        write_config(tmp_path, {**content, "data_dir": "other"})
        wait_until(lambda: "REJECTED" in _tallyd(config, "status").stdout)
        assert "data_dir" in _tallyd(config, "status").stdout.splitlines()[0]
        done = _tallyd(config, "mute", "tallyd/config", "--for", "1h")
        assert done.returncode == 0
        assert (
            "data_dir, out.dir, log.dir, state.dir and database changed; applies at the next start"
            in done.stderr
        )
        assert daemon.end() == 0
    assert not (tmp_path / "other").exists()
    assert "applies at the next start" in _tallyd(config, "status").stdout.splitlines()[0]
    with running(config) as daemon:
        assert "NOT" not in _tallyd(config, "status").stdout.splitlines()[0]
        assert daemon.end() == 0
    assert (tmp_path / "other" / "state" / "state.db").exists()


def test_where_no_daemon_has_run_a_broken_config_is_all_that_can_be_shown(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text("{")
    for command in ("status", "alerts"):
        done = _tallyd(config, command)
        assert done.returncode == 78
        assert "invalid JSON" in done.stderr
    with pytest.raises(ConfigError):
        load(config, environ={})


def test_beside_a_config_that_lies_where_nothing_may_be_written_the_daemon_runs_all_the_same(
    tmp_path: Path,
) -> None:
    with disk(tmp_path / "etc"):
        config = write_config(tmp_path / "etc", {"data_dir": str(tmp_path / "data"), "pollers": {}})
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "etc")], check=True)
        command = [sys.executable, "-m", "tallyd", "--config", str(config), "run"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            said = ""
            for line in process.stderr:
                said += line
                if "tallyd started" in line:
                    break
            process.terminate()
        assert process.returncode == 0, said
        assert "active file cannot be written" in said
        assert "read-only file system" in said
