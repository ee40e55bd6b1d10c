"""What the page shows, of an invented folder, over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests

from adapters.records.samples import visitor_file
from support.long import some
from support.past import Past, arrival
from support.webfolder import CONFIG, NOW, Web, serving_app
from tallyd.adapters.records.database import Database
from tallyd.config.load import load
from tallyd.contract.lags import HourCount
from tallyd.core.alerts.links import link_to
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.rules import Alert, acknowledge
from tallyd.core.naming import problem_key
from tallyd.core.reading import Json
from tallyd.settings.web import WebSettings
from tallyd.storage.shown import Shown
from tallyd.web.app import application
from tallyd.web.history import HISTORY_S

INSIDE = "in minus out since midnight; cameras miss people"

HOSTILE = """<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}' &amp;"""
UNKNOWN = "\u2013"
VIEWS = ["/", "/wall", "/poller/divera", "/poller/park", "/poller/apps", "/incidents"]


@contextmanager
def page(web: Web) -> Iterator[str]:
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        yield url


def get(web: Web, path: str, **headers: str) -> requests.Response:
    with page(web) as url:
        return requests.get(url + path, headers={"Accept": "text/html", **headers}, timeout=20)


class Parsed(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def text_of(html: str) -> str:
    """Return the text of a page, on one line."""
    return re.sub(r"\s+", " ", " ".join(Parsed(html).found))


def tags_of(html: str) -> list[tuple[str, dict[str, str | None]]]:
    return Parsed(html).tags


def charts_of(html: str) -> list[Any]:
    """Return what is drawn on a page."""
    return [json.loads(each["data-chart"] or "") for _, each in tags_of(html) if "data-chart" in each]


def alert(key: str, text: str, **fields: Any) -> dict[str, Alert]:
    since = NOW - timedelta(minutes=10)
    found = Alert(key=key, severity="error", text=text, over="", since=since, raised_at=since)
    return {key: replace(found, **fields)}


def test_more_rows_than_a_daemon_has_memory_for_are_not_shown(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallyd.web.page.MOST_ROWS", 2)
    answers = [get(web, f"/poller/divera{path}?from=2026-11-19") for path in ("", "/report.csv")]
    assert [each.status_code for each in answers] == [400, 400]
    assert "these are more than 2 rows; choose fewer days" in text_of(answers[0].text)
    monkeypatch.setattr("tallyd.web.page.MOST_ROWS", 3)
    assert get(web, "/poller/divera?from=2026-11-19").status_code == 200


@pytest.mark.parametrize("by", ["hour", "day"])
def test_no_range_that_a_view_offers_has_too_many_rows(
    web: Web, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    count = HourCount(60, 9.0, fresh_s=3600.0)
    hours = {("2026-11-20 10:00:00", f"server {number}"): count for number in range(4)}
    with closing(Database(web.config.database_url, prepares=True)) as database:
        assert database.records("apps").note_checks([], hours).trouble is None
    monkeypatch.setattr("tallyd.web.form.MOST_ROWS", 4 * 25 * 7)
    found = tags_of(get(web, f"/poller/apps?from=2026-11-20&by={by}").text)
    links = [each["href"] or "" for _, each in found if (each.get("id") or "").startswith("range-")]
    assert [f"by={by}" in link for link in links] == [True, True, True, by == "day", False]
    assert {get(web, f"/poller/apps{link}").status_code for link in links} == {200}


# -- all pollers --------------------------------------------------------------------------------------------


def test_the_overview_shows_a_card_of_each_poller_with_its_state_and_its_numbers(web: Web) -> None:
    web.fill_records()
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable: connection refused")
    answer = get(web, "/")
    text = text_of(answer.text)
    assert answer.status_code == 200
    assert "florian-pi Trouble as of 14:00 Europe/Berlin" in text
    assert "divera All well" in text
    assert "Last reading 08:00 (6 h ago) Next run 20:00 (in 6 h)" in text
    assert "Time zone" not in text, "theirs is that of the page"
    assert f"Inside now {INSIDE} 2 In today 3 Out today 1" in text
    assert "error: TEST unreachable 10 min ago" in text
    assert "Next run every 1 min" in text


@pytest.mark.parametrize("path", VIEWS)
def test_the_head_tells_how_all_pollers_are_on_every_view(web: Web, path: str) -> None:
    web.fill_records()
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable: connection refused")
    assert "florian-pi Trouble as of 14:00 Europe/Berlin" in text_of(get(web, path).text)


def test_commands_are_named_as_this_tallyd_is_called(web: Web) -> None:
    web.config = replace(web.config, tallyd="sudo tallyd")
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable. To try: {tallyd} check --online")
    assert "To try: sudo tallyd check --online" in text_of(get(web, "/").text)


def test_a_poller_s_own_state_stands_beside_its_name(web: Web) -> None:
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable: connection refused")
    with page(web) as url:
        for name, word in (("divera", "All well"), ("apps", "Trouble")):
            live = requests.get(f"{url}/poller/{name}?live=1", timeout=20).json()
            assert text_of(live["parts"]["title"]).strip() == f"{name} {word}"


@pytest.mark.parametrize(("poller", "option"), [("apps", "target"), ("park", "source")])
def test_what_the_config_no_longer_has_does_not_wear_the_state_of_its_poller(
    web: Web, poller: str, option: str
) -> None:
    web.alerts = alert(f"{poller}/TEST/unreachable", "TEST: unreachable.")
    day = "2026-11-19"
    with closing(Database(web.config.database_url, prepares=True)) as database:
        checks = HourCount(60, 9.0, fresh_s=3600.0)
        assert database.records("apps").note_checks([], {(f"{day} 10:00:00", "GONE"): checks}).trouble is None
        file = visitor_file("a.json", (1, "in", f"{day} 07:00:00", None), source="GONE")
        database.records("park").ingest([file], now=NOW, keep_rows=True)
    live = get(web, f"/poller/{poller}?{option}=GONE&from={day}&live=1").json()
    assert text_of(live["parts"]["title"]).strip() == f"{poller} GONE no longer watched"


def test_the_navigation_has_the_state_of_each_poller(web: Web) -> None:
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable: connection refused")
    with page(web) as url:
        live = requests.get(f"{url}/poller/divera?live=1", timeout=20).json()
    assert "Overview Incidents divera : All well park : No reading yet apps : Trouble" in text_of(
        live["parts"]["nav"]
    )


@pytest.mark.parametrize(
    ("problems", "title", "icon"),
    [
        pytest.param(["apps/T/unreachable", "tallyd/clock"], "! 2 · {} · tallyd", "error", id="two problems"),
        pytest.param([], "? · {} · tallyd", "unknown", id="not all is known"),
    ],
)
def test_the_tab_shows_the_state_of_the_whole(web: Web, problems: list[str], title: str, icon: str) -> None:
    for key in problems:
        web.alerts |= alert(key, "bad")
    places = {
        "/": "florian-pi",
        "/poller/divera": "divera",
        "/poller/park?source=12": "Gate &#34;12&#34; (12)",
    }
    for path, name in places.items():
        html = get(web, path).text
        assert f"<title>{title.format(name)}</title>" in html
        assert html.count(f"static/icon-{icon}.svg") == 2, "as the page begins, and for its script"


def test_a_tab_has_no_mark_while_all_is_well(web: Web) -> None:
    web.fill_kept()
    web.kept["park", "sweep"] = {"arrivals": {"12": arrival(NOW)}}
    del web.kept["apps", "check"]
    Past(web.folder, poller="apps", kind="servers").taken("2026-11-20T13:30", {})
    Past(web.folder, poller="park", kind="visitors").taken("2026-11-20T13:30", {})
    assert "<title>florian-pi · tallyd</title>" in get(web, "/").text


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/poller/x", 404), ("/?from=1", 400)])
def test_where_nothing_can_be_shown_the_head_and_the_way_to_the_pollers_are(
    web: Web, path: str, status: int
) -> None:
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable: connection refused")
    answer = get(web, path)
    assert answer.status_code == status
    assert "florian-pi Trouble as of 14:00" in text_of(answer.text)
    assert "poller/divera" in answer.text
    assert "<title>! 1 · florian-pi · tallyd</title>" in answer.text


def test_a_reading_taken_by_hand_is_the_last_one_and_says_so(web: Web) -> None:
    Past(web.folder).taken("2026-11-20T13:30:00", {"50101": 21}, origin="once")
    for path in ("/", "/poller/divera"):
        text = text_of(get(web, path).text)
        assert "Last reading 13:30 (30 min ago) by hand Next run 20:00" in text
        assert "50101 21" in text


def test_a_reading_taken_by_hand_is_a_reading_of_a_poller_that_has_no_other(tmp_path: Path) -> None:
    web = Web(tmp_path, has_past=False)
    assert "divera No reading yet" in text_of(get(web, "/").text)
    Past(web.folder).taken("2026-11-20T13:30:00", {"50101": 21}, origin="once")
    assert "divera All well" in text_of(get(web, "/").text)


def test_times_are_of_the_pollers_own_zone(tmp_path: Path) -> None:
    web = Web(tmp_path)
    content = json.loads(json.dumps(CONFIG))
    content["pollers"]["divera"]["timezone"] = "America/New_York"
    (tmp_path / "config.json").write_text(json.dumps(content))
    web.config = load(tmp_path / "config.json", environ={})
    assert "Last reading 02:00 (6 h ago) Next run 20:00 (in 12 h) Time zone America/New_York" in text_of(
        get(web, "/").text
    )


def test_of_a_group_only_its_targets_and_their_alerts_are_shown(tmp_path: Path) -> None:
    web = Web(tmp_path)
    content = json.loads(json.dumps(CONFIG))
    content["pollers"]["apps"]["targets"]["TEST"]["group"] = "shop & till"
    (tmp_path / "config.json").write_text(json.dumps(content))
    web.config = load(tmp_path / "config.json", environ={})
    web.alerts = {
        **alert("apps/TEST/unreachable", "TEST is away"),
        **alert("apps/PROD\\/stale", "PROD is old"),
    }
    whole = get(web, "/poller/apps").text
    (link,) = {
        each["href"] for tag, each in tags_of(whole) if tag == "a" and "group=" in (each.get("href") or "")
    }
    text = text_of(get(web, f"/poller/apps{link}").text)
    assert "TEST is away" in text
    assert "PROD is old" not in text
    assert "Unreachable 1" in text
    assert "Stale" not in text
    chosen = [each["value"] for tag, each in tags_of(whole) if tag == "option" and each.get("value")]
    assert "shop & till" in chosen
    assert "there is no group" in text_of(get(web, "/poller/apps?group=x").text)


# -- problems -----------------------------------------------------------------------------------------------


def test_an_alert_is_one_line_and_all_else_is_folded_below_it(web: Web) -> None:
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable: refused.[ Mute it: {mute}]")
    html = get(web, "/").text
    (folded,) = re.findall(r'<details id="alert-.*?</details>', html, re.DOTALL)
    line, _, rest = folded.partition("</summary>")
    assert text_of(line).strip() == "error: TEST unreachable 10 min ago"
    assert '<time class="quiet" datetime="2026-11-20T13:50:00+01:00">' in line
    assert text_of(rest).strip() == (
        "TEST: unreachable: refused. Since 13:50 (10 min ago) Its history · apps/TEST/unreachable "
        "To acknowledge it: tallyd ack apps/TEST/unreachable "
        "To mute it: tallyd mute apps/TEST/unreachable --for 2h"
    )
    assert 'href="./poller/apps?target=TEST"' in rest


def test_alerts_of_one_kind_share_a_line_that_names_some_of_them(web: Web) -> None:
    for source in ("12", "23", "7", "8"):
        web.alerts |= alert(f"park/{source}/rejected", f"{source}: 3 files rejected")
    web.alerts |= alert("park/database/unreachable", "park: no file ingested")
    text = text_of(get(web, "/poller/park").text)
    assert "error: 4 sources with rejected files: 12, 23, 7 and 1 more 10 min ago" in text
    assert "error: database unavailable 10 min ago" in text
    assert all(f"{source}: 3 files rejected Since 13:50" in text for source in ("12", "23", "7", "8"))


def test_the_view_of_a_source_has_the_alerts_that_concern_every_source_and_not_those_of_another(
    web: Web,
) -> None:
    web.alerts = alert("park/inbox/inbox-gone", "park: the inbox has been missing")
    web.alerts |= alert("park/12/rejected", "12: 3 files rejected")
    web.alerts |= alert("park/report/failed", "park: no report")
    text = text_of(get(web, "/poller/park?source=23").text)
    assert "park: the inbox has been missing" in text
    assert "12: 3 files rejected" not in text
    assert "park: no report" not in text


def test_numbers_stand_before_alerts(web: Web) -> None:
    web.fill_records()
    web.alerts = alert("park/12/rejected", "12: 3 files rejected")
    text = text_of(get(web, "/poller/park").text)
    assert text.index("Inside now") < text.index("files rejected")


def test_a_muted_problem_is_marked_and_says_until_when_and_why(web: Web) -> None:
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable")
    until = NOW + timedelta(hours=2)
    web.mutes = (Mute(pattern="apps/*", since=NOW, until=until, why="works on <b>it</b>", by="anna"),)
    html = get(web, "/").text
    assert "TEST unreachable muted until 16:00 10 min ago" in text_of(html)
    assert "Muted: works on <b>it</b>" in text_of(html)
    assert "To mute it" not in text_of(html)
    assert ("b", {}) not in tags_of(html)


def test_an_acknowledged_problem_comes_after_the_others_with_who_works_on_it(web: Web) -> None:
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable")
    (known,) = web.alerts.values()
    assert "To acknowledge it: tallyd ack apps/TEST/unreachable" in text_of(get(web, "/").text)
    web.alerts = {
        "apps/TEST/unreachable": acknowledge(known, by="anna", why="<b>cable</b>", now=NOW),
        **alert("apps/PROD/unreachable", "PROD: unreachable"),
    }
    text = text_of(get(web, "/").text)
    assert text.index("PROD unreachable 10 min ago") < text.index("TEST unreachable acknowledged 10 min ago")
    assert "Acknowledged by anna 14:00 (<b>cable</b>)" in text
    assert "ack apps/TEST/unreachable" not in text


def test_what_waits_to_become_an_alert_is_distinguished(web: Web) -> None:
    web.alerts = alert("divera/count/failed", "no answer", raised_at=None)
    text = text_of(get(web, "/").text)
    assert "Not yet an alert: 1" in text
    assert "divera All well" in text
    assert "florian-pi Not everything was read yet" in text


def test_of_very_many_problems_some_are_shown_and_the_others_counted(web: Web) -> None:
    for number in range(27):
        web.alerts |= alert(f"apps/T{number}/stale", f"T{number}: old", severity="warning")
    text = text_of(get(web, "/").text)
    assert "apps Needs a look" in text
    assert "27 targets stale: T0, T1, T10 and 24 more" in text
    assert len(re.findall(r"T\d+: old", text)) == 20
    assert "and 7 more: " in text


def test_a_schedule_that_stands_still_is_noticed(web: Web) -> None:
    web.monotonic_s += 600
    assert "its schedule has stood still for 10 min. Restart it: start it again" in text_of(
        get(web, "/").text
    )


# -- on the wall --------------------------------------------------------------------------------------------


def test_the_wall_shows_every_poller_without_a_way_to_anywhere_and_without_a_script_all_at_once(
    web: Web,
) -> None:
    web.fill_records()
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable: connection refused")
    html = get(web, "/wall").text
    text = text_of(html)
    assert "florian-pi Trouble as of 14:00" in text
    assert f"park No reading yet Inside now {INSIDE} 2 In today 3" in text
    assert "apps Trouble error: TEST unreachable 10 min ago Stale 1 Unreachable 1" in text
    assert not [1 for tag, _ in tags_of(html) if tag in ("nav", "footer")]
    hidden = [each["id"] for _, each in tags_of(html) if "hidden" in each]
    assert hidden == ["pause", "lost"], "they are for the script"
    assert [each["href"] for tag, each in tags_of(html) if tag == "a"] == ["#main", "./"]


def test_the_wall_can_show_one_poller(web: Web) -> None:
    text = text_of(get(web, "/wall?poller=divera").text)
    assert "Total hidden" in text
    assert "Inside now" not in text
    assert get(web, "/wall?poller=nobody").status_code == 400


def test_the_wall_tells_of_a_schedule_that_stands_still(web: Web) -> None:
    web.monotonic_s += 600
    with page(web) as url:
        head = requests.get(f"{url}/wall?live=1", timeout=20).json()["parts"]["head"]
    assert "its schedule has stood still for 10 min" in head
    assert 'data-title="! · florian-pi · tallyd"' in head


# -- one poller ---------------------------------------------------------------------------------------------


def test_small_counts_are_hidden_and_so_is_the_total(web: Web) -> None:
    html = get(web, "/poller/divera").text
    text = text_of(html)
    assert "50103 hidden Total hidden" in text
    assert "Numbers below 5 are hidden" in text
    (hidden,) = [column for column in charts_of(html)[1]["columns"] if "50103" in column["name"]]
    assert hidden["values"] == [2, None, None]


def test_the_table_behind_a_chart_holds_missed_slots_with_their_reason(web: Web) -> None:
    text = text_of(get(web, "/poller/divera").text)
    assert "missed: nothing ran at that time" in text
    assert "2026-11-19 08:00 Thu 9 7 2" in text


def test_the_days_the_way_and_the_options_are_those_of_the_report(web: Web) -> None:
    web.fill_records()
    text = text_of(get(web, "/poller/park").text)
    assert "2026-11-20 (Europe/Berlin): all together: 3 in, 1 out" in text
    text = text_of(get(web, "/poller/park?source=12&from=2026-11-19&to=2026-11-20&by=day").text)
    assert '2026-11-19 to 2026-11-20 (Europe/Berlin): Gate "12" (12): 3 in, 1 out on 1 day' in text
    assert "2026-11-20 Fri 3 1 2" in text
    assert "2026-10-22 to 2026-11-20 (Europe/Berlin)" in text_of(get(web, "/poller/park?by=month").text)
    assert "No records of that day" in text_of(get(web, "/poller/park?from=2026-11-19&to=2026-11-19").text)


def test_the_form_holds_what_was_asked_for(web: Web) -> None:
    web.fill_records()
    html = get(web, "/poller/park?source=12&from=2026-11-19&by=day").text
    values = {each.get("id"): each.get("value") for tag, each in tags_of(html) if tag == "input"}
    assert values == {"from": "2026-11-19", "to": "2026-11-20"}
    selected = [each.get("value") for tag, each in tags_of(html) if tag == "option" and "selected" in each]
    assert selected == ["day", "12", ""]  # no group
    links = [urlsplit(each["href"] or "") for tag, each in tags_of(html) if tag == "a"]
    asked = [dict(parse_qsl(link.query)) for link in links]
    assert {"from": "2026-11-17", "to": "2026-11-18", "by": "day", "source": "12"} in asked
    assert {"range": "7d", "source": "12"} in asked
    html = get(web, "/poller/park?group=north&from=2026-11-19&by=day").text
    links = [urlsplit(each["href"] or "") for tag, each in tags_of(html) if tag == "a"]
    days = {"from": "2026-11-14", "to": "2026-11-20", "by": "day", "group": "north"}
    assert days in [dict(parse_qsl(link.query)) for link in links]


def test_a_choice_of_very_many_is_a_field_to_type_into(web: Web) -> None:
    web.kept["park", "sweep"] = {"arrivals": {f"cam {number}": arrival(NOW) for number in range(300)}}
    html = get(web, "/poller/park?source=cam+7").text
    values = {each.get("id"): each.get("value") for tag, each in tags_of(html) if tag == "input"}
    assert values["source"] == "cam 7"
    assert "Page 1 of 7, 302 rows" in text_of(get(web, "/poller/park").text)


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        pytest.param("/poller/park?source=12", 'Gate "12" (12)', id="a source with a name"),
        pytest.param("/poller/park?source=23", "23", id="a source without"),
        pytest.param("/poller/apps?target=TEST", "TEST", id="a target"),
        pytest.param("/poller/park", "park", id="a poller"),
    ],
)
def test_the_heading_has_the_name_of_a_source_beside_its_id(web: Web, path: str, heading: str) -> None:
    (found,) = re.findall(r"<h1>(.*?)</h1>", get(web, path).text)
    assert unescape(found) == heading


def test_of_a_source_without_records_no_zero_is_shown_but_why(web: Web) -> None:
    web.fill_records()
    text = text_of(get(web, "/poller/park?source=23").text)
    assert "2026-11-20 (Europe/Berlin): 23: no records" in text
    assert "No records of today yet." in text
    numbers = " ".join(f"{name} {UNKNOWN}" for name in ("In today", "Out today", "Inside now"))
    assert f"23 no file yet Now {numbers} Last file {UNKNOWN}" in text
    whole = text_of(get(web, "/poller/park").text)
    assert f"23 no file yet {UNKNOWN} {UNKNOWN} {UNKNOWN}" in whole
    assert '12 Gate "12" last file not known 3 1 2' in whole


class TestNothingIsKnown:
    """A new poller of each kind: no zero, no axis, but what is missing."""

    @pytest.fixture
    def web(self, tmp_path: Path) -> Web:
        return Web(tmp_path, has_past=False)

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            pytest.param("/poller/divera", "No number in these days: there is no reading.", id="readings"),
            pytest.param("/poller/park", "No records of today yet.", id="visitors"),
            pytest.param(
                "/poller/park?to=2026-11-19", "No records of that day. Nobody knows", id="visitors, yesterday"
            ),
        ],
    )
    def test_a_chart_says_what_is_missing(self, web: Web, path: str, says: str) -> None:
        html = get(web, path).text
        assert says in text_of(html)
        assert charts_of(html) == []

    def test_missed_slots_are_distinguished_from_none_and_so_are_hidden_counts(self, web: Web) -> None:
        past = Past(web.folder)
        past.missed("2026-11-19T20:00")
        assert "the only slot was missed" in text_of(get(web, "/poller/divera").text)
        past.taken("2026-11-20T08:00", {"50101": None}, hide_below=5)
        assert "hidden or not known" in text_of(get(web, "/poller/divera").text)

    def test_the_cards_say_what_is_not_known_and_why(self, web: Web) -> None:
        text = text_of(get(web, "/").text)
        assert f"Inside now {INSIDE} {UNKNOWN} In today {UNKNOWN} Out today {UNKNOWN}" in text
        assert "No record of today: no file has come yet." in text
        assert not re.search(r"\b0 (in|out|inside)\b", text)

    def test_files_of_yesterday_are_no_count_of_today(self, web: Web) -> None:
        web.kept["park", "sweep"] = {"arrivals": {"12": arrival(NOW - timedelta(hours=20))}}
        text = text_of(get(web, "/poller/park").text)
        assert "No record of today: the last file came Thu 18:00." in text


