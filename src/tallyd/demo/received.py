"""The messages that the chat of the small world received, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from tallyd.demo.client import Client
from tallyd.demo.world import chat


class Received:
    """Finds the messages since the last look; if there are very many, the newest."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.messages = 0

    def new_lines(self) -> Iterator[str]:
        """Yield the new messages."""
        for message in (self._client.get(chat.CONTROL) or {"messages": []})["messages"]:
            if message["number"] > self.messages:
                self.messages = message["number"]
                yield f"chat: {message['shown']}".replace("\n", "\n      ")
