"""What the demo does to the folder it works in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tallyd.config.load import load
from tallyd.demo.folder import MARKER, DemoError, DemoFolder
from tallyd.demo.world.chat import HOOK
from tallyd.demo.world.divera import KEY
from tallyd.pollers.divera.poller import DiveraPoller

BASE_URL = "http://127.0.0.1:8000"
WRITTEN_BY_A_RUN = (
    "config.json",
    ".config.json.active",
    "..config.json.active.4711.tmp",
    "log/tallyd.log",
    "out/divera/2026-11/2026-11-20T080000+0100.json",
    "state/state.db-wal",
    "state/locks/divera.count.lock",
    "inbox/12/20261120080000.json",
    "inbox/.tallyd/done/2026-11-20/12/20261120080000-2.json",
)


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def in_folder(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "demo-data"


def test_a_run_begins_with_an_empty_folder(root: Path) -> None:
    put(root, MARKER, *WRITTEN_BY_A_RUN)

    with DemoFolder(root).taken():
        assert in_folder(root) == {MARKER, "inbox"}


def test_what_the_demo_did_not_write_stays(root: Path, tmp_path: Path) -> None:
    mine = ("notes.txt", "my-config.json.bak", "config.json.old", "mine/out/latest.json")
    put(root, MARKER, *WRITTEN_BY_A_RUN, *mine)
    put(tmp_path, "elsewhere/latest.json")
    (root / "out" / "link").symlink_to(tmp_path / "elsewhere")

    with DemoFolder(root).taken():
        assert in_folder(root) == {MARKER, "inbox", "mine", "mine/out", *mine}
    assert (tmp_path / "elsewhere/latest.json").exists()


@pytest.mark.parametrize(
    ("name", "make", "what"),
    [
        pytest.param("out", lambda path: path.symlink_to(path.parent.parent), "a link", id="a link"),
        pytest.param("state", lambda path: path.symlink_to("nowhere"), "a link", id="a link to nothing"),
        pytest.param("log", Path.touch, "not a folder", id="a file"),
        pytest.param("config.json", Path.mkdir, "a folder", id="a folder"),
    ],
)
def test_something_else_in_the_place_of_its_own_is_named_before_anything_changes(
    root: Path, name: str, make: Callable[[Path], None], what: str
) -> None:
    put(root, MARKER, *(written for written in WRITTEN_BY_A_RUN if written.split("/")[0] != name))
    make(root / name)
    before = in_folder(root)

    with pytest.raises(DemoError, match=rf"{name} is {what}.*move it away"), DemoFolder(root).taken():
        pass
    assert in_folder(root) == before


def test_a_folder_that_the_demo_did_not_make_is_rejected_untouched(root: Path) -> None:
    put(root, "config.json", "out/divera/latest.json")
    before = in_folder(root)

    with pytest.raises(DemoError, match="was not created by the demo"), DemoFolder(root).taken():
        pass
    assert in_folder(root) == before


def test_an_empty_folder_is_taken(root: Path) -> None:
    root.mkdir()

    with DemoFolder(root).taken():
        assert in_folder(root) == {MARKER, "inbox"}


def test_a_file_in_the_folders_place_is_rejected(root: Path) -> None:
    root.write_text("mine")

    with pytest.raises(DemoError, match="cannot use"), DemoFolder(root).taken():
        pass
    assert root.read_text() == "mine"


def test_two_demos_do_not_share_a_folder(root: Path) -> None:
    with DemoFolder(root).taken():
        put(root, "config.json")
        with pytest.raises(DemoError, match="is already running in"), DemoFolder(root).taken():
            pass
        assert (root / "config.json").exists()
    with DemoFolder(root).taken():
        assert not (root / "config.json").exists()


def test_the_config_is_one_that_the_daemon_takes(root: Path) -> None:
    folder = DemoFolder(root)
    times = [f"{hour:02}:{minute:02}:30" for hour in (8, 9) for minute in range(60)]
    with folder.taken():
        folder.write_config(BASE_URL, times=times, zone="Europe/Berlin", cameras_zone="Asia/Tokyo")
    config = load(folder.config, environ={})
    divera = config.settings.pollers["divera"]

    assert isinstance(divera, DiveraPoller)
    assert str(config.zone) == "Europe/Berlin"
    assert str(config.effective("visitors").zone) == "Asia/Tokyo"
    assert divera.accesskey.reveal() == KEY
    assert config.settings.channels["chat"].url.reveal() == BASE_URL + HOOK
    assert config.effective("divera").alert_policy.channels == ("chat",)
    assert [str(at) for at in divera.at] == times
    assert config.settings.pollers.keys() == {"divera", "visitors", "servers"}
    assert config.inboxes == {"visitors": folder.inbox.absolute()}
    assert config.out_dir == folder.out.absolute()
    lines_of_times = [line for line in folder.config.read_text().splitlines() if times[0][:3] in line]
    assert 0 < len(lines_of_times) < len(times) / 6


def test_the_config_is_its_owners_alone(root: Path) -> None:
    folder = DemoFolder(root)
    with folder.taken():
        folder.write_config(BASE_URL, times=["08:00:00"], zone="UTC")

    assert folder.config.stat().st_mode & 0o777 == 0o600


def test_writing_the_config_again_changes_its_times_and_leaves_nothing_beside_it(root: Path) -> None:
    folder = DemoFolder(root)
    with folder.taken():
        for time in ("08:00:00", "09:00:00"):
            folder.write_config(BASE_URL, times=[time], zone="UTC")

    assert json.loads(folder.config.read_text())["pollers"]["divera"]["at"] == ["09:00:00"]
    assert in_folder(root) == {MARKER, "config.json", "inbox"}
