"""What the page shows, of an invented folder, over HTTP."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from support.past import Past
from support.webfolder import CONFIG, NOW, Web, serving_app
from tallyd.config.model import load
from tallyd.core.alerts.links import link_to
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.rules import Alert
from tallyd.core.naming import problem_key
from tallyd.core.reading import Json
from tallyd.pollers.servers.freshness import Known
from tallyd.pollers.servers.target_memory import TargetMemory
from tallyd.settings.web import WebSettings
from tallyd.web.app import application
from tallyd.web.static import FOLDER

NO_READING = (
    "Nothing to draw from the last four weeks: there is no reading. The next reading: 20:00 (in 6 h)."
)
DASH = "\N{EN DASH}"
HOSTILE = """<script>alert(1)</script>"><img src=x onerror=alert(2)>{{ 7*7 }}' &amp;"""


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(tmp_path)


@contextmanager
def page(web: Web) -> Iterator[str]:
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        yield url


def get(web: Web, path: str, **headers: str) -> requests.Response:
    with page(web) as url:
        return requests.get(url + path, headers={"Accept": "text/html", **headers}, timeout=20)


def text_of(html: str) -> str:
    """Return the text of a page, on one line."""
    parser = _Text()
    parser.feed(html)
    return re.sub(r"\s+", " ", " ".join(parser.found))


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags_of(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Text()
    parser.feed(html)
    return parser.tags


def alert(key: str, text: str, **fields: Any) -> dict[str, Alert]:
    since = NOW - timedelta(minutes=10)
    found = Alert(key=key, severity="error", text=text, over="", since=since, raised_at=since)
    return {key: replace(found, **fields)}


def test_the_overview_shows_a_card_of_each_poller_with_its_state_its_readings_and_its_zone(web: Web) -> None:
    web.fill_records()
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable: connection refused")
    answer = get(web, "/")
    text = text_of(answer.text)
    assert answer.status_code == 200
    assert "florian-pi Trouble as of 14:00 Europe/Berlin" in text
    assert (
        "divera All well Last reading 08:00 (6 h ago) Next run 20:00 (in 6 h) Time zone Europe/Berlin" in text
    )
    assert "inside now 2 in today 3 out today 1" in text
    assert (
        "Error : TEST: unreachable: connection refused since 13:50 (10 min ago) · apps/TEST/unreachable"
        in text
    )
    assert "1 stale" in text
    assert "1 unreachable" in text


@pytest.mark.parametrize("path", ["/", "/poller/divera", "/poller/park", "/poller/apps"])
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
    assert re.search("<h1>divera</h1>.*All well", text_of_title(get(web, "/poller/divera").text))
    assert re.search("<h1>apps</h1>.*Trouble", text_of_title(get(web, "/poller/apps").text))


def text_of_title(html: str) -> str:
    """Return what stands beside the heading of a poller's view, with its tags, on one line."""
    _, _, rest = html.partition('id="part-title"')
    return re.sub(r"\s+", " ", rest[: rest.index("</div>")])


def test_a_reading_taken_by_hand_is_the_last_one_and_says_so(web: Web) -> None:
    Past(web.folder).taken("2026-11-20T13:30:00", {"50101": 21}, origin="once")
    for path in ("/", "/poller/divera"):
        text = text_of(get(web, path).text)
        assert "Last reading 13:30 (30 min ago) by hand Next run 20:00" in text
        assert re.search(r"50101 21 ", text)


def test_a_reading_taken_by_hand_is_a_reading_of_a_poller_that_has_no_other(tmp_path: Path) -> None:
    web = Web(tmp_path, has_past=False)
    assert "divera No reading yet Last reading none yet" in text_of(get(web, "/").text)
    Past(web.folder).taken("2026-11-20T13:30:00", {"50101": 21}, origin="once")
    assert "divera All well Last reading 13:30 (30 min ago) by hand" in text_of(get(web, "/").text)


def test_small_counts_are_hidden_and_so_is_the_total(web: Web) -> None:
    text = text_of(get(web, "/poller/divera").text)
    assert "50103 hidden" in text
    assert "Total hidden" in text
    assert "Numbers below 5 are hidden" in text
    figure = get(web, "/plot/divera").json()
    (hidden,) = [column for column in figure["columns"] if "50103" in column["name"]]
    assert hidden["values"] == [2, None, None]


def test_the_table_behind_the_plot_holds_missed_slots_with_their_reason(web: Web) -> None:
    text = text_of(get(web, "/poller/divera").text)
    assert "missed: nothing ran at that time" in text
    assert re.search(r"Thu 08:00 9 .*7 2", text)


def test_a_muted_problem_is_marked_and_says_until_when_and_why(web: Web) -> None:
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable")
    until = NOW + timedelta(hours=2)
    web.mutes = (Mute(pattern="apps/*", since=NOW, until=until, why="works on <b>it</b>", by="anna"),)
    html = get(web, "/").text
    assert "Muted until 16:00: works on <b>it</b>" in text_of(html)
    assert ("b", {}) not in tags_of(html)


def test_what_waits_to_become_an_alert_is_told_apart(web: Web) -> None:
    web.alerts = alert("apps/TEST/unreachable", "TEST: unreachable", raised_at=None)
    text = text_of(get(web, "/").text)
    assert "1 not yet an alert" in text
    assert "florian-pi Not everything was read yet" in text


def test_a_schedule_that_stands_still_is_told(web: Web) -> None:
    web.monotonic_s += 600
    assert "its schedule has stood still for 10 min" in text_of(get(web, "/").text)


def test_the_day_of_visitors_can_be_chosen_by_source_and_group_without_a_script(web: Web) -> None:
    web.fill_records()
    all_of_it = text_of(get(web, "/poller/park").text)
    assert "All together, 2026-11-20 (Europe/Berlin): 3 in, 1 out" in all_of_it
    assert re.search(r"08:00 3 1 2 [23]", all_of_it)
    assert 'Gate "12" (12), 2026-11-20 (Europe/Berlin): 3 in, 1 out' in text_of(
        get(web, "/poller/park?of=source:12&day=2026-11-20").text
    )
    assert "No records of that day" in text_of(get(web, "/poller/park?day=2026-11-19").text)


def test_of_a_source_without_records_no_zero_is_shown_but_a_dash_and_why(web: Web) -> None:
    web.fill_records()
    html = get(web, "/poller/park?of=source:23").text
    text = text_of(html)
    assert "23, 2026-11-20 (Europe/Berlin) No records of today yet. Hours appear once" in text
    assert "0 in, 0 out" not in text
    rows = [re.sub(r"\s+", " ", text_of(row)).strip() for row in re.findall("<tr.*?</tr>", html, re.DOTALL)]
    assert 'Gate "12" 12 none yet , no file yet 3 1 2' in rows
    assert f"23 none yet , no file yet {DASH} {DASH} {DASH}" in rows


class TestNothingIsKnown:
    """A new poller of each kind, and a target that never answered: no zero, no axis, but what is missing."""

    @pytest.fixture
    def web(self, tmp_path: Path) -> Web:
        return Web(tmp_path, has_past=False)

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            pytest.param(
                "/plot/divera",
                NO_READING,
                id="divera",
            ),
            pytest.param(
                "/plot/divera?as=day",
                NO_READING,
                id="divera, by hour",
            ),
            pytest.param(
                "/plot/park",
                "No records of today yet. Hours appear once a file with records of today is taken.",
                id="visitors",
            ),
            pytest.param(
                "/plot/park?day=2026-11-19",
                "No records of that day. Nobody knows whether nobody came, or nobody counted.",
                id="visitors, a day that is over",
            ),
            pytest.param(
                "/plot/apps?target=TEST",
                "This target has not told the time of its data yet (unreachable since 13:50). "
                "The plot begins with its first answer that does.",
                id="a target that never answered",
            ),
        ],
    )
    def test_a_plot_says_what_is_missing_and_when_it_comes(self, web: Web, path: str, says: str) -> None:
        web.fill_kept()
        assert get(web, path).json() == {"nothing": says}

    def test_a_target_that_was_not_checked_yet_says_when_it_is(self, web: Web) -> None:
        nothing = {"nothing": "Not checked yet. The first check comes within 1 min."}
        assert get(web, "/plot/apps?target=TEST").json() == nothing

    def test_missed_slots_are_told_apart_from_none_and_so_are_hidden_counts(self, web: Web) -> None:
        past = Past(web.folder)
        past.missed("2026-11-19T20:00")
        assert "the only slot was missed" in get(web, "/plot/divera").json()["nothing"]
        past.taken("2026-11-20T08:00", {"50101": None}, hide_below=5)
        assert "hidden or not known" in get(web, "/plot/divera").json()["nothing"]

    def test_what_was_taken_by_hand_is_drawn_but_not_by_hour_which_says_so(self, web: Web) -> None:
        Past(web.folder).taken("2026-11-20T13:30:00", {"50101": 21}, origin="once")
        assert get(web, "/plot/divera").json()["columns"]
        assert (
            "all readings were taken by hand, outside the timetable"
            in get(web, "/plot/divera?as=day").json()["nothing"]
        )

    def test_the_cards_have_dashes_and_a_sentence(self, web: Web) -> None:
        text = text_of(get(web, "/").text)
        assert (
            f"inside now {DASH} in today {DASH} out today {DASH} No record of today: no file has come yet. "
            "Numbers appear once a file with records of today is taken."
        ) in text
        assert not re.search(r"\b0 (in|out|inside)\b", text)

    def test_files_of_yesterday_are_no_count_of_today(self, web: Web) -> None:
        web.kept["park", "sweep"] = {"arrivals": {"12": NOW - timedelta(hours=20)}}
        text = text_of(get(web, "/poller/park").text)
        assert f"out today {DASH} No record of today: the last file came Thu 18:00." in text

    def test_where_no_report_is_configured_none_is_waited_for(self, web: Web) -> None:
        assert "No report is configured: nothing is sent." in text_of(get(web, "/poller/park").text)


