"""The small world in a language in which every translated word stands in brackets: no other word is English.

German has the place of that language (support/pseudo.py). Names, commands and what CLDR writes have no
brackets.
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from support import warm
from support.daemon import wait_until
from support.pseudo import CLOSES, OPENS
from support.webworld import Site, small_world
from tallyd.demo.world import cameras, chat, crowd, servers

pytestmark = pytest.mark.slow

TALLYD = ("-m", "support.pseudo")
PAGES = (
    "/",
    "/wall",
    "/poller/divera",
    "/poller/divera?by=week",
    "/poller/divera?fulfilment=yes",
    "/poller/visitors",
    "/poller/visitors?by=day",
    f"/poller/visitors?source={crowd.QUIET_HOST}",
    "/poller/servers",
    "/poller/servers?target=STAGE",
    "/incidents",
    "/poller/nobody",
)
COMMANDS = (
    ("status",),
    ("alerts",),
    ("alerts", "--past"),
    ("report",),
    ("report", "--poller", "divera", "--by", "weekday"),
    ("report", "--poller", "divera", "--fulfilment"),
    ("report", "--poller", "servers", "--format", "csv", "--excel"),
    ("report", "--format", "html"),
    ("check", "--online"),
    ("files",),
    ("mute", "visitors/*", "--for", "1h"),
)
SHOWN_ATTRIBUTES = frozenset({"title", "aria-label", "alt", "placeholder"})
# Names of the small world, what CLDR writes, what is the same in every language, what programs read.
NAMES = re.compile(
    r"small-world|divera|visitors|servers|tallyd|chat|works|"
    r"Einsatzbereit|Bedingt bereit|Nicht bereit|Im Einsatz|Beurlaubt|Gate|Bridge|Tunnel|Harbour|zone five|"
    r"STAGE|PROD|BATCH|NIGHTLY|SHOP|\bID\b|\(none\)|"
    r"\b(?:Mo|Di|Mi|Do|Fr|Sa|So|Std|Min|Sek|Tg|und|Januar|Februar|März|April|Mai|Juni|Juli|August|"
    r"September|Oktober|November|Dezember)\b|"
    r"\b(?:count|sweep|report|check)\b|"
    r"\b(?:CSV|Excel|JSON|OK|SS-\d+|UTC|MB|kB|GB|B|ms|W\d+|Europe/Berlin|English|Deutsch|繁體中文)\b|"
    r"Neujahr|Karfreitag|Ostermontag|Christi Himmelfahrt|Pfingstmontag|Tag der Arbeit|"
    r"Tag der Deutschen Einheit|(?:Erster|Zweiter) Weihnachtstag|^none\b|"
    r"[\w./-]*/[\w./*%-]*|--[a-z]+ ?\w*|127\.0\.0\.1(?::\d+)?|\b\d+h\b|"
    r"\bstate\.db\b|"
    r"\b(?:mute|ack|replay|alerts|status|status_names|https?|pollers\.\w+|chmod|mode)\b"
)


class _Texts(HTMLParser):
    """What a page shows."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        self.texts += [value for name, value in attrs if name in SHOWN_ATTRIBUTES and value]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(data)


def left(texts: Iterator[str] | list[str]) -> list[str]:
    """Return the texts with a word that is neither translated nor a name."""
    found = []
    for text in texts:
        bare = NAMES.sub(" ", re.sub(f"{OPENS}[^{CLOSES}]*{CLOSES}", " ", text))
        if re.search(r"[^\W\d_]{2,}", bare):
            found.append(" ".join(text.split()))
    return sorted(set(found))


def texts_of(page: str) -> list[str]:
    parser = _Texts()
    parser.feed(page)
    return parser.texts


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The world with a problem of each kind."""
    with small_world(tmp_path_factory.mktemp("pseudo") / "site", language="de", command=TALLYD) as found:
        found.set_mode(servers.CONTROL, "stale")
        found.set_mode(cameras.CONTROL, "quiet")
        wait_until(lambda: len(said_in(found)) >= 4, within_s=90, what="the messages of the chat")
        yield found


def said_in(site: Site) -> list[str]:
    with urllib.request.urlopen(site.world + chat.CONTROL, timeout=20) as answer:
        return [each["text"] for each in json.load(answer)["messages"]]


def asked(url: str) -> str:
    headers = {"Accept": "text/html", "Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_no_english(site: Site, path: str) -> None:
    assert left(texts_of(asked(site.url + path))) == []


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_shows_no_english(site: Site, words: tuple[str, ...]) -> None:
    done = warm.run(*TALLYD, "--config", str(site.folder / "config.json"), *words)
    shown = [*texts_of(done.stdout)] if "html" in words else [*done.stdout.splitlines()]
    assert left([*shown, *done.stderr.splitlines()]) == []
    assert OPENS in done.stdout


def test_the_chat_reads_no_english(site: Site) -> None:
    assert left([line for text in said_in(site) for line in text.splitlines()]) == []


def test_the_log_and_json_are_english(site: Site, tmp_path: Path) -> None:
    log = (site.folder / "log" / "tallyd.log").read_text("utf-8")
    json_of = [
        warm.run(*TALLYD, "--config", str(site.folder / "config.json"), *words).stdout
        for words in (("status", "--json"), ("alerts", "--json"), ("report", "--format", "json"))
    ]
    api = asked(site.url + "/api/v1/alerts")
    assert '"notice sent"' in log
    assert not [text for text in (log, *json_of, api) if OPENS in text or f"\\u{ord(OPENS):04x}" in text]