def test_the_days_as_csv_are_those_of_the_report(web: Web) -> None:
    web.fill_records()
    answer = get(web, "/poller/park/report.csv?from=2026-11-20&source=12")
    lines = answer.content.decode().split("\r\n")
    assert lines[0] == "date,hour,weekday,in,out,inside,most inside,other"
    assert "2026-11-20,08:00,Fri,3,1,2,2,0" in lines
    assert answer.headers["content-disposition"] == 'attachment; filename="park-2026-11-20-2026-11-20-12.csv"'
    assert get(web, "/poller/park/report.csv?excel=1").content.startswith("\ufeffdate;hour".encode())
    assert get(web, "/poller/divera/report.csv").content.startswith(b"date,time,weekday,")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        pytest.param("/poller/nobody", 404, "no such poller", id="a poller that is not there"),
        pytest.param("/poller/park?from=2026-02-30", 400, "there is no day", id="no day"),
        pytest.param("/poller/park?from=<script>", 400, "there is no day", id="no day at all"),
        pytest.param("/poller/park?to=9999-12-31", 400, "and 9998-12-31", id="the end of time"),
        pytest.param(
            "/poller/park?to=202\u0666-11-20", 400, "there is no day", id="digits of another alphabet"
        ),
        pytest.param("/poller/park?from=2026-11-21", 400, "is after today", id="days that have not come"),
        pytest.param("/poller/park?from=1970-01-01", 400, "at most 3660 days", id="too many days"),
        pytest.param("/poller/park?by=second", 400, "by must be one of", id="no way to put together"),
        pytest.param("/poller/park?group=nobody", 400, "there is no group", id="no group"),
        pytest.param("/poller/park?source=nobody", 400, "no source", id="no source"),
        pytest.param("/poller/park?source=12&group=north", 400, "can't go together", id="both"),
        pytest.param("/poller/divera?source=12", 400, "there is no option", id="an option of another kind"),
        pytest.param("/poller/divera?<b>=1", 400, "there is no option", id="an option of nobody"),
        pytest.param("/?from=2026-11-20", 400, "there is no option", id="an option of the overview"),
        pytest.param("/poller/park?sort=now-sources", 400, "sort must be a table", id="a sort of nothing"),
        pytest.param("/poller/park?page=now-sources.-1", 400, "page must be a table", id="no page"),
        pytest.param("/poller/divera/report.csv?sort=a.b", 400, "there is no option", id="a sorted CSV"),
        pytest.param("/static/../page.py", 404, "Not here", id="outside of the assets"),
        pytest.param("/static/%2e%2e%2fpage.py", 404, "Not here", id="outside, encoded"),
        pytest.param("/etc/passwd", 404, "Not here", id="nothing at all"),
    ],
)
def test_what_makes_no_sense_is_refused_and_says_why(web: Web, path: str, status: int, said: str) -> None:
    answer = get(web, path)
    assert (answer.status_code, said in text_of(answer.text)) == (status, True)
    assert not [tag for tag, _ in tags_of(answer.text) if tag in ("script", "b")]