def test_data_that_stood_still_for_longer_than_the_plot_shows_is_drawn_and_not_nothing(web: Web) -> None:
    days_ago = NOW - timedelta(days=3)
    memory = TargetMemory()
    memory.known = {"TEST": Known(state="stale", since=days_ago, computed_at=days_ago, changed_at=days_ago)}
    web.kept["apps", "check"] = {"memory": memory}
    figure = get(web, "/plot/apps?target=TEST").json()
    (lag,) = figure["columns"]
    assert lag["values"] == [2.0, 3.0]
    assert figure["times"] == [int(at.timestamp()) for at in (NOW - timedelta(days=1), NOW)]
    assert (figure["zone"], figure["limit"]["name"], figure["unit"]) == (
        "Europe/Berlin",
        "stale above",
        "days",
    )
    html = get(web, "/poller/apps?target=TEST").text
    assert "<polyline" in html
    assert "3 d stale" in text_of(html)


def test_the_day_as_csv_is_that_of_the_report(web: Web) -> None:
    web.fill_records()
    answer = get(web, "/poller/park/day.csv?day=2026-11-20")
    lines = answer.content.decode().split("\r\n")
    assert lines[0] == "date,hour,weekday,in,out,inside,most inside,other"
    assert "2026-11-20,08:00,Fri,3,1,2,2,0" in lines
    assert answer.headers["content-disposition"] == 'attachment; filename="park-2026-11-20.csv"'
    assert get(web, "/poller/park/day.csv?excel=1").content.startswith("\ufeffdate;hour".encode())


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        pytest.param("/poller/nobody", 404, "no such poller", id="a poller that is not there"),
        pytest.param("/poller/park?day=2026-02-30", 400, "no such day", id="no day"),
        pytest.param("/poller/park?day=<script>", 400, "no such day", id="no day at all"),
        pytest.param("/poller/park?day=9999-12-31", 400, "no such day", id="the end of time"),
        pytest.param("/poller/park?of=group:nobody", 404, "no such group", id="no group"),
        pytest.param("/poller/park?of=<b>", 400, "must be source:NAME", id="neither source nor group"),
        pytest.param("/poller/apps?sort=url", 400, "must be one of", id="no column"),
        pytest.param("/poller/apps?page=-1", 400, "must be a number", id="no page"),
        pytest.param("/poller/apps?page=٣", 400, "must be a number", id="a digit of another alphabet"),
        pytest.param("/poller/divera/day.csv", 404, "counts no visitors", id="CSV of another kind"),
        pytest.param("/plot/apps?target=nobody", 404, "no such target", id="no target"),
        pytest.param("/static/../page.py", 404, "Not here", id="outside of the assets"),
        pytest.param("/static/%2e%2e%2fpage.py", 404, "Not here", id="outside, encoded"),
        pytest.param("/etc/passwd", 404, "Not here", id="nothing at all"),
    ],
)
def test_what_makes_no_sense_is_refused_and_says_why(web: Web, path: str, status: int, said: str) -> None:
    answer = get(web, path)
    assert (answer.status_code, said in text_of(answer.text)) == (status, True)
    assert not [tag for tag, _ in tags_of(answer.text) if tag in ("script", "b")]


