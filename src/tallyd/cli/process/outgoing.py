"""What the daemon sends with: an HTTP client and channels, kept while the `http` of its config stays."""

from __future__ import annotations

from collections.abc import Callable

from tallyd.adapters.channels.sender import Channels
from tallyd.adapters.http.client import HttpClient
from tallyd.cli.process.equipment import channels, http_client
from tallyd.config.model import Config
from tallyd.core.alerts.message import Message


class Outgoing:
    """Older clients stay usable until the process ends: active runs finish with their old settings.

    That costs a thread for each change of `http`.
    """

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._http: object = None
        self._clients: list[HttpClient] = []
        self._channels: list[Channels] = []

    def client(self, config: Config) -> HttpClient:
        """Return the client for the runs of this config; its channels are used from now on."""
        if config.settings.http != self._http:
            self._http = config.settings.http
            self._clients.append(http_client(config, self._redact))
            self._channels.append(channels(config, self._redact))
        return self._clients[-1]

    def deliver(self, url: str, message: Message) -> None:
        """Send a message. Raises `DeliveryError`, `Stopped`."""
        self._channels[-1].deliver(url, message)

    def end_requests(self) -> None:
        for client in self._clients:
            client.abort()

    def end_messages(self) -> None:
        """End deliveries that are under way. A message that is cut off may have arrived."""
        for sender in self._channels:
            sender.abort()