def test_a_table_is_sorted_by_the_query(web: Web) -> None:
    def order(path: str) -> list[str]:
        (rows,) = re.findall(r'id="now-sources".*?</table>', get(web, path).text, re.DOTALL)
        return re.findall(r"source=\d+\">(\w+)</a>", rows)

    assert order("/poller/park?sort=now-sources.source") == ["12", "23"]
    assert order("/poller/park?sort=now-sources.source&down=1") == ["23", "12"]


# -- kept current -------------------------------------------------------------------------------------------


def test_every_part_of_a_page_is_given_alone_as_json(web: Web) -> None:
    with page(web) as url:
        whole = requests.get(url + "/poller/park?by=day", timeout=20).text
        live = requests.get(url + "/poller/park?by=day&live=1", timeout=20).json()
    assert set(live["parts"]) == {"head", "nav", "title", "now", "form", "past"}
    ids = {attributes.get("id") for _, attributes in tags_of(whole)}
    assert {f"part-{name}" for name in live["parts"]} <= ids
    (body,) = [attributes for tag, attributes in tags_of(whole) if tag == "body"]
    assert body["data-live"] == "?by=day&live=1"
    assert all(html.strip() in whole for name, html in live["parts"].items())


@pytest.mark.parametrize("path", VIEWS)
def test_no_two_things_on_a_page_have_one_id(web: Web, path: str) -> None:
    web.fill_records()
    ids = [each["id"] for _, each in tags_of(get(web, path).text) if "id" in each]
    assert len(ids) == len(set(ids))


