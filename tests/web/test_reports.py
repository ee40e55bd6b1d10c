"""The reports that come by themselves, at the foot of the overview."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import requests

from support.webfolder import CONFIG, NOW, Web, serving_app
from tallyd.config.load import load
from tallyd.core.alerts.rules import Alert
from tallyd.settings.web import WebSettings
from tallyd.web.app import application

WEEKLY = {"at": "07:00", "period": "last-week", "dir": "reports"}


def overview(web: Web) -> str:
    with (
        web.context() as context,
        serving_app(application(context, WebSettings(listen="127.0.0.1:0"))) as url,
    ):
        return requests.get(url, timeout=10).text


def test_the_page_lists_them_and_shows_their_alerts_at_the_top(web: Web, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**CONFIG, "reports": {"weekly": WEEKLY}}))
    web.config = load(path, environ={})
    key = "report.weekly/report/failed"
    web.alerts[key] = Alert(key=key, text="disk full", since=NOW, raised_at=NOW - timedelta(minutes=1))
    shown = overview(web)
    for text in ("<h2", "Reports", "weekly", "none yet", "Mon 07:00", "disk full"):
        assert text in shown, text


def test_without_reports_the_page_says_nothing(web: Web) -> None:
    assert ">Reports<" not in overview(web)
