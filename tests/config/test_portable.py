"""What a config says of its machine and its secrets when it goes to another machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tallyd.config.folders import INSTALLED, installed_folders
from tallyd.config.load import load
from tallyd.config.portable import Portable, moved, read_without_secrets, whole, without_secrets
from tallyd.core.reading import Json

KEY, TOKEN = "canary-key-8f3a", "json://chat.example/canary-token"
ENVIRON = {"KEY": KEY}
BERLIN = ZoneInfo("Europe/Berlin")


def poller(**keys: Json) -> dict[str, Json]:
    return {"kind": "divera", "accesskey": KEY, "at": ["08:00"], **keys}


def portable(folder: Path, content: dict[str, Any], *, is_private: bool = False) -> Portable:
    """Return what a backup has of a config."""
    path = folder / "config.json"
    path.write_text(json.dumps({"timezone": "Europe/Berlin", **content}))
    return (whole if is_private else without_secrets)(load(path, environ=ENVIRON), ENVIRON)


def test_a_secret_becomes_a_reference_and_comments_go(tmp_path: Path) -> None:
    content = {
        "//": f"old key {KEY}",
        "channels": {"ops": TOKEN, "phone": {"url": TOKEN}},
        "pollers": {"divera": poller()},
    }
    found = portable(tmp_path, content)
    assert json.loads(found.config) == {
        "timezone": "Europe/Berlin",
        "channels": {"ops": "file:secrets/channels-ops", "phone": {"url": "file:secrets/channels-ops"}},
        "pollers": {"divera": poller(accesskey="file:secrets/pollers-divera-accesskey")},
    }


def test_references_and_urls_without_a_password_stay(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    content = {
        "database": {"url": "sqlite:///other.db"},
        "pollers": {"one": poller(accesskey="env:KEY"), "two": poller(accesskey="file:key")},
    }
    found = portable(tmp_path, content)
    assert json.loads(found.config) == {"timezone": "Europe/Berlin", **content}
    assert found.beside == {}
    assert found.left_out == (tmp_path / "key",)


def test_a_password_that_is_also_a_name_is_replaced_where_it_is_one(tmp_path: Path) -> None:
    word = "visitors"
    web = {"listen": "127.0.0.1:8710", "password": word}
    gate = {"kind": word, "inbox": "inbox"}
    found = portable(tmp_path, {"name": word, "web": web, "pollers": {"gate": gate}})
    content = json.loads(found.config)
    assert (content["name"], content["pollers"]["gate"]["kind"]) == (word, word)
    assert content["web"]["password"] == "file:secrets/web-password"


def test_no_file_that_is_there_is_named_for_another_secret(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "channels-ops").write_text("other")
    found = portable(tmp_path, {"channels": {"ops": TOKEN}, "pollers": {}})
    assert json.loads(found.config)["channels"] == {"ops": "file:secrets/channels-ops-2"}


def test_targets_in_a_file_of_their_own_go_along_without_their_secrets(tmp_path: Path) -> None:
    target = {"url": "http://127.0.0.1:9/", "headers": {"Authorization": f"Bearer {KEY}"}}
    (tmp_path / "targets.json").write_text(json.dumps({"//": KEY, "PROD": target}))
    apps = {"kind": "servers", "targets_file": "targets.json"}
    found = portable(tmp_path, {"pollers": {"apps": apps}})
    assert list(found.beside) == ["targets.json"]
    assert KEY not in found.beside["targets.json"].decode()
    assert "file:secrets/prod-headers-authorization" in found.beside["targets.json"].decode()


def test_whole_it_is_as_on_disk_with_every_file_that_it_names_below_its_folder(tmp_path: Path) -> None:
    folder, outside = tmp_path / "etc", tmp_path / "key"
    (folder / "secrets").mkdir(parents=True)
    outside.write_text(KEY)
    (folder / "secrets" / "key").write_text(KEY)
    pollers = {"one": poller(accesskey="file:secrets/key"), "two": poller(accesskey=f"file:{outside}")}
    found = portable(folder, {"//": "a comment", "pollers": pollers}, is_private=True)
    assert found.config == (folder / "config.json").read_bytes()
    assert found.beside == {"secrets/key": KEY.encode()}
    assert found.left_out == (outside,)


def test_restored_it_is_readable_before_its_secrets_are_there(tmp_path: Path) -> None:
    found = portable(tmp_path, {"channels": {"ops": TOKEN}, "pollers": {"divera": poller()}})
    elsewhere = tmp_path / "new"
    config = read_without_secrets(found.config, elsewhere / "config.json", elsewhere)
    assert config.state_dir == elsewhere / "state"
    assert not config.settings.channels["ops"].url.is_known


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        pytest.param("/srv/config.json", {"data_dir": "x"}, {"data_dir": "x"}, id="elsewhere as it is"),
        pytest.param(
            INSTALLED,
            {"data_dir": "x", "out": {"dir": "y", "keep_days": 3}},
            {
                **installed_folders(),
                "out": {"dir": "/var/lib/tallyd/out", "keep_days": 3},
            },
            id="into the service",
        ),
        pytest.param(
            "/srv/config.json",
            {**installed_folders(), "name": "pi"},
            {"out": {}, "state": {}, "log": {}, "name": "pi"},
            id="out of the service",
        ),
    ],
)
def test_the_folders_of_the_service_are_those_of_an_installed_config(
    path: str | Path, content: dict[str, Any], expected: dict[str, Any]
) -> None:
    text = json.dumps(content | {"timezone": "UTC"}).encode()
    found = moved(text, Path(path), zone="Europe/Berlin", zone_here=BERLIN)
    assert json.loads(found) == expected | {"timezone": "UTC"}


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        pytest.param("UTC", {"//": "c", "timezone": "Europe/Berlin"}, id="another"),
        pytest.param("Europe/Berlin", {"//": "c"}, id="the same"),
    ],
)
def test_the_time_zone_of_the_old_machine_stays(here: str, expected: dict[str, Any]) -> None:
    text = b'{"//": "c"}'
    found = moved(text, Path("/x/config.json"), zone="Europe/Berlin", zone_here=ZoneInfo(here))
    if "timezone" in expected:
        expected.pop("//")  # written anew
    assert json.loads(found) == expected
