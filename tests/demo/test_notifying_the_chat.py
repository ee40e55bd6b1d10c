"""The world, and the daemon as a process that is killed in the middle of an outage."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from demo.conftest import ask
from support.daemon import wait_until
from tallyd.demo.folder import DemoFolder
from tallyd.demo.timetable import Pace, Times
from tallyd.demo.world import chat, divera
from tallyd.demo.world.main import parts_of, running

BEGINS = r"divera: no reading for (?:\w+ )?([\d:]+): .* closed the connection"
ENDS = r"divera: working again since .* missing \(({slot})"
PACE = Pace(every_s=4, ahead_s=110.0)


class Scene:
    """A small world and the daemon that watches it; `daemon` may be killed and begun again."""

    def __init__(self, root: Path, base_url: str) -> None:
        now = datetime.now(UTC)
        self.folder = DemoFolder(root)
        self.base_url = base_url
        self.daemon: subprocess.Popen[bytes] | None = None
        with self.folder.taken():
            times = Times(PACE, now=now).extend(now, ZoneInfo("UTC"))
            self.folder.write_config(base_url, times=times, zone="UTC")

    def begin(self) -> None:
        self.daemon = subprocess.Popen(
            [sys.executable, "-m", "tallyd", "--config", str(self.folder.config), "run"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait()

    def play(self, mode: str) -> None:
        assert ask(self.base_url + divera.CONTROL, {"mode": mode})[0] == 200

    def notified(self, pattern: str) -> list[str]:
        """Return what the group of the pattern is in each message of the chat that says so."""
        messages = ask(self.base_url + chat.CONTROL)[1]["messages"]
        found = (re.search(pattern, message["text"]) for message in messages)
        return [match[1] for match in found if match]

    def readings(self) -> int:
        return len(list(self.folder.out.glob("divera/*/*.json")))

    def log(self) -> str:
        return (self.folder.root / "log" / "tallyd.log").read_text("utf-8")

    def wait_for_readings(self, more: int) -> None:
        wanted = self.readings() + more
        wait_until(lambda: self.readings() >= wanted)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    inbox = tmp_path / "demo-data" / "inbox"
    with running(parts_of(inbox, ZoneInfo("UTC"), lambda _message: None)) as base_url:
        made = Scene(tmp_path / "demo-data", base_url)
        try:
            yield made
        finally:
            made.kill()


@pytest.mark.slow
def test_the_chat_gets_an_outage_and_its_end_once_each_though_the_daemon_is_killed_in_between(
    scene: Scene,
) -> None:
    scene.begin()
    scene.wait_for_readings(1)
    scene.play("down")
    wait_until(lambda: scene.notified(BEGINS))
    (slot,) = scene.notified(BEGINS)
    # By its first slot: on a busy machine a start takes longer than a slot, which is an outage of its own.
    ends = ENDS.format(slot=slot)
    # Killed between the delivery and its note, it tells twice rather than never; here it has noted it.
    wait_until(lambda: re.search(r"notice sent.*divera: no reading for", scene.log()))
    scene.kill()
    scene.begin()
    failed = scene.log().count("run failed")
    wait_until(lambda: scene.log().count("run failed") >= failed + 2)
    scene.play("ok")
    wait_until(lambda: scene.notified(ends))
    wait_until(lambda: re.search(r"notice sent.*" + ends, scene.log()))
    scene.kill()
    scene.begin()
    scene.wait_for_readings(2)

    assert (scene.notified(BEGINS), scene.notified(ends)) == ([slot], [slot])
