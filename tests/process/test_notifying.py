"""The daemon as a process tells people: over real HTTP, through kill -9, and without holding up its end."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import warm
from support.chatservers import Reply, WebService, web_service
from support.daemon import every_seconds, running, wait_until, write_config
from support.rawserver import Connection, serving

USERS = json.dumps({"success": True, "data": [{"status_id": 50101}, {"status_id": 50103}]}).encode()
SOURCE, TOKEN = "/api/users?accesskey=k3y-of-this-test", "aTokenOfThisTest0987654321"
HOOK = f"/hooks/5f1c0ffee5f1c0ffe/{TOKEN}"


@pytest.fixture
def service() -> Iterator[WebService]:
    with web_service() as service:
        yield service


def _content(service: WebService, at: list[str], **top: Any) -> dict[str, Any]:
    return {
        "name": "florian-pi",
        "timezone": "UTC",
        "channels": {"chat": f"http://{service.host}{HOOK}"},
        "alerts": {"channels": ["chat"]},
        "log": {"level": "DEBUG"},
        "pollers": {
            "divera": {
                "kind": "divera",
                "url": f"http://{service.host}{SOURCE.partition('?')[0]}",
                "accesskey": "k3y-of-this-test",
                "at": at,
            }
        },
        **top,
    }


def _texts(service: WebService) -> list[str]:
    return [posted.json["text"] for posted in service.at(HOOK)]


def _command(config: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return warm.run("-m", "tallyd", "--config", str(config), *words, SUDO_USER="ada")


@pytest.mark.slow
def test_a_refused_key_is_notified_once_and_its_end_once_whatever_is_killed_in_between(
    tmp_path: Path, service: WebService
) -> None:
    service.replies[SOURCE] = Reply(403, b"{}")
    config = write_config(tmp_path, _content(service, every_seconds(3, count=2, first_in_s=4)))
    with running(config) as daemon:
        wait_until(lambda: len(_texts(service)) == 1, what="the first message")
        wait_until(lambda: "notice sent" in daemon.stderr.read_text(), what="the note")
        daemon.end(signal.SIGKILL)
    (begins,) = _texts(service)
    assert begins.startswith("[florian-pi] divera: no reading for ")
    assert "access key refused (HTTP 403)" in begins
    with running(config):
        time.sleep(1.5)
    shown = json.loads(_command(config, "alerts", "--json").stdout)
    assert [alert["key"] for alert in shown["alerts"]] == ["divera/count/failed"]
    assert list(shown["alerts"][0]["notified"]) == ["chat"]
    service.replies[SOURCE] = Reply(200, USERS)
    config = write_config(tmp_path, _content(service, every_seconds(3, count=10, first_in_s=4)))
    with running(config) as daemon:
        wait_until(lambda: len(_texts(service)) == 2, what="the end")
        time.sleep(2)
        assert daemon.end() == 0
    assert len(_texts(service)) == 2
    assert "divera: working again since" in _texts(service)[1]
    written = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*.*") if path != config)
    assert TOKEN not in written


def test_what_a_login_page_answered_with_http_200_is_sent_again(tmp_path: Path, service: WebService) -> None:
    service.replies |= {SOURCE: Reply(403, b"{}"), HOOK: Reply(200, b"<!doctype html><title>Log in</title>")}
    config = write_config(tmp_path, _content(service, every_seconds(3, count=20, first_in_s=4)))
    with running(config) as daemon:
        wait_until(lambda: "HTTP 200 with a web page" in daemon.stderr.read_text(), what="the reason")
        daemon.end()
    assert "notice sent" not in daemon.stderr.read_text()
    lost = len(_texts(service))
    service.replies[HOOK] = Reply()
    with running(config):
        wait_until(lambda: len(_texts(service)) == lost + 1, what="the message")
    assert "access key refused (HTTP 403)" in _texts(service)[-1]


def test_a_mute_from_the_shell_reaches_the_chat_and_says_who(tmp_path: Path, service: WebService) -> None:
    config = write_config(tmp_path, _content(service, ["23:59:59"]))
    assert _command(config, "mute", "divera/*", "--for", "2h").returncode == 1, "nothing has run yet"
    with running(config):
        muted = _command(config, "mute", "divera/*", "--for", "2h", "--why", "Umzug *heute*")
        assert muted.returncode == 0, muted.stderr
        wait_until(lambda: _texts(service), what="the mute")
        assert " by ada: divera/" in _texts(service)[0]
        assert _command(config, "unmute", "divera").returncode == 1
        assert _command(config, "unmute", "divera/*").returncode == 0
        wait_until(lambda: len(_texts(service)) == 2, what="its end")
        assert "no longer muted by ada" in _texts(service)[1]


def test_a_chat_that_hangs_does_not_hold_up_the_end(tmp_path: Path, service: WebService) -> None:
    reached = threading.Event()

    def hang(connection: Connection) -> None:
        connection.request()
        reached.set()
        connection.hang()

    service.replies[SOURCE] = Reply(403, b"{}")
    with serving(hang) as hanging:
        # More than one: on a busy machine the first may be over before it has started.
        content = _content(service, every_seconds(3, count=8, first_in_s=3))
        content["channels"] = {"chat": f"{hanging.url.rstrip('/')}{HOOK}"}
        with running(write_config(tmp_path, content)) as daemon:
            wait_until(reached.is_set, what="the delivery")
            assert daemon.end() == 0
            assert "tallyd stopped" in [line["event"] for line in daemon.log()]


def test_a_channel_that_apprise_does_not_know_is_a_mistake_of_the_config(
    tmp_path: Path, service: WebService
) -> None:
    content = _content(service, ["08:00"], channels={"chat": "nosuch://abc-def-ghi/jkl"})
    config = write_config(tmp_path, content)
    for command in ("check", "run"):
        found = _command(config, command)
        assert found.returncode == 78
        assert "config.json: channels.chat: " in found.stderr
        assert "jkl" not in found.stderr
    write_config(tmp_path, _content(service, ["23:59:59"]))
    with running(config) as daemon:
        write_config(tmp_path, content)
        wait_until(lambda: "config rejected" in daemon.stderr.read_text(), what="the refusal")


def test_the_channels_are_tried_without_a_message(tmp_path: Path, service: WebService) -> None:
    service.replies[SOURCE] = Reply(200, USERS)
    config = write_config(tmp_path, _content(service, ["08:00"]))
    found = _command(config, "check", "--online")
    assert found.returncode == 0, found.stderr
    assert f"channel chat: {service.host} answers" in found.stdout
    assert _texts(service) == []
    assert _command(config, "notify", "chat", "--message", "Grüße").returncode == 0
    assert _texts(service) == ["[florian-pi] Grüße"]
    assert _command(config, "notify", "chad").returncode == 2
    service.replies[HOOK] = Reply(404, b"{}")
    refused = _command(config, "notify", "chat")
    assert refused.returncode == 1
    assert "HTTP 404" in refused.stderr
    assert TOKEN not in refused.stderr
