"""Badges: the state of a poller or of what it reads, as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from xml.etree import ElementTree

import pytest
import requests

from support.webfolder import NOW, Web, serving_app
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import State as StateDb
from tallyd.contract.lags import HourCount
from tallyd.core.alerts.rules import Alert
from tallyd.core.panels import Board, Cell, Column, Gap, Table
from tallyd.core.states import NO_DATA_SHARE, Level, State
from tallyd.settings.secrets import Secret
from tallyd.settings.web import WebSettings
from tallyd.web.app import application
from tallyd.web.badges import cells_of, drawn, share_of, state_of_share

NAMESPACE = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Web:
    return Web(tmp_path_factory.mktemp("web"))


@pytest.fixture(scope="module")
def url(web: Web) -> Iterator[str]:
    alert = Alert(key="apps/T/stale", severity="warning", text="old", over="", since=NOW, raised_at=NOW)
    web.alerts = {alert.key: alert}
    with web.context() as context, serving_app(application(context, WebSettings())) as found:
        yield found


@pytest.mark.parametrize(
    ("path", "words", "color"),
    [
        pytest.param("apps.svg", ["apps", "Needs a look"], "#8f5600", id="a poller"),
        pytest.param("divera.svg", ["divera", "All well"], "#1c6e43", id="a poller that is well"),
        pytest.param("apps/TEST.svg", ["apps TEST", "unreachable"], "#b3261e", id="a target"),
        pytest.param("apps/PROD%5C.svg", ["apps PROD\\", "stale"], "#b3261e", id="a target of any name"),
        pytest.param("park/23.svg", ["park 23", "no file yet"], "#5b686c", id="a source"),
    ],
)
def test_a_badge_has_a_name_and_the_state_in_its_color(
    url: str, path: str, words: list[str], color: str
) -> None:
    answer = requests.get(f"{url}/badge/{path}", timeout=20)
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cache-control"] == "no-store"
    picture = ElementTree.fromstring(answer.content)
    assert [each.text for each in picture.iter(f"{NAMESPACE}text")] == words
    assert picture.attrib["aria-label"] == ": ".join(words)
    assert color in [each.get("fill") for each in picture.iter(f"{NAMESPACE}rect")]


@pytest.mark.parametrize("path", ["nobody.svg", "apps/nobody.svg", "apps/.svg", "apps", "nobody/TEST.svg"])
def test_of_an_unknown_name_there_is_none(url: str, path: str) -> None:
    assert requests.get(f"{url}/badge/{path}", timeout=20).status_code == 404


def test_only_a_name_that_a_page_links_to_has_a_badge() -> None:
    columns = (Column(key="name", heading="name"), Column(key="state", heading="state"))
    table = Table(key="t", title="T", columns=columns, rows=(("a", State("fine", "good")),))
    assert cells_of(Board(panels=(table,)), "a") == []


@pytest.mark.parametrize(
    ("share", "level", "word"),
    [
        (1.0, "fine", "100.00%"),
        pytest.param(0.99996, "fine", "99.99%", id="only all is 100 %"),
        (0.9899, "warning", "98.99%"),
        pytest.param(0.98996, "fine", "99.00%", id="the color is that of the share that is shown"),
        (0.9499, "error", "94.99%"),
        (Gap.UNKNOWN, "unknown", "not known"),
    ],
)
def test_a_share_has_a_color_too(share: Cell, level: Level, word: str) -> None:
    assert state_of_share(share) == State(level, word)


@pytest.mark.parametrize(
    ("no_data", "share"),
    [(0.5, 0.9), (0.51, Gap.UNKNOWN), (Gap.UNKNOWN, 0.9)],
    ids=["half", "most", "nothing"],
)
def test_a_share_of_little_known_time_is_not_known(no_data: Cell, share: Cell) -> None:
    columns = (
        Column(key="target", heading="target"),
        Column(key="within", heading="within limit", unit="share"),
        Column(key=NO_DATA_SHARE, heading="no data", unit="share"),
    )
    assert share_of(zip(columns, ("a", 0.9, no_data), strict=True)) == share


def test_a_badge_can_show_the_share_of_thirty_days(web: Web, url: str) -> None:
    days = 20
    count = HourCount(60, 9.0, fresh_s=days * 72_000.0, late_s=days * 13_536.0, stale_s=days * 864.0)
    little = HourCount(60, 9.0, fresh_s=3600.0)
    hours = {
        ("2026-11-19 10:00:00", "TEST"): count,
        ("2026-10-01 10:00:00", "TEST"): count,
        ("2026-11-19 10:00:00", "PROD\\"): little,
    }
    with closing(Database(web.config.database_url, prepares=True)) as database:
        assert database.records("apps").note_checks([], hours).trouble is None
    for target, word in (("TEST", "99.00%"), ("PROD%5C", "not known")):
        answer = requests.get(f"{url}/badge/apps/{target}.svg?show=share", timeout=20)
        texts = [each.text for each in ElementTree.fromstring(answer.content).iter(f"{NAMESPACE}text")]
        assert texts == [f"apps {target.replace('%5C', chr(92))}, 30 d", word]
    for path in ("apps/nobody.svg", "park/nobody.svg", "apps/.svg", "nobody.svg"):
        assert requests.get(f"{url}/badge/{path}?show=share", timeout=20).status_code == 404
    assert requests.get(f"{url}/badge/apps.svg?show=uptime", timeout=20).status_code == 400


def test_a_poller_and_a_source_have_a_share_by_their_incidents(web: Web, url: str) -> None:
    hour = timedelta(hours=1)
    began = NOW - 24 * hour
    over_at = began + 4 * hour
    silent = Alert(key="park/23/no-files", text="silent", since=began, raised_at=began, over_at=over_at)
    with closing(StateDb(web.config.state_dir / "state.db")) as state:
        state.uptime.note({NOW - 400 * hour: NOW})
        state.alerts.put(silent)
    for path, words in (
        ("park.svg", ["park, 30 d", "99.00%"]),
        ("park/23.svg", ["park 23, 30 d", "99.00%"]),
        ("park/12.svg", ["park 12, 30 d", "100.00%"]),
    ):
        answer = requests.get(f"{url}/badge/{path}?show=share", timeout=20)
        texts = [each.text for each in ElementTree.fromstring(answer.content).iter(f"{NAMESPACE}text")]
        assert texts == words


def test_a_badge_of_any_name_is_sound_and_wide_enough() -> None:
    def width(label: str) -> int:
        return int(ElementTree.fromstring(drawn(label, State("fine", "good"))).attrib["width"])

    hostile = '<script>alert(1)</script>"\x00\u202e'
    texts = [each.text for each in ElementTree.fromstring(drawn(hostile, State("fine", "good"))).iter()]
    assert '<script>alert(1)</script>"\\x00\\u202e' in texts
    assert width("n" * 10) < width("W" * 10) < width("\u6d88" * 10)
    assert width("n" * 999) < 600


@pytest.mark.parametrize("path", ["/badge/apps.svg", "/badge/apps/TEST.svg", "/badge/nobody.svg", "/wall"])
def test_they_and_the_wall_need_the_password_like_the_rest(web: Web, path: str) -> None:
    settings = WebSettings(password=Secret("canary-web-5f1c"))
    with web.context() as context, serving_app(application(context, settings)) as url:
        assert requests.get(url + path, timeout=20).status_code == 401
        assert requests.get(url + path, auth=("", "canary-web-5f1c"), timeout=20).status_code in (200, 404)


def test_pages_of_other_hosts_may_show_a_badge_only_without_a_password(web: Web) -> None:
    policy = "cross-origin-resource-policy"
    secret = "canary-web-5f1c"
    with web.context() as context:
        with serving_app(application(context, WebSettings())) as url:
            assert requests.get(f"{url}/badge/apps.svg", timeout=20).headers[policy] == "cross-origin"
            assert requests.get(url, timeout=20).headers[policy] == "same-origin"
        with serving_app(application(context, WebSettings(password=Secret(secret)))) as url:
            answer = requests.get(f"{url}/badge/apps.svg", auth=("", secret), timeout=20)
            assert (answer.status_code, answer.headers[policy]) == (200, "same-origin")
