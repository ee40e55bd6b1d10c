"""The config file: what loads, what is merged, what the documents beside it say."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from tallyd.cli.config.schema import json_schema, markdown
from tallyd.config.document import parse_document
from tallyd.config.kinds import KINDS
from tallyd.config.load import load
from tallyd.config.model import Config
from tallyd.config.secrets import SecretFiles
from tallyd.config.settings import Settings
from tallyd.core.errors import ConfigError
from tallyd.pollers.divera.poller import DiveraPoller
from tallyd.settings.secrets import Secret
from tallyd.settings.types import parse_duration, show_duration

ROOT = Path(__file__).parents[2]
KEY = "canary-5e1f-as-an-access-key"


def _load(folder: Path, content: dict[str, Any], **environ: str) -> Config:
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return load(path, environ={"KEY": KEY, **environ})


def _poller(**more: Any) -> dict[str, Any]:
    return {"kind": "divera", "accesskey": "env:KEY", "at": ["08:00"], **more}


def test_an_empty_object_is_a_config(tmp_path: Path) -> None:
    config = _load(tmp_path, {})
    assert config.settings.pollers == {}
    assert config.out_dir == tmp_path / "out"
    assert config.state_dir == tmp_path / "state"
    assert config.log_dir == tmp_path / "log"


def test_keys_that_begin_with_two_slashes_are_comments_at_every_depth(tmp_path: Path) -> None:
    poller = _poller(**{"//": "why", "//at": ["old"], "at_least": [{"//": 1, "statuses": ["1"], "count": 2}]})
    config = _load(tmp_path, {"//": "x", "pollers": {"//": "none", "a": poller}, "retry": {"//attempts": 3}})
    assert list(config.settings.pollers) == ["a"]


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b'\xef\xbb\xbf{"name": "W\xc3\xa4che"}')
    assert load(tmp_path / "config.json", environ={}).settings.name == "Wäche"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param('{"name": "x"}'.encode("utf-16"), "is not UTF-8 text", id="utf-16"),
        pytest.param(b'{"name": "\xff"}', "is not UTF-8 text (byte 10)", id="latin-1"),
        pytest.param(rb'{"name": "\ud800"}', "half of a surrogate pair", id="lone surrogate"),
    ],
)
def test_a_file_that_is_no_text_is_rejected(raw: bytes, expected: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.json", environ={})
    assert expected in caught.value.lines()[0]


def test_a_poller_overrides_the_top_field_by_field(tmp_path: Path) -> None:
    config = _load(
        tmp_path,
        {
            "timezone": "Europe/Berlin",
            "retry": {"attempts": 7, "first_wait": "2s"},
            "out": {"keep_days": 10},
            "pollers": {
                "a": _poller(),
                "b": _poller(timezone="Asia/Kathmandu", retry={"attempts": 2}, out={"keep_days": None}),
            },
        },
    )
    a, b = config.effective("a"), config.effective("b")
    assert (a.zone, a.policy.attempts, a.policy.first_wait_s, a.keep_days) == (
        ZoneInfo("Europe/Berlin"),
        7,
        2.0,
        10,
    )
    assert (b.zone, b.policy.attempts, b.policy.first_wait_s, b.keep_days) == (
        ZoneInfo("Asia/Kathmandu"),
        2,
        2.0,
        None,
    )


@pytest.mark.parametrize(
    ("top", "own", "kept"),
    [
        pytest.param({}, {}, {"people": None, "apps": 90}, id="by-kind"),
        pytest.param({"out": {"keep_days": 7}}, {}, {"people": 7, "apps": 7}, id="at-the-top"),
        pytest.param({"out": {"keep_days": None}}, {}, {"people": None, "apps": None}, id="never"),
        pytest.param({}, {"out": {"keep_days": None}}, {"people": None, "apps": None}, id="never-here"),
    ],
)
def test_out_files_of_servers_are_kept_ninety_days_unless_the_config_says_how_long(
    tmp_path: Path, top: dict[str, Any], own: dict[str, Any], kept: dict[str, int | None]
) -> None:
    apps = {"kind": "servers", "targets": {"A": {"url": "http://127.0.0.1:9/"}}, **own}
    config = _load(tmp_path, {**top, "pollers": {"people": _poller(), "apps": apps}})
    assert {name: config.effective(name).keep_days for name in kept} == kept


def test_who_waits_for_the_network_hears_of_it_also_with_channels_of_a_group(tmp_path: Path) -> None:
    content = {
        "channels": {name: f"json://{name}.example/x" for name in ("ops", "shop", "boss")},
        "alerts": {"channels": ["ops"]},
        "pollers": {
            "apps": {
                "kind": "servers",
                "groups": {"shop": {"channels": ["shop"]}},
                "targets": {
                    "A%B": {"url": "http://a.example/", "group": "shop"},
                    "C": {"url": "http://c.example/", "channels": []},
                    "D": {"url": "http://d.example/", "channels": ["boss"], "notify": False},
                },
            }
        },
    }
    config = _load(tmp_path, content)
    asked = (
        "apps/A%25B/stale",
        "apps/A%25B/item/stale",
        "apps/C/stale",
        "apps/check/failed",
        "apps",
        "gone/x/y",
    )
    channels = [config.alert_policy_of(key).channels for key in asked]
    assert channels == [("shop",), ("shop",), (), ("ops",), ("ops",), ("ops",)]
    assert config.alert_policy_of("tallyd/network").channels == ("ops", "shop")
    assert config.channels_of_pattern("tallyd/network") == {"ops", "shop"}
    assert config.channels_of_pattern("tallyd/config") == {"ops"}


def test_a_secret_file_is_read_beside_the_config_and_loses_one_newline(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text(KEY + "\n")
    config = _load(tmp_path, {"pollers": {"a": _poller(accesskey="file:secrets/key")}})
    (poller,) = config.settings.pollers.values()
    assert isinstance(poller, DiveraPoller)
    assert poller.accesskey == Secret(KEY)
    assert config.secrets == (KEY,)
    assert tmp_path / "secrets" / "key" in config.files


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(f"{KEY}\n\n", "contains a line break", id="two newlines"),
        pytest.param(f"key={KEY}\nother=1\n", "contains a line break", id="two lines"),
        pytest.param("\n", "is empty", id="empty"),
        pytest.param("x" * 70000, "larger than 64 KiB", id="too large"),
    ],
)
def test_a_secret_file_holds_only_the_secret(content: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, {"pollers": {"a": _poller(accesskey="file:key")}})
    assert expected in caught.value.lines()[0]
    assert KEY not in caught.value.lines()[0]


def test_a_secret_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\ufeff" + KEY, "utf-8")
    assert _load(tmp_path, {"pollers": {"a": _poller(accesskey="file:key")}}).secrets == (KEY,)


def test_a_pipe_instead_of_a_secret_file_is_rejected_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key")
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, {"pollers": {"a": _poller(accesskey="file:key")}})
    assert f"{tmp_path / 'key'} cannot be read: it is not a regular file" in caught.value.lines()[0]


def test_a_pipe_instead_of_a_config_is_rejected_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(ConfigError, match="1 problem") as caught:
        load(tmp_path / "config.json", environ={})
    assert "it is not a regular file" in caught.value.lines()[0]


@pytest.mark.parametrize(
    ("folder", "advice"),
    [
        ("/etc/tallyd", "readable for group tallyd (0640)"),
        ("/home/ada/tallyd", "readable only by you (0600)"),
    ],
)
def test_a_missing_secret_is_wanted_readable_for_whoever_runs_tallyd(folder: str, advice: str) -> None:
    with pytest.raises(PydanticCustomError, match=re.escape(advice)):
        SecretFiles(Path(folder), {}).read("file:secrets/absent-4711")


@pytest.mark.parametrize(
    ("folder", "advice"),
    [
        ("/etc/tallyd", "chgrp tallyd /etc/tallyd/key"),
        ("/home/ada/tallyd", "must belong to that user and have mode"),
    ],
)
def test_a_closed_secret_is_opened_to_whoever_runs_tallyd(
    folder: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.open", _refuse)
    with pytest.raises(PydanticCustomError, match=re.escape(advice)):
        SecretFiles(Path(folder), {}).read("file:key")


def test_a_user_without_a_name_is_shown_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setattr("os.open", _refuse)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.json", environ={})
    assert f"uid {os.getuid()} cannot read " in caught.value.lines()[0]


def _refuse(*_arguments: object) -> int:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_a_key_that_stands_twice_hides_no_other_problem(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"name": "a", "name": "b", "retry": {"attempts": 0}}')
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.json", environ={})
    assert [problem.place for problem in caught.value.problems] == ["name", "retry.attempts"]


@pytest.mark.parametrize(
    "written",
    [
        "INSERT_YOUR_KEY_HERE",
        "PUT_YOUR_KEY_HERE",
        "PASTE_KEY_HERE",
        "REPLACE_ME",
        "DEIN_ACCESSKEY",
        "xxxx-xxxx",
        "<your-access-key>",
    ],
)
def test_a_placeholder_is_no_secret(written: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, {"pollers": {"a": _poller(accesskey=written)}})
    assert f'"{written}" is a placeholder' in caught.value.lines()[0]


def test_a_secret_file_that_everybody_may_read_is_noted(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o644)
    config = _load(tmp_path, {"pollers": {"a": _poller(accesskey="file:key")}})
    assert any("is readable by everybody" in note for note in config.notes)


WITHOUT_PASSWORD = {
    "database": {"url": "postgresql+psycopg://db.example/park"},
    "http": {"proxy": "http://proxy.example:3128"},
    "pollers": {"a": _poller()},
}


SECRETS_AS_THEY_ARE = {
    "a key": ({"pollers": {"a": _poller(accesskey=KEY)}}, True),
    "a channel": ({"channels": {"ops": f"jsons://host.example/{KEY}"}}, True),
    "a heartbeat": ({"heartbeat": {"url": f"https://host.example/{KEY}"}}, True),
    "a proxy": ({"http": {"proxy": f"http://me:{KEY}@host.example"}}, True),
    "a database": ({"database": {"url": f"mysql+pymysql://me:{KEY}@db.example/x"}}, True),
    "an option": ({"database": {"url": f"postgresql+psycopg://db.example/x?password={KEY}"}}, True),
    "a key file": ({"database": {"url": "mysql+pymysql://db.example/x?ssl_key=/etc/x.pem"}}, False),
    "references, and URLs without a password": (WITHOUT_PASSWORD, False),
    "a file": ({"database": {"url": "sqlite:///state/records.db"}}, False),
    "nothing": ({}, False),
}


@pytest.mark.parametrize(("content", "is_noted"), SECRETS_AS_THEY_ARE.values(), ids=SECRETS_AS_THEY_ARE)
@pytest.mark.parametrize("mode", [0o604, 0o644, 0o640, 0o600], ids=oct)
def test_a_config_with_a_secret_as_it_is_that_everybody_may_read_is_noted(
    content: dict[str, Any], is_noted: bool, mode: int, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content))
    path.chmod(mode)
    notes = load(path, environ={"KEY": KEY}).notes
    open_to_all = f"is readable by everybody (mode {mode:04o}); fix it with: chmod 640 {path}"
    expected = f"{path} contains a secret and {open_to_all}"
    assert notes == ((expected,) if is_noted and mode & 0o004 else ())


def test_of_two_files_of_a_config_the_one_with_the_secret_is_noted(tmp_path: Path) -> None:
    target = {"url": "https://host.example", "stale_after": "5m", "headers": {"X-Key": KEY}}
    (tmp_path / "more.json").write_text(json.dumps({"PROD": target}))
    (tmp_path / "more.json").chmod(0o644)
    config = _load(tmp_path, {"pollers": {"apps": {"kind": "servers", "targets_file": "more.json"}}})
    config.path.chmod(0o644)
    (note,) = load(config.path, environ={}).notes
    assert note.startswith(f"{tmp_path / 'more.json'} contains a secret and is readable by everybody")


def test_every_header_is_a_secret_but_harmless_ones_and_no_short_word_is_redacted(tmp_path: Path) -> None:
    headers = {
        "X-Env": "prod",
        "X-Api-Version": "2",
        "X-Mode": "tests",
        "X-Tenant": "7",
        "X-Key": "Zq7-x",
        "X-Ticket": "canary",
        "X-Stage": "env:STAGE",
        "X-Pin": "env:PIN",
    }
    target = {"url": "https://host.example", "headers": headers}
    report = {"url": "https://host.example", "ssid": "1", "headers": {"X-AuthToken": "hunter2", **headers}}
    content = {
        "pollers": {
            "apps": {"kind": "servers", "targets": {"PROD": target}},
            "gates": {"kind": "visitors", "inbox": "inbox", "sources": {"1": {}}, "report": report},
        }
    }
    config = _load(tmp_path, content, STAGE="stage-17", PIN="4711")
    assert set(config.secrets) == {"Zq7-x", "canary", "stage-17", "4711", "hunter2"}


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        pytest.param({"X-Tenant": "TODO"}, '"TODO" is a placeholder', id="a placeholder"),
        pytest.param({"X-Tenant": ""}, "is empty", id="empty"),
        pytest.param({"X-Tenant": " 7"}, "spaces around it", id="spaces"),
        pytest.param({"X-Tenant": "Env:T"}, 'did you mean "env:NAME"', id="nearly a reference"),
        pytest.param({"Authorization": "abc"}, "is too short for a secret", id="too short a key"),
    ],
)
def test_a_short_header_is_checked_like_any_other(header: dict[str, str], fault: str, tmp_path: Path) -> None:
    target = {"url": "https://host.example", "headers": header}
    content = {"pollers": {"apps": {"kind": "servers", "targets": {"PROD": target}}}}
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, content)
    assert fault in caught.value.problems[0].text


def test_a_credential_comes_from_the_folder_that_systemd_names(tmp_path: Path) -> None:
    (tmp_path / "divera").write_text(KEY)
    content = {"pollers": {"a": _poller(accesskey="credential:divera")}}
    config = _load(tmp_path, content, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert config.secrets == (KEY,)


def test_a_credential_of_a_stopped_service_is_a_note_for_check(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"pollers": {"a": _poller(accesskey="credential:absent")}}))
    config = load(path, environ={}, lenient=True)
    assert any("credential:absent was not checked" in note for note in config.notes)


def test_a_secret_never_shows(tmp_path: Path) -> None:
    config = _load(
        tmp_path, {"pollers": {"a": _poller(accesskey=KEY)}, "http": {"proxy": f"http://u:{KEY}@h:1"}}
    )
    shown = (repr(config.settings), str(config.settings), config.settings.model_dump_json())
    assert all(KEY not in text for text in shown)


def test_what_needs_a_restart_is_named(tmp_path: Path) -> None:
    old = _load(tmp_path, {})
    new = _load(tmp_path, {"out": {"dir": "elsewhere"}, "name": "other"})
    assert new.changed_from(old.fixed) == ("out.dir",)


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("0.5s", 0.5)]
)
def test_a_duration_has_a_number_and_a_unit(written: str, seconds: float) -> None:
    assert parse_duration(written) == seconds
    assert parse_duration(show_duration(seconds)) == seconds


EXAMPLE_ENVIRON = {
    "DIVERA_ACCESSKEY": KEY,
    "CAMERA_12_PASSWORD": "invented-camera-password",
    "ROCKETCHAT_URL": "https://chat.example/hooks/5f1c0ffee5f1c0ffee/aToken5f1c0ffee5f1c0ffee",
    "TELEGRAM_URL": "tgram://123456789:an-invented_bot_5f1c0ffee/4711/",
    "UPSTREAM_KEY": "canary-upstream-5f1c0ffee",
    "SERVERS_TOKEN": "canary-servers-5f1c0ffee",
    "SHOP_DATABASE_URL": "postgresql+psycopg://tallyd:canary-db-5f1c0ffee@db.example/shop",
    "SHOP_PASSWORD": "canary-shop-5f1c0ffee",
    "SERVERS_TENANT": "canary-tenant-71",
    "HEARTBEAT_URL": "https://hc.example/5f1c0ffe-e5f1-c0ff",
    "WEB_PASSWORD": "canary-web-5f1c0ffee",
}


def test_the_example_loads_and_shows_every_key() -> None:
    text = (ROOT / "config.example.json").read_text("utf-8")
    config = load(ROOT / "config.example.json", environ=EXAMPLE_ENVIRON)
    assert len(config.settings.pollers) == 5
    assert json.loads(text)["$schema"] == "./docs/config.schema.json"
    # A key that names a file which must be there is shown as a comment.
    shown = text.replace('"//', '"')
    assert [key for key in _keys(Settings) if f'"{key}"' not in shown] == []


def _keys(model: type[BaseModel]) -> list[str]:
    found = []
    for name, field in model.model_fields.items():
        found.append(field.alias or name)
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found += _keys(part)
    return found + ([key for kind in KINDS for key in _keys(kind)] if model is Settings else [])


def test_the_committed_schema_is_the_one_of_the_program() -> None:
    committed = json.loads((ROOT / "docs" / "config.schema.json").read_text("utf-8"))
    assert committed == json_schema(), "write it anew: tallyd schema > docs/config.schema.json"


def test_the_documented_keys_are_those_of_the_program() -> None:
    committed = (ROOT / "docs" / "config.md").read_text("utf-8")
    assert committed == markdown(), "write it anew: tallyd schema --format markdown > docs/config.md"


def test_every_key_is_explained() -> None:
    assert "|  |\n" not in markdown()


def test_schema_is_printed_as_json() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tallyd", "schema"], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout)["title"] == "tallyd configuration"


def test_alerts_name_commands_as_the_tallyd_that_read_the_config_is_called(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    config = load(path, environ={}, tallyd="sudo tallyd")
    assert config.alert_policy_of("tallyd/web").tallyd == "sudo tallyd"


def test_a_channel_has_the_language_of_the_config_or_its_own(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    phone = {"url": "json://phone.example/x", "language": "zh-TW"}
    path.write_text(
        json.dumps({"language": "de", "channels": {"ops": "json://ops.example/x", "phone": phone}})
    )
    config = load(path, environ={})
    assert (config.language_of("ops"), config.language_of("phone")) == ("de", "zh-TW")
    assert config.settings.channels["phone"].url.reveal() == "json://phone.example/x"


@pytest.mark.parametrize(
    ("channel", "problem"),
    [
        ("https://host.example/x", "channels.ops: is a web address, but not a Rocket.Chat webhook"),
        (
            {"url": "https://host.example/x"},
            "channels.ops.url: is a web address, but not a Rocket.Chat webhook",
        ),
        ({"language": "de"}, "channels.ops.url: is missing"),
        (
            {"url": "json://a.example/x", "language": "fr"},
            'channels.ops.language: must be one of: "en", "de"',
        ),
        (["json://a.example/x"], "channels.ops: must be a channel URL, or an object"),
        ("env:NOT_SET", "channels.ops: "),
    ],
    ids=["text", "object", "no url", "unknown language", "list", "secret that is not there"],
)
def test_a_wrong_channel_is_named_where_the_file_has_it(
    tmp_path: Path, channel: object, problem: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"channels": {"ops": channel}}))
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    (line,) = caught.value.lines()
    assert problem in line


MAIN = b'{"pollers": {"a": {"targets_file": "a.json"}, "b": {"targets_file": "b.json"}}}'
PARTS = (MAIN, b'{"A": {}}', b'{"B": {}}')


def with_texts(texts: Sequence[bytes], zone: str, folder: Path) -> Config:
    """Return a config that does not say what the texts say: only its digest is looked at."""
    path = folder / "config.json"
    path.write_text(json.dumps({"timezone": zone}))
    parsed = tuple(parse_document(raw, path, mode=0).json for raw in texts)
    return replace(load(path, environ={}), texts=parsed)


@pytest.mark.parametrize(
    ("parts", "zone", "is_same"),
    [
        pytest.param((b'{"// ": 1, ' + MAIN[1:], *PARTS[1:]), "UTC", True, id="a comment"),
        pytest.param((b'{"$schema": "s.json", ' + MAIN[1:], *PARTS[1:]), "UTC", True, id="another schema"),
        pytest.param(PARTS, "Europe/Berlin", False, id="machines in two time zones"),
        pytest.param((MAIN, *PARTS[:0:-1]), "UTC", False, id="targets of each other"),
    ],
)
def test_configs_that_do_the_same_have_one_digest(
    parts: Sequence[bytes], zone: str, tmp_path: Path, *, is_same: bool
) -> None:
    one, other = with_texts(parts, zone, tmp_path).digest, with_texts(PARTS, "UTC", tmp_path).digest
    assert (one == other) is is_same


@pytest.mark.parametrize(
    ("file", "text", "is_same"),
    [
        pytest.param("config.json", '{"//": "a comment", ', True, id="comment"),
        pytest.param("config.json", '{"name": "pi2", ', False, id="value"),
        pytest.param("targets.json", '{"PROD": {"url": "http://127.0.0.1:8081/"}}', False, id="part"),
        pytest.param("key", "canary-another", False, id="secret"),
    ],
)
def test_a_config_is_another_one_if_a_value_a_part_or_a_secret_of_it_differs(
    tmp_path: Path, file: str, text: str, *, is_same: bool
) -> None:
    divera = {"kind": "divera", "accesskey": "file:key", "at": ["08:00"]}
    servers = {"kind": "servers", "targets_file": "targets.json"}
    config = json.dumps({"pollers": {"divera": divera, "servers": servers}})
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "targets.json").write_text('{"PROD": {"url": "http://127.0.0.1:8080/"}}')
    (tmp_path / "key").write_text("canary-one")
    before = load(tmp_path / "config.json", environ={})
    (tmp_path / file).write_text(text + config[1:] if file == "config.json" else text)
    assert load(tmp_path / "config.json", environ={}).says_the_same(before) is is_same


def test_a_report_may_be_of_a_source_that_is_not_listed_since_any_may_deliver(tmp_path: Path) -> None:
    park = {"kind": "visitors", "inbox": "inbox", "sources": {"12": {}}}
    weekly = {"at": "07:00", "period": "last-week", "source": "23", "dir": "reports"}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"pollers": {"park": park}, "reports": {"weekly": weekly}}))
    assert load(path, environ={}).settings.reports["weekly"].source == "23"
