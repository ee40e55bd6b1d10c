"""A real browser, and what it complains of."""

from __future__ import annotations

from playwright.sync_api import ConsoleMessage, Page, Request

CHROMIUM = "/usr/bin/chromium"


class Watched:
    """Notes errors and warnings of the console, exceptions, and each request to anywhere else."""

    def __init__(self, page: Page, url: str) -> None:
        self._url = url
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self._url + "/", "data:", "blob:")):
            self.complaints.append(f"asked for {request.url}")
