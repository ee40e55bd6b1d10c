"""The small world: what tallyd watches in the demo, over real HTTP on loopback, in its own process.

A new part is a module beside `divera.py` and an entry in `parts_of`. One server has the routes of all parts.
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
"""The name, in messages, of the tallyd that watches it."""


Tell = Callable[[str, tuple[Part, ...]], None]


def parts_of(inbox: Path | None, zone: tzinfo) -> tuple[Part, ...]:
    """Return all parts. The cameras write their files into `inbox`; None: they write none."""
    return (Divera(), Servers(), Upstream(), Cameras(inbox, zone), Chat())


def serve(
    *, port: int, lasts_s: float | None, tell: Tell, inbox: Path | None = None, zone: tzinfo = UTC
) -> None:
    """Serve the world in the foreground until Ctrl-C, SIGTERM, or `lasts_s` is over. Raises OSError.

    It calls `tell` with the base URL and the parts when the server answers.
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
    """Return a complete config, as JSON, that counts everything in this world and notifies its chat."""
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
    """Return why `serve` raised an error."""
    reason = (os.strerror(error.errno) if error.errno else type(error).__name__).lower()
    return (
        f"cannot serve the small world on port {port} of 127.0.0.1: {reason}; use --port 0 for any free port"
    )


def main(arguments: list[str]) -> int:
    """Serve on a port, and write files into an inbox with times of a zone: the three arguments.

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
