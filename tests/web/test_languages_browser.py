"""What scripts write in the reader's language, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.browser import Chromium, Watched, chromium, leave, violations
from support.needs import needs
from support.past import Past
from support.translations import Use
from support.webfolder import Web, serving_app
from tallyd.settings.web import WebSettings
from tallyd.web.app import application

needs("chromium-headless-shell")

SOON_MS = 60_000
LOST = (
    "No answer from tallyd since {at} by this device's clock ({reason}). "
    "What is shown is from then. It is asked again every few seconds."
)
GERMAN = {
    LOST: "Keine Antwort seit {at} ({reason}).",
    "No answer · {title}": "Keine Antwort · {title}",
    "{{YYYY}}-{{MM}}-{{DD}}": "{{DD}}.{{MM}}.{{YYYY}}",
    "Sort by": "Sortieren nach",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with chromium() as found:
        yield found


@pytest.fixture
def web(tmp_path: Path, use_translations: Use) -> Web:
    use_translations(tallyd=GERMAN)
    found = Web(tmp_path)
    past = Past(tmp_path)
    for hour in range(9, 13):
        past.taken(f"2026-11-20T{hour:02}:00", {"50101": 1000 * hour + 500})
    return found


@contextmanager
def shown(web: Web, browser: Chromium, path: str, width: int = 1280) -> Iterator[Page]:
    """Show a view to somebody whose browser is German; at the end it has complained of nothing."""
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        page = browser.page(width=width, locale="de-DE")
        watched = Watched(page, url)
        page.goto(url + path)
        yield page
        leave(page)
        assert watched.complaints == []


def test_numbers_and_dates_of_a_chart_follow_the_language_of_the_page(web: Web, browser: Chromium) -> None:
    with shown(web, browser, "/poller/divera?from=2026-11-20") as page:
        plot = page.locator(".plot").first
        expect(plot.locator("canvas")).to_be_visible(timeout=SOON_MS)
        box = plot.locator(".u-over").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        legend = plot.locator(".u-legend")
        expect(legend).to_contain_text(re.compile(r"20\.11\.2026 \d\d:00:00"))
        expect(legend).to_contain_text(re.compile(r"\d{1,2}\.500"))
        assert violations(page) == []


def test_that_nothing_answers_is_said_in_the_language_of_the_page(web: Web, browser: Chromium) -> None:
    with shown(web, browser, "/") as page:
        page.route("**/*live=1*", lambda route: route.fulfill(body=""))
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text(
            re.compile(r"Keine Antwort seit \d\d:\d\d:\d\d \(.+\)"), timeout=SOON_MS
        )
        assert page.title().startswith("Keine Antwort · ")


def test_on_a_phone_the_words_of_the_stylesheet_are_those_of_the_page(web: Web, browser: Chromium) -> None:
    with shown(web, browser, "/poller/apps", width=360) as page:
        said = page.locator("thead tr").first.evaluate("each => getComputedStyle(each, '::before').content")
        assert said == '"Sortieren nach"'
