"""The chat of the small world: an incoming webhook of Rocket.Chat, which keeps what it is sent.

The real one also takes a form with the JSON in its field `payload`, answers a wrong token with 404, and shows
what the sender had to escape without the escapes.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs

from tallyd.core.reading import Json
from tallyd.demo.world.http_server import Answer, Part, Request, Routes, asked_mode, json_answer, modes_answer

ID, TOKEN = "small-world-chat", "small-world-4712"
"""Of the webhook. Of no use anywhere else, so they may be shown."""
CHANNEL = "chat"
MODES = ("ok", "down")
"""What can be played: fine, no answer at all."""
HOOKS, CONTROL = "/hooks/", "/world/chat"
HOOK = f"{HOOKS}{ID}/{TOKEN}"
MOST_KEPT = 100

_ESCAPED = re.compile(r"\\([*_~`#.])")
_UNSEEN = "\u200b"


def webhook(base_url: str) -> str:
    """Return the channel's URL, as Rocket.Chat's administration page would show it."""
    return f"{base_url}{HOOK}"


def alerts() -> dict[str, Json]:
    """Return how a config tells its alerts to this chat."""
    return {"channels": [CHANNEL], "raise_after": 1, "resolve_after": 1, "remind_every": "1d"}


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A message that came in: which one since the world began (from 1), when, and its text as it was sent."""

    number: int
    at: datetime
    text: str

    def json(self) -> dict[str, Json]:
        """Return it for a list; `shown` is the text as a person sees it."""
        return {
            "number": self.number,
            "at": self.at.isoformat(timespec="milliseconds"),
            "text": self.text,
            "shown": as_shown(self.text),
        }


def as_shown(text: str) -> str:
    """Return a text as Rocket.Chat shows it; what would become markup there stays as it is."""
    return _ESCAPED.sub(r"\1", text).replace(_UNSEEN, "")


class Chat(Part):
    """One webhook. `now` gives an aware time."""

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._number = 0
        self._heard: deque[Heard] = deque(maxlen=MOST_KEPT)
        self.mode = "ok"

    def routes(self) -> Routes:
        """Return the webhook, what came in by it, and the address by which an outage is played."""
        return {
            ("POST", HOOKS): self._hook,
            ("GET", CONTROL): lambda _request: self._list(),
            ("POST", CONTROL): self._control,
        }

    def about(self, base_url: str) -> tuple[str, ...]:
        """Return what can be asked of it."""
        return (
            "A chat: an incoming webhook of Rocket.Chat, to be put into a config as it is",
            f"  {webhook(base_url)}",
            f"What came in, the last {MOST_KEPT}; and to play an outage ({', '.join(MODES)}):",
            f"  curl {base_url}{CONTROL}",
            f"""  curl -d '{{"mode": "down"}}' {base_url}{CONTROL}""",
        )

    def _hook(self, request: Request) -> Answer | None:
        if self.mode == "down":
            return None
        if request.path != HOOK:
            return _refused("Invalid integration id or token provided.", 404)
        text = _text_of(request.body)
        if text is None:
            return _refused("send JSON with a text", 400)
        with self._lock:
            self._number += 1
            self._heard.append(Heard(number=self._number, at=self._now(), text=text))
        return json_answer({"success": True})

    def _list(self) -> Answer:
        with self._lock:
            messages: list[Json] = [heard.json() for heard in self._heard]
        return json_answer({"mode": self.mode, "modes": list(MODES), "messages": messages})

    def _control(self, request: Request) -> Answer:
        mode = asked_mode(request, MODES)
        self.mode = mode or self.mode
        return modes_answer(mode, MODES)


def _refused(error: str, status: int) -> Answer:
    return json_answer({"success": False, "error": error}, status)


def _text_of(body: bytes) -> str | None:
    """Return the `text` of JSON, or of the JSON in a form; None where there is none."""
    try:
        written = body.decode()
        if written.startswith("payload="):
            written = parse_qs(written, strict_parsing=True)["payload"][0]
        content = json.loads(written)
    except (ValueError, KeyError, RecursionError):
        return None
    text = content.get("text") if isinstance(content, dict) else None
    return text if isinstance(text, str) and text else None