def test_targets_are_sorted_by_the_query_and_keep_their_order(web: Web) -> None:
    def order(path: str) -> list[str]:
        rows = re.findall(r'<th scope="row"><a id="target-\d+"[^>]*>([^<]*)</a>', get(web, path).text)
        return [row.replace("&#92;", "\\") for row in rows]

    assert order("/poller/apps") == ["TEST", "PROD\\"]
    assert order("/poller/apps?sort=name") == ["PROD\\", "TEST"]
    assert order("/poller/apps?sort=name&down=1") == ["TEST", "PROD\\"]
    assert order("/poller/apps?sort=lag") == ["TEST", "PROD\\"] or order("/poller/apps?sort=lag")[0] == "TEST"


def test_every_part_of_a_page_is_given_alone_as_json(web: Web) -> None:
    with page(web) as url:
        whole = requests.get(url + "/poller/park", timeout=20).text
        live = requests.get(url + "/poller/park?live=1", timeout=20).json()
    assert set(live["parts"]) == {"head", "title", "card", "choice", "day", "reports"}
    ids = {attributes.get("id") for _, attributes in tags_of(whole)}
    assert {f"part-{name}" for name in live["parts"]} <= ids
    (body,) = [attributes for tag, attributes in tags_of(whole) if tag == "body"]
    assert body["data-live"] == "?live=1"