def test_a_page_left_open_over_midnight_goes_on_to_the_new_day(web: Web) -> None:
    web.fill_records()
    now = NOW
    with web.context() as context:
        app = application(replace(context, now=lambda: now), WebSettings())
        with serving_app(app) as url:
            address = url + "/poller/park"
            assert charts_of(requests.get(address, timeout=20).text)
            now += timedelta(days=1)
            web.monotonic_s += 60
            parts = requests.get(address + "?live=1", timeout=20).json()["parts"]
    assert 'value="2026-11-21"' in parts["form"]
    assert "from=2026-11-20&amp;to=2026-11-20" in parts["form"]
    assert "report.csv?from=2026-11-21&amp;to=2026-11-21" in parts["past"]
    assert "No records of today yet." in parts["past"]


def test_an_answer_is_packed_for_who_takes_it_and_made_once_for_many(web: Web) -> None:
    with page(web) as url:
        plain = requests.get(url, headers={"Accept-Encoding": "identity"}, timeout=20)
        packed = requests.get(url, headers={"Accept-Encoding": "gzip"}, timeout=20)
        web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable")
        again = requests.get(url, timeout=20)
        web.monotonic_s += 2
        later = requests.get(url, timeout=20)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert plain.text == packed.text == again.text
    assert "TEST: unreachable" in later.text


