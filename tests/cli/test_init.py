"""`tallyd init`: a config that works where it is meant to lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support import warm
from tallyd.cli.config.init import init
from tallyd.config.folders import INSTALLED, installed_folders
from tallyd.config.load import load
from tallyd.config.settings import BY_KIND


def printed(kind: str, path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert init(kind, path) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


@pytest.mark.parametrize("kind", BY_KIND)
def test_what_it_prints_is_a_config(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(printed(kind, path, capsys)))
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "divera-key").write_text("canary-5e1f-as-an-access-key")
    config = load(path, environ={})
    assert list(config.settings.pollers) == [kind]
    assert config.data_dir == tmp_path


def test_its_comments_are_in_the_language_of_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    content = printed("divera", tmp_path / "config.json", capsys)
    assert content["language"] == "de"
    assert "docs/config.md (englisch). Prüfen mit: " in content["//"]
    assert content["pollers"]["divera"]["//"].startswith("Der Accesskey eines Systembenutzers")


@pytest.mark.parametrize("kind", BY_KIND)
def test_for_the_installed_service_it_has_the_folders_of_the_service(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = printed(kind, INSTALLED, capsys)
    assert installed_folders().items() <= content.items()
    assert content["//"].endswith("sudo tallyd check --online")


@pytest.mark.parametrize(
    ("locale", "language"), [("de_DE.UTF-8", "de"), ("zh_TW", "zh-TW"), ("C.UTF-8", None)]
)
def test_its_language_is_that_of_the_terminal(
    locale: str,
    language: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LC_ALL", locale)
    assert printed("divera", tmp_path / "config.json", capsys).get("language") == language


def test_the_key_of_the_installed_service_is_said_to_be_the_groups_to_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    comment = printed("divera", INSTALLED, capsys)["pollers"]["divera"]["//"]
    assert comment.endswith("in /etc/tallyd/secrets (root:tallyd, 0640)")


@pytest.mark.parametrize("zone", ["Asia/Taipei", "America/St_Johns", "UTC"])
def test_it_takes_the_zone_of_the_host(
    zone: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    assert printed("servers", tmp_path / "config.json", capsys)["timezone"] == zone


def test_a_zone_that_a_config_could_not_name_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unnamed = tmp_path / "zone"
    unnamed.write_bytes(Path("/usr/share/zoneinfo/Asia/Taipei").read_bytes())
    monkeypatch.setenv("TZ", f":{unnamed}")
    assert "timezone" not in printed("servers", tmp_path / "config.json", capsys)


def test_the_command_prints_for_the_config_that_it_is_given() -> None:
    done = warm.run("-m", "tallyd", "--config", str(INSTALLED), "init", "--kind", "servers")
    assert json.loads(done.stdout)["data_dir"] == "/var/lib/tallyd"


def test_a_kind_that_there_is_not_is_rejected_with_those_that_there_are() -> None:
    done = warm.run("-m", "tallyd", "init", "--kind", "weather")
    assert done.returncode == 2
    for kind in BY_KIND:
        assert f"'{kind}'" in done.stderr
