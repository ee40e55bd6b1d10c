"""The daemon with its page in the small world of the demo, with the past of the demo.

with small_world(folder) as site:
    site.daemon.wait_ready()
    get(site.url + "/healthz")
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from support.daemon import Daemon, running, write_config
from support.past import BERLIN
from support.processes import free_port
from tallyd.demo.folder import DemoFolder
from tallyd.demo.past.writer import write_past
from tallyd.demo.world import cameras, chat, divera, servers, upstream
from tallyd.demo.world.main import parts_of
from tallyd.demo.world.main import running as serving_parts


@dataclass(frozen=True)
class Site:
    """A running daemon: its folder, where its page is, and where its world is."""

    folder: Path
    url: str
    world: str
    daemon: Daemon

    def set_mode(self, control: str, mode: str) -> None:
        """Play something in the world: `servers.CONTROL`, `cameras.CONTROL`, ..."""
        body = json.dumps({"mode": mode}).encode()
        request = urllib.request.Request(self.world + control, data=body, method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()


@contextmanager
def world(inbox: Path) -> Iterator[str]:
    """The small world; its address."""
    with serving_parts(parts_of(inbox, BERLIN, lambda _message: None)) as base_url:
        yield base_url


@contextmanager
def small_world(
    folder: Path, *, language: str = "en", command: tuple[str, ...] = ("-m", "tallyd"), **web: Any
) -> Iterator[Site]:
    """A daemon that is ready, with its page; `web` are further keys of `web` in the config.

    `command` are the words of `python` that begin a command of tallyd.
    """
    inbox, port = folder / "inbox", free_port()
    inbox.mkdir(parents=True)
    with world(inbox) as base_url:
        config = write_config(folder, {"language": language, **_config(base_url, port, web)})
        make_past(folder)
        with running(config, command=command) as daemon:
            yield Site(folder, f"http://127.0.0.1:{port}", base_url, daemon)


def still_world(folder: Path) -> Path:
    """The same config and past where nothing runs; the config's path."""
    folder.mkdir()
    make_past(folder)
    return write_config(folder, _config("http://127.0.0.1:1", free_port(), {}))


def _config(base_url: str, port: int, web: dict[str, Any]) -> dict[str, Any]:
    now = datetime.now(BERLIN)
    soon = [f"{now + timedelta(seconds=step):%H:%M:%S}" for step in range(4, 64, 6)]
    return {
        "name": "small-world",
        "timezone": "Europe/Berlin",
        "calendars": servers.calendars(),
        "web": {"listen": f"127.0.0.1:{port}", **web},
        "channels": {"chat": chat.webhook(base_url)},
        "alerts": {"channels": ["chat"]},
        "retry": {"attempts": 2, "first_wait": "1s", "longest_wait": "2s", "give_up_after": "4s"},
        "pollers": {
            "divera": {**divera.poller(base_url), "accesskey": divera.KEY, "at": ["08:00", "20:00", *soon]},
            "visitors": {
                **cameras.poller("inbox"),
                "report": upstream.report(base_url, every="10s"),
            },
            "servers": {**servers.poller(base_url), "every": "2s"},
        },
    }


def make_past(folder: Path) -> None:
    """Write the past of the demo: four weeks of people and visitors, of servers and of incidents."""
    write_past(DemoFolder(folder).config_of_past(str(BERLIN)), now=datetime.now(UTC))