def test_numbers_of_now_are_made_anew_where_the_history_is_shown_again_for_a_while(web: Web) -> None:
    web.fill_records()
    with page(web) as url:
        address = url + "/poller/park"
        first = text_of(requests.get(address, timeout=20).text)
        again = visitor_file("b.json", (9, "in", "2026-11-20 08:00:00", None), source="12")
        with closing(Database(web.config.database_url)) as database:
            database.records("park").ingest([again], now=NOW, keep_rows=True)
        web.monotonic_s += HISTORY_S - 1
        soon = text_of(requests.get(address, timeout=20).text)
        web.monotonic_s += 2
        parts = requests.get(address + "?live=1", timeout=20).json()["parts"]
    assert "In today 3" in first
    assert "all together: 3 in, 1 out" in first
    assert "In today 4" in soon
    assert "all together: 3 in, 1 out" in soon
    assert "all together: 4 in, 1 out" in text_of(parts["past"])


def test_what_is_stored_first_while_the_page_is_open_is_shown(web: Web) -> None:
    with page(web) as url:
        assert f"In today {UNKNOWN}" in text_of(requests.get(url, timeout=20).text)
        web.fill_records()
        web.monotonic_s += 2
        assert "In today 3" in text_of(requests.get(url, timeout=20).text)