def test_a_page_left_open_over_midnight_goes_on_to_the_new_day_with_its_plot_and_its_links(web: Web) -> None:
    web.fill_records()
    now = NOW
    with web.context() as context:
        app = application(replace(context, now=lambda: now), WebSettings())
        with serving_app(app) as url:
            address = url + "/poller/park"
            html = requests.get(address, timeout=20).text
            (plot,) = re.findall(r'data-plot="([^"]+)"', html)
            assert requests.get(urljoin(address, plot), timeout=20).json()["names"]
            now += timedelta(days=1)
            web.monotonic_s += 60
            parts = requests.get(address + "?live=1", timeout=20).json()["parts"]
            figure = requests.get(urljoin(address, plot), timeout=20).json()
    assert 'value="2026-11-21" max="2026-11-21"' in parts["choice"]
    assert "?day=2026-11-20" in parts["choice"]
    assert "day.csv?day=2026-11-21" in parts["choice"]
    assert "2026-11-21" in parts["day"]
    assert figure["nothing"].startswith("No records of today yet.")


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


def test_hostile_names_show_as_the_text_they_are_everywhere(tmp_path: Path) -> None:
    web = Web(tmp_path)
    hostile = HOSTILE.replace("/", "|")
    content = json.loads(json.dumps(CONFIG))
    content["name"] = HOSTILE
    content["pollers"]["park"]["sources"] = {hostile: {"label": HOSTILE}}
    content["pollers"]["park"]["groups"] = {"g" + hostile: [hostile]}
    content["pollers"]["apps"]["targets"] = {hostile: {"url": "http://127.0.0.1:9/"}}
    content["pollers"]["divera"]["status_names"] = {"50101": HOSTILE}
    (tmp_path / "config.json").write_text(json.dumps(content))
    web.config = load(tmp_path / "config.json", environ={})
    web.fill_records()
    web.alerts = alert("park/x/no-files", HOSTILE)
    report: Json = {"state": "queued", "answer": HOSTILE, "payload": [{"SSID": HOSTILE, "TagType": HOSTILE}]}
    Past(tmp_path, poller="park", kind="visitors").taken("2026-11-20T13:00", {}, day=HOSTILE, report=report)
    paths = ["/", "/poller/divera", "/poller/park", "/poller/apps", "/api/v1/status", "/plot/divera"]
    with page(web) as url:
        for path in paths:
            answer = requests.get(url + path, timeout=20)
            assert answer.status_code == 200, path
            if path.startswith("/poller") or path == "/":
                scripts = [attributes for tag, attributes in tags_of(answer.text) if tag == "script"]
                assert all((each["src"] or "").startswith(("./static/", "../static/")) for each in scripts), (
                    path
                )
                assert not [1 for tag, _ in tags_of(answer.text) if tag == "img"], path
                assert not [
                    1
                    for _, attributes in tags_of(answer.text)
                    for name in attributes
                    if name.startswith("on")
                ]
                assert "49" not in re.findall(r">(49)<", answer.text)
            elif path.startswith("/plot"):
                # A value for a script that sets it as text, and never a document.
                assert next(each["name"] for each in answer.json()["columns"]).startswith(HOSTILE)
                assert answer.headers["content-type"].startswith("application/json")


