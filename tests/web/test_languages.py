"""The page speaks the language of who reads it; programs are answered in English."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
import requests

from support.translations import Use
from support.webfolder import NOW, Web, serving_app
from tallyd.core.alerts.rules import Alert
from tallyd.core.language.languages import Language, reading_in
from tallyd.settings.web import WebSettings
from tallyd.web.app import application
from tallyd.web.http.languages import in_languages, kept

VIEWS = ["", "wall", "incidents", "poller/divera", "poller/park", "poller/apps", "poller/apps?target=TEST"]
FOR_PROGRAMS = ("/api/", "/metrics", "/static/")
GERMAN = {
    "Overview": "Übersicht",
    "All well": "Alles in Ordnung",
    "unreachable": "nicht erreichbar",
    "Last 24 h": "Letzte 24 Std.",
    "there is no such page": "Diese Seite gibt es nicht",
    "{heading} least": "{heading} (Minimum)",
}


@pytest.fixture
def web(tmp_path: Path) -> Web:
    found = Web(tmp_path)
    alert = Alert(key="apps/T/stale", severity="warning", text="old", over="", since=NOW, raised_at=NOW)
    found.alerts = {alert.key: alert}
    return found


@pytest.fixture(autouse=True)
def _german(use_translations: Use) -> None:
    use_translations(tallyd=GERMAN)


@contextmanager
def page(web: Web, language: Language = "en") -> Iterator[str]:
    """Serve the page with this language in the config; yield its address."""
    config = web.config
    web.config = replace(config, settings=config.settings.model_copy(update={"language": language}))
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        yield f"{url}/"


def get(url: str, accepted: str = "") -> requests.Response:
    headers = {"Accept": "text/html", **({"Accept-Language": accepted} if accepted else {})}
    return requests.get(url, headers=headers, timeout=20)


class Links(HTMLParser):
    """The links of a page besides those to itself in other languages, and its hidden fields by name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.hidden: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and "hreflang" not in given:
            self.found.append(given.get("href") or "")
        if tag == "input" and given.get("type") == "hidden":
            self.hidden[given.get("name") or ""] = given.get("value") or ""


def language_of(answer: requests.Response) -> str:
    """Return the language that a page says it has, after a check that its texts have it, too."""
    language = answer.text.partition('<html lang="')[2].partition('"')[0]
    assert ("Übersicht" in answer.text) is (language != "en")
    return language


@pytest.mark.parametrize(
    ("query", "accepted", "config", "language"),
    [
        pytest.param("?lang=de", "zh-TW", "en", "de", id="that of the address"),
        pytest.param("", "fr, de-AT;q=0.8, en;q=0.5", "zh-TW", "de", id="else that of the browser"),
        pytest.param("?lang=xx", "zh-CN", "de", "zh-TW", id="an unknown one is ignored"),
        pytest.param("", "fr", "de", "de", id="else that of the config"),
        pytest.param("", "", "zh-TW", "zh-TW", id="a program that says nothing"),
    ],
)
def test_a_page_has_the_language_of_its_reader(
    web: Web, query: str, accepted: str, config: Language, language: str
) -> None:
    with page(web, config) as url:
        answer = get(url + query, accepted)
        assert language_of(answer) == language
        assert "Accept-Language" in answer.headers["vary"]


def test_readers_of_different_languages_at_the_same_time_get_their_own(web: Web) -> None:
    with page(web) as url:
        for view in ("", "incidents", "poller/park", "a/b/nowhere"):
            found = [language_of(get(url + view, each)) for each in ("de", "en", "zh-TW", "de")]
            assert found == ["de", "en", "zh-TW", "de"]


@pytest.mark.parametrize("view", VIEWS)
def test_every_link_and_form_keeps_the_language_that_was_asked_for(web: Web, view: str) -> None:
    web.fill_records()
    with page(web) as url:
        asked = get(f"{url}{view}{'&' if '?' in view else '?'}lang=de")
        links = [urlsplit(urljoin(asked.url, each)) for each in Links(asked.text).found]
        for link in links:
            expected = None if link.path.startswith(FOR_PROGRAMS) else ["de"]
            assert parse_qs(link.query).get("lang") == expected, link
        hidden = Links(asked.text).hidden
        assert hidden == ({"lang": "de"} if "<form" in asked.text else {})


