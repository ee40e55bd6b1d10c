"""The small world: what tallyd watches in the demo, over real HTTP on loopback, in a process of its own.

A further part is a module beside `divera.py` and an entry in `parts_of`. One server has the routes of
all of them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from tallyd.core.reading import Json
from tallyd.demo.signals import asked_to_end, hold_signals
from tallyd.demo.world import cameras, chat, divera, servers, upstream
from tallyd.demo.world.cameras import Cameras
from tallyd.demo.world.chat import Chat
from tallyd.demo.world.divera import Divera
from tallyd.demo.world.http_server import Part, serving
from tallyd.demo.world.servers import Servers
from tallyd.demo.world.upstream import Upstream

NAME = "small-world"
"""What a tallyd that watches it is called in its messages."""


Tell = Callable[[str, tuple[Part, ...]], None]


def parts_of(inbox: Path | None, zone: tzinfo) -> tuple[Part, ...]:
    """Return all there is. The cameras drop their files into `inbox`, none without one."""
    return (Divera(), Servers(), Upstream(), Cameras(inbox, zone), Chat())


def serve(
    *, port: int, lasts_s: float | None, tell: Tell, inbox: Path | None = None, zone: tzinfo = UTC
) -> None:
    """Serve the world in the foreground until Ctrl-C, SIGTERM, or `lasts_s` is over. Raises OSError.

    `tell` is handed the base URL and the parts once it answers.
    """
    hold_signals()
    parts = parts_of(inbox, zone)
    with ExitStack() as running:
        for part in parts:
            running.enter_context(part.running())
        base_url = running.enter_context(
            serving([route for part in parts for route in part.routes()], port=port)
        )
        tell(base_url, parts)
        asked_to_end(within_s=lasts_s)


def example_config(base_url: str) -> str:
    """Return a whole config, as JSON, that counts what is in this world and tells its chat."""
    divera_poller: dict[str, Json] = {
        **divera.poller(base_url),
        "accesskey": divera.KEY,
        "at": ["08:00", "12:00", "20:00"],
    }
    visitors_poller: dict[str, Json] = {
        **cameras.poller("inbox"),
        "report": upstream.report(base_url, every="1m"),
    }
    content: dict[str, Json] = {
        "name": NAME,
        "channels": {chat.CHANNEL: chat.webhook(base_url)},
        "alerts": chat.alerts(),
        "pollers": {
            "divera": divera_poller,
            "visitors": visitors_poller,
            "servers": servers.poller(base_url),
        },
    }
    return json.dumps(content, indent=1)


def why_not_served(port: int, error: OSError) -> str:
    """Return what is wrong when `serve` raised."""
    reason = (os.strerror(error.errno) if error.errno else type(error).__name__).lower()
    return (
        f"cannot serve the small world on port {port} of 127.0.0.1: {reason}; use --port 0 for any free port"
    )


def main(arguments: list[str]) -> int:
    """Serve on the port given, and drop files into the inbox, with times of the zone, that are given too.

    The first line on stdout is the base URL, or why there is none.
    """
    port, inbox, zone = int(arguments[0]), Path(arguments[1]), ZoneInfo(arguments[2])
    try:
        serve(port=port, lasts_s=None, tell=lambda base_url, _parts: _say(base_url), inbox=inbox, zone=zone)
    except OSError as error:
        _say(why_not_served(port, error))
        return 1
    return 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 # read by the process that started this one


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
