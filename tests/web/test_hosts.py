"""The other daemons on the database, at the foot of the overview."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from support.webfolder import NOW, Web, serving_app
from tallyd.core.hosts import Host
from tallyd.settings.web import WebSettings
from tallyd.web.app import application


def host(**ago: float) -> Host:
    return Host(
        id="1",
        name="pi2",
        folder="/srv/<state>",
        version="9.8.7",
        started_at=NOW - timedelta(days=2),
        beat_at=NOW - timedelta(**ago),
        ahead_s=0.0,
        config_digest="",
        duties={"park": frozenset({"inbox"})},
    )


def overview(web: Web, language: str = "en") -> str:
    with (
        web.context() as context,
        serving_app(application(context, WebSettings(listen="127.0.0.1:0"))) as url,
    ):
        return requests.get(url, headers={"Accept-Language": language}, timeout=10).text


@pytest.mark.parametrize(
    ("language", "title", "age", "state"),
    [
        ("en", "Other hosts with the same database", "20 s ago", "running"),
        ("de", "Andere Rechner mit derselben Datenbank", "vor 20 Sek.", "läuft"),
        ("zh-TW", "使用同一資料庫的其他主機", "20 秒前", "執行中"),
    ],
)
def test_the_page_lists_them_with_age_and_version(
    web: Web, language: str, title: str, age: str, state: str
) -> None:
    web.hosts = (host(seconds=20),)
    shown = overview(web, language).replace("\u00a0", " ")
    for text in (title, age, state, "pi2 (/srv/&lt;state&gt;)", "9.8.7"):
        assert text in shown, text


def test_without_others_the_page_says_nothing(web: Web) -> None:
    assert "Other hosts" not in overview(web)


def test_one_that_is_silent_for_long_is_gone(web: Web) -> None:
    web.hosts = (host(minutes=12),)
    assert ">gone<" in overview(web)