def test_no_page_names_a_person_or_a_secret(web: Web) -> None:
    web.fill_records()
    with page(web) as url:
        for path in ("/", "/poller/divera", "/poller/park", "/poller/apps", "/api/v1/status", "/metrics"):
            text = requests.get(url + path, timeout=20).text
            assert "canary" not in text
            assert "person_id" not in text


def test_a_database_that_was_never_used_holds_nothing_and_that_is_no_trouble(web: Web) -> None:
    text = text_of(get(web, "/").text)
    assert "The numbers can't be read now" not in text
    assert f"inside now {DASH} in today {DASH} out today {DASH}" in text
    assert "No records of today yet" in text_of(get(web, "/poller/park").text)
    assert get(web, "/plot/apps?target=TEST").status_code == 200


def test_a_database_that_cannot_be_read_is_told_and_the_rest_is_shown(web: Web) -> None:
    web.fill_records()
    (web.folder / "state" / "records.db").write_bytes(b"no database" * 1000)
    text = text_of(get(web, "/").text)
    assert "The numbers can't be read now" in text
    assert "divera All well" in text
    assert get(web, "/plot/apps?target=TEST").status_code == 503


def test_what_is_stored_first_while_the_page_is_open_is_shown(web: Web) -> None:
    with page(web) as url:
        assert f"in today {DASH}" in text_of(requests.get(url, timeout=20).text)
        web.fill_records()
        web.monotonic_s += 2
        assert "in today 3" in text_of(requests.get(url, timeout=20).text)


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


@pytest.mark.parametrize(
    "path", ["/", "/poller/divera", "/poller/park", "/poller/apps", "/poller/apps?target=TEST"]
)
def test_a_view_weighs_less_than_60_kb_with_all_that_it_loads(web: Web, path: str) -> None:
    web.fill_records()
    with page(web) as url:
        html = requests.get(url + path, timeout=20).text
        loaded = [each[name] for _, each in tags_of(html) for name in ("src", "data-plot") if each.get(name)]
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
    "name", ["", "uplot", "nothing.js", "../page.py", "%2e%2e/page.py", "uplot/../../app.py"]
)
def test_nothing_but_assets_is_served_as_one(web: Web, name: str) -> None:
    with page(web) as url:
        prepared = requests.Request("GET", url).prepare()
        prepared.url = f"{url}/static/{name}"
        with requests.Session() as session:
            assert session.send(prepared, timeout=20).status_code == 404