def test_without_a_language_in_the_address_no_link_has_one(web: Web) -> None:
    with page(web) as url:
        for view in VIEWS:
            answer = get(url + view, "de")
            assert not [each for each in Links(answer.text).found if "lang=" in each]
            assert not Links(answer.text).hidden


def test_what_refreshes_a_page_has_its_language(web: Web) -> None:
    with page(web) as url:
        parts = get(f"{url}?lang=de&live=1", "en").json()["parts"]
        assert "Übersicht" in parts["nav"]
        assert "lang=de" in parts["cards"]
        assert "Overview" in get(f"{url}?live=1", "en").json()["parts"]["nav"]


def test_a_page_links_to_itself_in_each_language() -> None:
    query = {"source": "12", "lang": "de"}
    assert [*in_languages(query)] == [
        ("en", "English", "?source=12&lang=en"),
        ("de", "Deutsch", "?source=12&lang=de"),
        ("zh-TW", "繁體中文", "?source=12&lang=zh-TW"),
    ]
    assert kept(query) == {"lang": "de"}
    assert kept({"lang": "<b>"}) == {}


@pytest.mark.parametrize("path", ["api/v1/status", "api/v1/alerts", "metrics", "healthz"])
def test_programs_are_answered_in_english(web: Web, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    seen: list[str] = []
    monkeypatch.setattr("tallyd.web.http.languages.reading_in", lambda wanted: _noted(wanted, seen))
    with page(web, "de") as url:
        answer = get(url + path, "de")
    assert seen == ["en"]
    assert "Accept-Language" not in answer.headers.get("vary", "")


def _noted(wanted: Language, seen: list[str]) -> AbstractContextManager[None]:
    seen.append(wanted)
    return reading_in(wanted)


def test_a_list_of_problems_has_the_colon_of_the_language(web: Web, use_translations: Use) -> None:
    use_translations(tallyd={"{problems}[: {names}]": "{problems}[：{names}]"})  # noqa: RUF001 # Chinese
    web.alerts |= {
        key: replace(web.alerts["apps/T/stale"], key=key) for key in ("apps/B/stale", "apps/A/stale")
    }
    with page(web) as url:
        assert re.search("targets stale：<strong>[ABT], ", get(f"{url}poller/apps", "zh-TW").text)  # noqa: RUF001 # see above


def test_a_badge_has_the_language_of_its_address_else_of_the_config(web: Web) -> None:
    with page(web, "de") as url:
        assert "nicht erreichbar" in get(f"{url}badge/apps/TEST.svg", "en").text
        assert "unreachable" in get(f"{url}badge/apps/TEST.svg?lang=en", "de").text
        assert "Accept-Language" not in get(f"{url}badge/apps/TEST.svg").headers.get("vary", "")


def test_a_file_for_excel_has_the_language_of_its_reader_and_one_for_programs_has_not(web: Web) -> None:
    path = "poller/divera/report.csv?from=2026-11-19&by=day"
    with page(web, "de") as url:
        plain = get(url + path, "de").text
        assert "(Minimum)" not in plain
        assert plain == get(url + path, "en").text
        german, chinese = (get(f"{url}{path}&excel=1", each).content.decode() for each in ("de", "zh-TW"))
        assert "(Minimum);" in german
        assert "(Minimum)," in chinese, "Excel in Taiwan reads commas"
        assert chinese.startswith("\ufeff")


def test_what_cannot_be_shown_is_said_in_the_reader_s_language(web: Web) -> None:
    with page(web) as url:
        assert "Diese Seite gibt es nicht" in get(f"{url}nowhere", "de").text
        plain = requests.get(f"{url}nowhere?lang=de", timeout=20).text
        assert plain.endswith("Diese Seite gibt es nicht\n")


def test_scripts_get_their_texts_from_the_page(web: Web) -> None:
    with page(web) as url:
        html = get(url).text
    texts = json.loads(html.partition("data-texts='")[2].partition("'")[0])
    assert texts["day"] == "{D} {MMM}"
    assert "{at}" in texts["lost"]
    assert "{title}" in texts["lost_tab"]
