"""The chat of the small world: an incoming webhook of Rocket.Chat that keeps its messages.

Like the real one, it also accepts a form with the JSON in its field `payload`, answers a wrong token with
404, and shows escaped characters without their escapes.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from tallyd.core.language.messages import tr
from tallyd.core.reading import Json
from tallyd.demo.world.http_server import NoAnswer, Part

ID, TOKEN = "small-world-chat", "small-world-4712"
"""The id and the token of the webhook. They have no use anywhere else, so they may be shown."""
CHANNEL = "chat"
MODES = ("ok", "down")
"""The modes: fine; no answer."""
HOOKS, CONTROL = "/hooks/", "/world/chat"
HOOK = f"{HOOKS}{ID}/{TOKEN}"
MOST_KEPT = 100

_ESCAPED = re.compile(r"\\([*_~`#.])")
_UNSEEN = "\u200b"


def webhook(base_url: str) -> str:
    """Return the channel's URL, as Rocket.Chat's administration page would show it."""
    return f"{base_url}{HOOK}"


def as_shown(text: str) -> str:
    """Return a text as Rocket.Chat shows it. Markup is not converted."""
    return _ESCAPED.sub(r"\1", text).replace(_UNSEEN, "")


class Chat(Part):
    """One webhook. `tell` gets each message as a person sees it; `now` gives an aware time."""

    control, modes = CONTROL, MODES

    def __init__(
        self,
        *,
        tell: Callable[[str], None] = lambda _text: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self._tell = tell
        self._now = now
        self._messages: deque[Json] = deque(maxlen=MOST_KEPT)

    def routes(self) -> list[BaseRoute]:
        """Return the webhook, and the address that lists messages and simulates an outage."""
        return [Route(f"{HOOKS}{{rest:path}}", self._hook, methods=["POST"]), *super().routes()]

    def seen(self) -> Mapping[str, Json]:
        """Return the last messages as a person sees them, and when each one came."""
        return {"messages": list(self._messages)}

    def about(self, base_url: str) -> tuple[str, ...]:
        """Return how to use the chat."""
        return (
            tr("A chat: an incoming webhook of Rocket.Chat; use this URL in a config"),
            f"  {webhook(base_url)}",
            tr(
                "Show the last {most} messages, and simulate an outage ({modes}):",
                most=MOST_KEPT,
                modes=", ".join(MODES),
            ),
            f"  curl {base_url}{CONTROL}",
            f"""  curl -d '{{"mode": "down"}}' {base_url}{CONTROL}""",
        )

    async def _hook(self, request: Request) -> Response:
        text = _text_of(await request.body())
        if self.mode == "down":
            return NoAnswer()
        if request.url.path != HOOK:
            return _refused("Invalid integration id or token provided.", 404)
        if text is None:
            return _refused("send JSON with a text", 400)
        shown = as_shown(text)
        self._messages.append({"at": self._now().isoformat(timespec="milliseconds"), "text": shown})
        self._tell(shown)
        return JSONResponse({"success": True})


def _refused(error: str, status: int) -> Response:
    return JSONResponse({"success": False, "error": error}, status)


def _text_of(body: bytes) -> str | None:
    """Return the `text` of JSON, or of the JSON in a form; None if there is none."""
    try:
        written = body.decode()
        if written.startswith("payload="):
            written = parse_qs(written, strict_parsing=True)["payload"][0]
        content = json.loads(written)
    except (ValueError, KeyError, RecursionError):
        return None
    text = content.get("text") if isinstance(content, dict) else None
    return text if isinstance(text, str) and text else None