def test_what_is_vendored_is_the_release_that_is_said_with_its_license() -> None:
    folder = FOLDER / "uplot"
    said = json.loads((folder / "vendored.json").read_text())
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "vendored.json"}
    assert {name: hashlib.sha256(content).hexdigest() for name, content in files.items()} == said["sha256"]
    assert f"uPlot (v{said['version']})".encode() in files["uPlot.iife.min.js"]
    assert said["license"] == "MIT"
    assert b"The MIT License (MIT)" in files["LICENSE"]


def test_of_very_many_sources_some_are_listed_and_the_others_are_counted(web: Web) -> None:
    web.kept["park", "sweep"] = {"arrivals": {f"cam {number}": NOW for number in range(300)}}
    text = text_of(get(web, "/poller/park").text)
    (left_out,) = re.findall(r"(\d+) more are not listed", text)
    assert len(set(re.findall(r"cam \d+", text))) + int(left_out) == 300


def test_silence_is_told_in_seconds_from_what_the_sweep_has_in_memory(web: Web) -> None:
    web.fill_records()
    web.kept["park", "sweep"] = {"arrivals": {"12": NOW - timedelta(seconds=7)}}
    text = text_of(get(web, "/").text)
    assert 'Gate "12" 12 7 s ago' in text
    assert "23 none yet" in text


def test_times_are_of_the_pollers_own_zone(tmp_path: Path) -> None:
    web = Web(tmp_path)
    content = json.loads(json.dumps(CONFIG))
    content["pollers"]["divera"]["timezone"] = "America/New_York"
    (tmp_path / "config.json").write_text(json.dumps(content))
    web.config = load(tmp_path / "config.json", environ={})
    assert "Last reading 02:00 (6 h ago) Next run 20:00 (in 12 h) Time zone America/New_York" in text_of(
        get(web, "/").text
    )


LINKS = ("href", "src", "action", "data-plot", "data-live")


@pytest.mark.parametrize(
    "path",
    ["", "poller/divera", "poller/park?of=source:12", "poller/apps?target=TEST&sort=name", "a/b/nowhere"],
)
def test_every_link_of_a_page_works_below_a_path_that_a_proxy_takes_off(web: Web, path: str) -> None:
    web.fill_records()
    with page(web) as url:
        html = requests.get(f"{url}/{path}", headers={"Accept": "text/html"}, timeout=20).text
        found = [each[name] for _, each in tags_of(html) for name in LINKS if each.get(name)]
        assert len(found) > 1
        for link in found:
            outside = urljoin(f"https://example.org/tallyd/{path}", link)
            assert outside.startswith("https://example.org/tallyd/"), link
            inside = url + outside.removeprefix("https://example.org/tallyd").partition("#")[0]
            assert requests.get(inside, timeout=20).status_code == 200, link


@pytest.mark.parametrize(
    ("key", "says"),
    [
        pytest.param("divera/count/failed", "The last four weeks", id="a job"),
        pytest.param(problem_key("apps", "PROD\\", "stale"), "How old the data of PROD\\ was", id="a target"),
        pytest.param("park/12/no-files", 'Gate "12" (12), 2026-11-20', id="a source"),
        pytest.param("park/7/rejected", "No records of today yet", id="a source that is not in the config"),
        pytest.param("park/inbox/no-files", "All together, 2026-11-20", id="the inbox"),
        pytest.param("apps/database/unstored", "Targets", id="the database"),
        pytest.param("tallyd/state", "All pollers", id="tallyd itself"),
    ],
)
def test_the_link_of_a_notice_leads_to_what_it_is_about(web: Web, key: str, says: str) -> None:
    web.fill_records()
    pollers = web.config.settings.pollers
    with page(web) as url:
        link = link_to(url, [key], lambda poller, subject, what: pollers[poller].view(subject, what))
        answer = requests.get(link, headers={"Accept": "text/html"}, timeout=20)
    assert answer.status_code == 200
    assert says in text_of(answer.text)
