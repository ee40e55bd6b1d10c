"""What the small world received: messages in its chat, reports at its upstream, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tallyd.demo.client import Client
from tallyd.demo.world import chat, upstream


class Received:
    """Finds what came since the last look; of very many at once, the newest."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.messages = 0
        self.reports = 0

    def new_lines(self) -> Iterator[str]:
        """Yield what came in, the reports first: what the chat says may be about one of them."""
        yield from self._new_reports()
        yield from self._new_messages()

    def _new_reports(self) -> Iterator[str]:
        for report in self._asked(upstream.CONTROL, "reports"):
            if report["number"] > self.reports:
                self.reports = report["number"]
                values, end = report["values"], report["EndTime"]
                yield (
                    f"upstream: report {report['number']} of {report['ssid']}, up to {_time(end)}: "
                    f"{values['Count']} inside, {values['CountAccuIn']} came, {values['CountAccuOut']} left"
                )

    def _new_messages(self) -> Iterator[str]:
        for message in self._asked(chat.CONTROL, "messages"):
            if message["number"] > self.messages:
                self.messages = message["number"]
                yield f"chat: {message['shown']}".replace("\n", "\n      ")

    def _asked(self, path: str, what: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (self._client.get(path) or {what: []})[what]
        return found


def _time(digits: str) -> str:
    return f"{digits[8:10]}:{digits[10:12]}:{digits[12:]}"