# -- what comes from outside --------------------------------------------------------------------------------


def test_hostile_names_show_as_the_text_they_are_everywhere(tmp_path: Path) -> None:
    web = Web(tmp_path)
    hostile = HOSTILE.replace("/", "|")
    content = json.loads(json.dumps(CONFIG))
    content["name"] = HOSTILE
    content["pollers"]["park"]["sources"] = {hostile: {"label": HOSTILE}}
    content["pollers"]["park"]["groups"] = {"g" + hostile: [hostile]}
    content["pollers"]["park"]["report"] = {"every": "5m"}
    content["pollers"]["apps"]["targets"] = {hostile: {"url": "http://127.0.0.1:9/"}}
    content["pollers"]["divera"]["status_names"] = {"50101": HOSTILE}
    (tmp_path / "config.json").write_text(json.dumps(content))
    web.config = load(tmp_path / "config.json", environ={})
    web.fill_records()
    web.alerts = alert("park/x/no-files", HOSTILE)
    report: Json = {"state": "queued", "answer": HOSTILE, "payload": [{"SSID": HOSTILE, "TagType": HOSTILE}]}
    Past(tmp_path, poller="park", kind="visitors").taken("2026-11-20T13:30", {}, day=HOSTILE, report=report)
    with page(web) as url:
        for path in [*VIEWS, "/poller/divera?by=hour"]:
            answer = requests.get(url + path, timeout=20)
            assert answer.status_code == 200, path
            tags = tags_of(answer.text)
            scripts = [attributes for tag, attributes in tags if tag == "script"]
            assert all((each["src"] or "").startswith(("./static/", "../static/")) for each in scripts), path
            assert not [1 for tag, _ in tags if tag == "img"], path
            assert not [1 for _, attributes in tags for name in attributes if name.startswith("on")], path
            assert "49" not in re.findall(r">(49)<", answer.text)
            if "divera" in path:  # values for a script that sets them as text
                names = [each["name"] for chart in charts_of(answer.text) for each in chart["columns"]]
                assert HOSTILE in names
        query = {"group": "g" + hostile}
        assert requests.get(f"{url}/poller/park", params=query, timeout=20).status_code == 200


