"""Every language has room: nothing is cut, on a phone and on a screen, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.browser import Chromium, chromium, leave
from support.long import some
from support.needs import needs
from support.webfolder import Web, serving_app
from support.webworld import Site, small_world
from tallyd.core.language.languages import LANGUAGES
from tallyd.settings.web import WebSettings
from tallyd.web.app import application

needs("chromium-headless-shell")

WIDTHS = (360, 1280)
_CUT = """() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const text = texts.currentNode;
    const whole = text.parentElement.closest("button, h1, h2, h3, .badge, th, caption, dt, summary, label");
    if (!whole?.checkVisibility() || text.parentElement.closest(".vh, thead:has(a)")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const reach = range.getBoundingClientRect();
    for (let each = whole; reach.width && each; each = each.parentElement) {
      if (each !== whole && getComputedStyle(each).overflowX === "visible") continue;
      const room = each.getBoundingClientRect();
      if (reach.left < room.left - 1 || reach.right > room.right + 1) found.push(text.data.trim());
    }
  }
  return found;
}"""
"""Texts that reach out of their button, heading, badge, ..., or of a part of the page that is scrolled.

On a phone, the links by which a table is sorted stand in a row that is scrolled.
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with small_world(tmp_path_factory.mktemp("site") / "folder") as found:
        yield found


PATHS = (
    "/",
    "/wall",
    "/incidents",
    "/poller/divera",
    "/poller/visitors",
    "/poller/visitors?source=12",
    "/poller/servers",
    "/poller/servers?target=STAGE",
    "/poller/nobody",
)
VIEWS = [
    (path, LANGUAGES[(number + turn) % len(LANGUAGES)])
    for number, path in enumerate(PATHS)
    for turn in range(len(LANGUAGES))
]
"""Each page in each language. Every third of them is each page once, in one language after the other."""


@pytest.mark.parametrize(("path", "language"), some(VIEWS))
def test_no_view_is_wider_than_the_window_and_no_word_is_cut(
    browser: Chromium, site: Site, path: str, language: str
) -> None:
    assert_has_room(browser, site.url + path, language)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", ["/", "/poller/park"])
def test_nor_is_one_where_nothing_was_read_yet(
    browser: Chromium, tmp_path: Path, path: str, language: str
) -> None:
    web = Web(tmp_path, has_past=False)
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        assert_has_room(browser, url + path, language)


def assert_has_room(browser: Chromium, address: str, language: str) -> None:
    page = browser.page(width=WIDTHS[0], locale=language)
    page.goto(address)
    assert page.evaluate("document.documentElement.lang") == language
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(_CUT) == [], width
    leave(page)
