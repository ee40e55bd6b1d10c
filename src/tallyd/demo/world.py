"""The small world: what tallyd watches in the demo, over real HTTP on loopback, in a process of its own.

A further part (an upstream, application servers, cameras) is a module beside `divera.py` and an entry in
`PARTS`. The server has one table of routes, made of theirs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from tallyd.core.reading import Json
from tallyd.core.texts import visible
from tallyd.demo import chat, divera
from tallyd.demo.chat import Chat
from tallyd.demo.divera import Divera
from tallyd.demo.ending import asked_to_end, hold_signals
from tallyd.demo.server import Part, Route, serving

PARTS: tuple[Callable[[], Part], ...] = (Divera, Chat)
NAME = "small-world"
"""What a tallyd that watches it is called in its messages."""


def serve(*, port: int, lasts_s: float | None, tell: Callable[[str, tuple[Part, ...]], None]) -> None:
    """Serve the world in the foreground until Ctrl-C, SIGTERM, or `lasts_s` is over. Raises OSError.

    `tell` is handed the base URL and the parts once it answers.
    """
    hold_signals()
    parts = tuple(make() for make in PARTS)
    routes: dict[tuple[str, str], Route] = {}
    for part in parts:
        routes.update(part.routes())
    with serving(routes, port=port) as base_url:
        tell(base_url, parts)
        asked_to_end(within_s=lasts_s)


def example_config(base_url: str) -> str:
    """Return a whole config, as JSON, that counts what is in this world and tells its chat."""
    divera_poller: dict[str, Json] = {
        **divera.poller(base_url),
        "accesskey": divera.KEY,
        "at": ["08:00", "12:00", "20:00"],
    }
    content: dict[str, Json] = {
        "name": NAME,
        "channels": {chat.CHANNEL: chat.webhook(base_url)},
        "alerts": chat.alerts(),
        "pollers": {"divera": divera_poller},
    }
    return json.dumps(content, indent=1)


def why_not_served(port: int, error: OSError) -> str:
    """Return what is wrong when `serve` raised."""
    reason = visible((error.strerror or type(error).__name__).lower())
    return f"cannot serve the small world on port {port} of 127.0.0.1: {reason}; --port 0 takes any free one"


def main(arguments: list[str]) -> int:
    """Serve on the port given; the first line on stdout is the base URL, or why there is none."""
    port = int(arguments[0])
    try:
        serve(port=port, lasts_s=None, tell=lambda base_url, _parts: _say(base_url))
    except OSError as error:
        _say(why_not_served(port, error))
        return 1
    return 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 # read by the process that started this one


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