def test_no_page_names_a_person_or_a_secret(web: Web) -> None:
    web.fill_records()
    with page(web) as url:
        for path in (*VIEWS, "/api/v1/status", "/metrics"):
            text = requests.get(url + path, timeout=20).text
            assert "canary" not in text
            assert "person_id" not in text


def test_a_database_that_was_never_used_holds_nothing_and_that_is_no_trouble(web: Web) -> None:
    text = text_of(get(web, "/").text)
    assert "can't be read now" not in text
    assert f"In today {UNKNOWN}" in text
    assert "No records of today yet" in text_of(get(web, "/poller/park").text)


def test_a_database_that_cannot_be_read_is_named_and_the_rest_is_shown(web: Web) -> None:
    web.fill_records()
    (web.folder / "state" / "records.db").write_bytes(b"no database" * 1000)
    text = text_of(get(web, "/").text)
    assert "The numbers can't be read now" in text
    assert "divera All well" in text
    answer = get(web, "/poller/park?source=12")
    assert answer.status_code == 200
    assert text_of(answer.text).count("The numbers can't be read now") == 2
    assert 'name="source" value="12"' in answer.text, "what was chosen is not lost"
    answer = get(web, "/poller/park/report.csv")
    assert (answer.status_code, "can't be read now" in text_of(answer.text)) == (503, True)


