"""The small world: what tallyd watches in the demo, over real HTTP on loopback.

A new part is a module beside `divera.py` and an entry in `parts_of`. One server has the routes of all parts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import tzinfo
from pathlib import Path
from typing import Any

from tallyd.core.language.languages import language
from tallyd.core.language.messages import tr, translated
from tallyd.demo.world import cameras, chat, divera, servers, upstream
from tallyd.demo.world.cameras import Cameras
from tallyd.demo.world.chat import Chat
from tallyd.demo.world.divera import Divera
from tallyd.demo.world.http_server import Part, serving
from tallyd.demo.world.servers import Servers
from tallyd.demo.world.upstream import Upstream

NAME = "small-world"
"""The name, in messages, of the tallyd that watches it."""


def parts_of(inbox: Path, zone: tzinfo, tell: Callable[[str], None]) -> tuple[Part, ...]:
    """Return all parts. The cameras write their files into `inbox`; `tell` gets the messages of the chat."""
    return (Divera(), Servers(), Upstream(), Cameras(inbox, zone), Chat(tell=tell))


@contextmanager
def running(parts: Sequence[Part], *, port: int = 0) -> Iterator[str]:
    """Serve the parts until the block ends; yields the base URL. Raises `OSError`."""
    with ExitStack() as stack:
        for part in parts:
            stack.enter_context(part.running())
        yield stack.enter_context(serving([route for part in parts for route in part.routes()], port=port))


def config_for(base_url: str, *, inbox: str, at: Sequence[str], report_every: str) -> dict[str, Any]:
    """Return a config that counts everything in this world and notifies its chat, in this language."""
    return {
        "name": NAME,
        "language": language(),
        "channels": {chat.CHANNEL: chat.webhook(base_url)},
        "alerts": {"channels": [chat.CHANNEL]},
        "calendars": servers.calendars(),
        "pollers": {
            "divera": {**divera.poller(base_url), "accesskey": divera.KEY, "at": list(at)},
            "visitors": {**cameras.poller(inbox), "report": upstream.report(base_url, every=report_every)},
            "servers": servers.poller(base_url),
        },
    }


def why_not_served(port: int, error: OSError) -> str:
    """Return why `running` raised an error."""
    reason = (os.strerror(error.errno) if error.errno else type(error).__name__).lower()
    return tr(
        "cannot serve the small world on port {port} of 127.0.0.1: {reason}; use --port 0 for any free port",
        port=str(port),
        reason=translated(reason),
    )
