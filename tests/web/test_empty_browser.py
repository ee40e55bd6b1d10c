"""The page of pollers that have read nothing yet, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from support.browser import CHROMIUM, Watched
from support.needs import needs
from support.past import Past
from support.webfolder import Web, serving_app
from tallyd.settings.web import WebSettings
from tallyd.web.app import application

needs("chromium")
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(tmp_path, has_past=False)


@pytest.fixture
def page(web: Web) -> Iterator[Page]:
    web.fill_kept()
    with (
        web.context() as context,
        serving_app(application(context, WebSettings())) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(base_url=url, viewport={"width": 360, "height": 740})
        watched = Watched(page, url)
        yield page
        browser.close()
    assert watched.complaints == []


@pytest.mark.parametrize("path", ["/poller/divera", "/poller/park", "/poller/apps?target=TEST"])
def test_where_nothing_is_known_there_is_a_sentence_and_no_axis(page: Page, path: str) -> None:
    page.goto(path)
    page.locator(".plot[data-drawn]").last.wait_for()
    page.wait_for_function("!document.querySelector('.plot:not([data-drawn])')")
    assert page.locator(".plot canvas").count() == 0
    for text in page.locator(".plot").all_inner_texts():
        assert text.endswith(".")
        assert "2000" not in text
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_first_reading_makes_a_plot_of_the_sentence_without_a_reload(page: Page, web: Web) -> None:
    page.goto("/poller/divera")
    plot = page.locator(".plot").last
    expect(plot).to_have_attribute("data-drawn", "nothing")
    Past(web.folder).taken("2026-11-20T08:00", {"50101": 12})
    web.monotonic_s += 60
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(plot).to_have_attribute("data-drawn", "plot")
    expect(plot).not_to_contain_text("No reading")
    assert plot.locator("canvas").count() > 0