# -- assets and links ---------------------------------------------------------------------------------------


def test_assets_are_kept_for_ever_by_their_version_and_asked_for_anew_without(web: Web) -> None:
    html = get(web, "/poller/divera").text
    sources = [str(each["src"]).removeprefix("..") for tag, each in tags_of(html) if tag == "script"]
    with page(web) as url:
        for source in sources:
            answer = requests.get(url + source, timeout=20)
            assert answer.headers["cache-control"].endswith("immutable")
            assert answer.headers["content-encoding"] == "gzip"
            bare = requests.get(url + source.partition("?")[0], timeout=20)
            assert bare.headers["cache-control"].endswith("no-cache")
            tag = bare.headers["etag"]
            assert requests.get(url + source, headers={"If-None-Match": tag}, timeout=20).status_code == 304
    assert any("uPlot" in source for source in sources)


@pytest.mark.parametrize("path", [*VIEWS, "/poller/apps?target=TEST", "/poller/divera?by=day"])
def test_a_view_weighs_less_than_60_kb_with_all_that_it_loads(web: Web, path: str) -> None:
    web.fill_records()
    with page(web) as url:
        html = requests.get(url + path, timeout=20).text
        loaded = [each["src"] for _, each in tags_of(html) if each.get("src")]
        loaded += [each["href"] for tag, each in tags_of(html) if tag == "link"]
        assert len(loaded) >= 3
        weights = {link: weight(urljoin(url + path, link)) for link in [path, *loaded] if link}
    assert sum(weights.values()) < 60_000, weights


def weight(url: str) -> int:
    """Return the bytes of a body as it is sent to a browser."""
    with requests.get(url, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=20) as answer:
        assert answer.status_code == 200
        return len(answer.raw.read(decode_content=False))


@pytest.mark.parametrize(
    "name", ["", "uplot", "nothing.js", "../page.py", "%2e%2e/page.py", "uplot/../../report.py"]
)
def test_nothing_but_assets_is_served_as_one(web: Web, name: str) -> None:
    with page(web) as url:
        prepared = requests.Request("GET", url).prepare()
        prepared.url = f"{url}/static/{name}"
        with requests.Session() as session:
            assert session.send(prepared, timeout=20).status_code == 404


LINKS = ("href", "src", "action", "data-live")


@pytest.mark.parametrize(
    "path",
    some(
        [
            "",
            "poller/divera?sort=past-readings.50101",
            "poller/park?source=12",
            "poller/apps?target=TEST",
            "a/b/nowhere",
        ]
    ),
)
def test_every_link_of_a_page_works_below_a_path_that_a_proxy_takes_off(web: Web, path: str) -> None:
    web.fill_records()
    with page(web) as url:
        html = requests.get(f"{url}/{path}", headers={"Accept": "text/html"}, timeout=20).text
        found = {each[name] for _, each in tags_of(html) for name in LINKS if each.get(name)}
        assert len(found) > 1
        for link in found:
            outside = urljoin(f"https://example.org/tallyd/{path}", link)
            assert outside.startswith("https://example.org/tallyd/"), link
            inside = url + outside.removeprefix("https://example.org/tallyd").partition("#")[0]
            if not (link or "").startswith("#"):
                assert requests.get(inside, timeout=20).status_code == 200, link


@pytest.mark.parametrize(
    ("key", "says"),
    [
        pytest.param("divera/count/failed", "divera All well", id="a job"),
        pytest.param(problem_key("apps", "PROD\\", "stale"), "PROD\\", id="a target"),
        pytest.param("park/12/no-files", '(Europe/Berlin): Gate "12" (12): 3 in', id="a source"),
        pytest.param("park/7/rejected", "all together", id="a source that is not in the config"),
        pytest.param("park/inbox/no-files", "all together", id="the inbox"),
        pytest.param("apps/database/unstored", "apps", id="the database"),
        pytest.param("tallyd/state", "All pollers", id="tallyd itself"),
    ],
)
def test_the_link_of_a_notice_leads_to_what_it_is_about(web: Web, key: str, says: str) -> None:
    web.fill_records()
    with page(web) as url:
        link = link_to(url, [key], partial(Shown().view, web.config))
        answer = requests.get(link, headers={"Accept": "text/html"}, timeout=20)
    assert answer.status_code == 200
    assert says in text_of(answer.text)
