"""The small world: what tallyd watches in the demo, over real HTTP on loopback, in its own process.

A new part is a module beside `divera.py` and an entry in `parts_of`. One server has the routes of all parts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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
CHAT = "chat: "
"""How the lines of a message begin. Its further lines are indented as much."""


def parts_of(inbox: Path, zone: tzinfo, tell: Callable[[str], None]) -> tuple[Part, ...]:
    """Return all parts. The cameras write their files into `inbox`; `tell` gets the messages of the chat."""

    def heard(text: str) -> None:
        tell(CHAT + text.replace("\n", "\n" + " " * len(CHAT)))

    return (Divera(), Servers(), Upstream(), Cameras(inbox, zone), Chat(tell=heard))


def serve(
    parts: Sequence[Part], *, port: int, lasts_s: float | None, tell_url: Callable[[str], None]
) -> None:
    """Serve the parts in the foreground until Ctrl-C, SIGTERM, or `lasts_s` is over. Raises OSError.

    It calls `tell_url` with the base URL when the server answers.
    """
    hold_signals()
    with ExitStack() as running:
        for part in parts:
            running.enter_context(part.running())
        routes = [route for part in parts for route in part.routes()]
        tell_url(running.enter_context(serving(routes, port=port)))
        asked_to_end(within_s=lasts_s)


def config_for(base_url: str, *, inbox: str, at: Sequence[str], report_every: str) -> dict[str, Any]:
    """Return a config that counts everything in this world and notifies its chat."""
    return {
        "name": NAME,
        "channels": {chat.CHANNEL: chat.webhook(base_url)},
        "alerts": {"channels": [chat.CHANNEL]},
        "pollers": {
            "divera": {**divera.poller(base_url), "accesskey": divera.KEY, "at": list(at)},
            "visitors": {**cameras.poller(inbox), "report": upstream.report(base_url, every=report_every)},
            "servers": servers.poller(base_url),
        },
    }


def why_not_served(port: int, error: OSError) -> str:
    """Return why `serve` raised an error."""
    reason = (os.strerror(error.errno) if error.errno else type(error).__name__).lower()
    return (
        f"cannot serve the small world on port {port} of 127.0.0.1: {reason}; use --port 0 for any free port"
    )


def main(arguments: list[str]) -> int:
    """Serve on a port, and write files into an inbox with times of a zone: the first three arguments.

    Each further argument is the first mode of a part, such as `/world/divera=outage`. The first line on
    stdout is the base URL, or why there is none; the others are the messages of the chat.
    """
    port, inbox, zone = int(arguments[0]), Path(arguments[1]), ZoneInfo(arguments[2])
    modes = dict(argument.split("=") for argument in arguments[3:])
    parts = parts_of(inbox, zone, _say)
    for part in parts:
        part.play(modes.get(part.control, part.mode))
    try:
        serve(parts, port=port, lasts_s=None, tell_url=_say)
    except OSError as error:
        _say(why_not_served(port, error))
        return 1
    return 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 # read by the process that started this one


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
