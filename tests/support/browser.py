"""A real browser, and what it complains of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM = "/usr/bin/chromium-headless-shell"
"""The same engine without the window of a browser around it, for two thirds of the CPU."""
AXE = Path(__file__).parent / "axe"
"""axe-core as npm has it (MPL-2.0). Only tests use it; no package of tallyd contains it."""
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


_VIOLATIONS = """async (rules) => {
  const found = await axe.run(document, {runOnly: rules, resultTypes: ["violations"]});
  return found.violations.flatMap(
    (each) => each.nodes.map((node) => `${each.id}: ${node.target}: ${node.failureSummary}`));
}"""


def violations(page: Page) -> list[str]:
    """Return what breaks WCAG 2.2 AA on a page, as axe-core finds it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate((AXE / "axe.min.js").read_text())
    found: list[str] = page.evaluate(_VIOLATIONS, _RULES)
    return found


class Chromium:
    """Shows pages. Those with the same settings are the same page, one after the other.

    A new page costs most of a second of the processor, one in a context of its own twice as much. Nothing of
    tallyd's page stores anything in the browser.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._pages: dict[str, Page] = {}

    def page(
        self,
        *,
        width: int = 1280,
        height: int = 900,
        scheme: Literal["light", "dark"] = "light",
        **settings: Any,
    ) -> Page:
        """Return a page that is as a new one; `leave` it at the end. `settings` are those of a context."""
        key = repr(sorted(settings.items()))
        if key not in self._pages:
            self._pages[key] = self._browser.new_context(**settings).new_page()
        page = self._pages[key]
        page.unroute_all()
        page.mouse.move(0, 0)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(media="null", color_scheme=scheme)
        return page


def leave(page: Page) -> None:
    """Let a page show nothing and ask nobody."""
    page.goto("about:blank")


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield Chromium(browser)
        browser.close()


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
