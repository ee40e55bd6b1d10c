"""Every number that the page shows is in `report --format json`, and the other way round."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
import time_machine

from support.past import BERLIN, minutely
from support.webfolder import NOW, Web, serving_app
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import JobRef, State
from tallyd.cli.views.report import report
from tallyd.contract.lags import LagRow
from tallyd.core.alerts.rules import Observations
from tallyd.core.language.formats import number_text, span
from tallyd.core.out_document import Heading
from tallyd.core.reading import Reading, Slot
from tallyd.presentation.html.view import ROWS_A_PAGE
from tallyd.reporting.chapters import Wanted
from tallyd.settings.web import WebSettings
from tallyd.web.app import application

TWO_DAYS = {"from": "2026-11-19", "to": "2026-11-20"}
FOR_PROGRAMS = {"id", "at", "begin", "origin", "taken_at"}
"""What only programs see of a table: instants, and where a reading comes from."""
ASKED = [
    ("divera", {}),
    ("divera", {**TWO_DAYS, "group": "50101+50103"}),
    *(("divera", {**TWO_DAYS, "by": by}) for by in ("hour", "day", "weekday", "week", "month", "year")),
    ("divera", {**TWO_DAYS, "fulfilment": "yes"}),
    ("divera", {**TWO_DAYS, "fulfilment": "yes", "group": "Ready & able", "by": "month"}),
    ("park", {}),
    ("park", {**TWO_DAYS, "by": "day"}),
    ("park", {**TWO_DAYS, "by": "weekday"}),
    ("park", {"source": "12"}),
    ("park", {"from": "2026-11-27", "to": "2026-11-27"}),  # a week after the only day with records
    ("park", {"group": "north", "by": "month"}),
    ("apps", {}),
    ("apps", {**TWO_DAYS, "by": "hour"}),
    ("apps", {"target": "TEST", "from": "2026-11-20"}),
    ("apps", {**TWO_DAYS, "target": "TEST", "by": "day"}),
    *(("apps", {"target": "TEST", "range": back}) for back in ("24h", "7d", "30d", "365d")),
]


class Shown(HTMLParser):
    """What a part of a page shows: tables by key, with their headings and rows, and the stats and facts.

    A cell is its text; an instant is as programs read it.
    """

    def __init__(self, html: str, part: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.stats: list[str] = []
        self.facts: list[str] = []
        self._list = self.stats
        self._part = part
        self._rows: list[list[str]] = []
        self._into: list[str] | None = None
        self._instant = ""
        self.feed(html.partition(f'id="part-{part}">')[2].partition("</section>")[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("class") in ("scroll", "heat"):
            self._rows = self.tables.setdefault(str(given["id"]).removeprefix(f"{self._part}-"), [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._begin(self._rows[-1])
        elif tag == "dl":
            self._list = self.stats if given.get("class") == "stats" else self.facts
        elif tag == "dd":
            self._begin(self._list)
        elif tag == "time" and self._into is not None:
            self._instant = str(given["datetime"])

    def _begin(self, into: list[str]) -> None:
        into.append("")
        self._into, self._instant = into, ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "dd") and self._into is not None:
            self._into[-1] = self._instant or self._into[-1].strip()
            self._into = None

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into[-1] += data


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Web:
    """All three kinds, with hidden and unknown numbers; the daemon and state.db know the same of targets."""
    web = Web(tmp_path_factory.mktemp("same"))
    web.fill_records()
    fill_apps(web.folder, web.kept["apps", "check"]["memory"].to_store())  # type: ignore[attr-defined] # TargetMemory
    return web


def fill_apps(folder: Path, memory: Any) -> None:
    """Store checks of some hours, changes of a target, and what is known of both."""
    begin = datetime(2026, 11, 20, 6, tzinfo=UTC)
    hours = {
        (f"2026-11-20 {hour:02}:00:00", name): minutely(
            60, 10 * (hour % 5), 3, 61.25 * hour if hour % 2 else None
        )
        for hour in range(6, 13)
        for name in ("PROD\\", "TEST")
    }
    changes = [
        LagRow("TEST", f"{at:%Y-%m-%d %H:%M:%S}", f"{at:%Y-%m-%d %H:%M:%S}", 60.5 * number, "fresh", None)
        for number in range(6)
        for at in (begin + timedelta(hours=number),)
    ]
    with closing(Database(f"sqlite:///{folder}/state/records.db")) as database:
        database.records("apps").note_checks(changes, hours)
    heading = Heading(poller="apps", kind="servers", origin="live", due_at=begin, taken_at=begin, zone=BERLIN)
    reading = Reading(taken_at=begin, facts={"counts": {}, "targets": {}}, memory=memory)
    observations = Observations(named=(), may_resolve=lambda _key: False, now=begin)
    ref, slot = JobRef(poller="apps", kind="servers", job="check"), Slot("1", begin)
    with closing(State(folder / "state" / "state.db")) as state:
        state.readings.record(
            ref, slot, [(reading, heading)], observations=observations, is_taken=lambda _name: False
        )


@pytest.fixture(scope="module")
def url(web: Web) -> Iterator[str]:
    with web.context() as context, serving_app(application(context, WebSettings())) as found:
        yield found


def page_of(url: str, poller: str, query: dict[str, str]) -> str:
    answer = requests.get(f"{url}/poller/{poller}?{urlencode(query)}", timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.text


def rows_of(url: str, poller: str, query: dict[str, str], table: str) -> list[list[str]]:
    """Return the rows of a table of the past, page after page."""
    found: list[list[str]] = []
    for number in count(1):
        page = page_of(url, poller, {**query, "page": f"past-{table}.{number}"})
        rows = Shown(page, "past").tables[table][1:]
        found += rows
        if len(rows) < ROWS_A_PAGE or f"Page {number} of {number}," in page:
            return found
    raise AssertionError


def report_of(
    web: Web, poller: str, query: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    wanted = Wanted(
        poller=poller,
        shape="json",
        start=query.get("from", ""),
        end=query.get("to", ""),
        by=query.get("by", ""),
        back=query.get("range", ""),
        options={
            key: value for key, value in query.items() if key in ("source", "group", "target", "fulfilment")
        },
    )
    with time_machine.travel(NOW, tick=False):
        assert report(web.folder / "config.json", wanted) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def text_of(key: str, value: object) -> str:
    """Return a value of the JSON as people read it; None, which is hidden or empty, is empty."""
    if value is None:
        return ""
    if isinstance(value, dict) and "mean" not in value:
        return interval_of(key, value["min"], value["max"])
    if isinstance(value, dict):
        mean, low, high = (text_of(key, value[part]) for part in ("mean", "min", "max"))
        return f"{mean} ({low}\u2013{high})"
    if isinstance(value, int | float):
        if key.endswith("_share"):
            return f"{value:.2%}"
        return span(value) if re.search("_s(_|$)", key) else number_text(value)
    return re.sub(r"(T\d\d:\d\d:\d\d)\.\d+", r"\1", str(value))


def interval_of(key: str, low: float, high: float) -> str:
    """Return a share between bounds as a table has it, or in the narrow cell of a heatmap."""
    if key == "share":
        return f"{low:.2%}" if low == high else f"between {low:.2%} and {high:.2%}"
    return f"{low:.0%}" if low == high else f"{math.floor(low * 100)}\u2013{math.ceil(high * 100)}%"


def plain(text: str) -> str:
    """Return a cell as page and report have it alike: without the words for a gap, and `14` for `14.0`.

    A heatmap writes least and most without brackets.
    """
    text = re.sub(r"(\S+) (\d+)\u2013(\d+)", "\\1 (\\2\u2013\\3)", text)
    return "" if text in ("hidden", "not known", "\u2013") else re.sub(r"\b(\d+)\.0\b", r"\1", text)


@pytest.mark.parametrize(
    ("poller", "query"),
    ASKED,
    ids=lambda each: each if isinstance(each, str) else urlencode(each) or "default",
)
def test_every_number_of_the_page_is_in_the_report_and_the_other_way_round(
    web: Web, url: str, poller: str, query: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = page_of(url, poller, query)
    found = report_of(web, poller, query, capsys)
    for part in ("now", "past"):
        shown, board = Shown(page, part), found[part]
        found_tables = board["tables"].items()
        tables = {key.replace(" ", "-"): table for key, table in found_tables if table["rows"]}  # as an `id`
        stats = {key: plain(text_of(key, value)) for key, value in board["stats"].items()}
        heading = [stats.pop(key) for key in ("name", "state") if key in stats]
        assert all(each in unescape(page) for each in heading)
        numbers = [plain(each) for each in shown.stats if each != "\u2013"]
        assert sorted(stats.values()) == sorted(
            [*numbers, *({*map(plain, shown.facts)} & set(stats.values()))]
        )
        assert shown.tables.keys() == tables.keys()
        for key, table in tables.items():
            headings, *rows = shown.tables[key]
            if len(rows) == ROWS_A_PAGE:
                rows = rows_of(url, poller, query, key)
            keys = [name for name, heading in table["columns"].items() if heading in headings]
            keys = [name for name in keys if name != "last_day"]
            bars = [place for place, heading in enumerate(headings) if heading == "last 24 h"]
            headings = [each for place, each in enumerate(headings) if place not in bars]
            rows = [[each for place, each in enumerate(row) if place not in bars] for row in rows]
            assert table["columns"].keys() - keys - {"last_day"} <= FOR_PROGRAMS
            assert [table["columns"][name] for name in keys] == headings
            cells = [[text_of(name, row.get(name)) for name in keys] for row in table["rows"]]
            assert sorted([*map(plain, row)] for row in rows) == sorted([*map(plain, row)] for row in cells)
        for said in (board["said"], *board["notes"]):
            assert said in unescape(page)
