"""A bug of one kind shows in its own poller, is logged once, and hides no other poller."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import time_machine

from support.webfolder import NOW, Web, serving_app
from tallyd.adapters.state import State, StateError
from tallyd.cli.views.report import report
from tallyd.cli.views.status import status
from tallyd.config.reload import ActiveConfigNote
from tallyd.core.alerts.links import link_to
from tallyd.core.alerts.rules import Alert
from tallyd.core.errors import RecordsError
from tallyd.core.metric import Metric
from tallyd.core.panels import Board, Chart, Column, Stat, Table
from tallyd.pollers.divera.poller import DiveraPoller
from tallyd.pollers.servers.poller import ServersPoller
from tallyd.reporting.chapters import Wanted
from tallyd.settings.web import WebSettings
from tallyd.storage.shown import Shown
from tallyd.web.app import application

FAILED = "tallyd itself failed (ZeroDivisionError)"


def fails(*_args: object, **_keys: object) -> Any:
    raise ZeroDivisionError


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Web:
    """A folder with three pollers. What the kind `divera` shows fails."""
    for what in ("last", "now_board", "past_board", "metrics"):
        monkeypatch.setattr(DiveraPoller, what, fails)
    web = Web(tmp_path)
    web.fill_records()
    return web


@contextmanager
def page(web: Web) -> Iterator[Callable[[str], requests.Response]]:
    with web.context() as context, serving_app(application(context, WebSettings())) as url:
        yield lambda path: requests.get(url + path, headers={"Accept": "text/html"}, timeout=20)


def test_the_overview_shows_the_other_pollers_and_says_what_failed(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    with page(web) as get:
        answers = [get("/"), get("/poller/divera"), get("/poller/divera?by=day"), get("/?live=1")]
    assert [each.status_code for each in answers] == [200] * 4
    assert all(FAILED in each.text for each in answers)
    assert "Inside now" in answers[0].text
    (line,) = [each for each in caplog.records if each.name == "tallyd" and each.levelno >= logging.ERROR]
    assert (line.getMessage(), line.__dict__["poller"]) == ("showing a poller crashed", "divera")
    assert line.exc_info is not None


def test_a_problem_of_a_kind_that_cannot_say_its_view_is_shown_and_linked_all_the_same(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServersPoller, "view", fails)
    alert = Alert(key="apps/TEST/stale", text="TEST is old", since=NOW, raised_at=NOW)
    web.alerts = {alert.key: alert}
    with page(web) as get:
        answers = [get("/"), get("/poller/apps"), get("/incidents")]
    assert [each.status_code for each in answers] == [200] * 3
    assert all("TEST is old" in each.text for each in answers[:2])
    link = link_to("http://page", [alert.key], partial(Shown().view, web.config))
    assert link == "http://page/poller/apps"


def test_the_csv_of_the_poller_says_what_failed(web: Web) -> None:
    with page(web) as get:
        answer = get("/poller/divera/report.csv")
    assert answer.status_code == 500
    assert FAILED in answer.text


def test_the_metrics_have_the_other_pollers_and_say_which_kind_failed(web: Web) -> None:
    with page(web) as get:
        text = get("/metrics").text
    assert 'tallyd_readable{part="divera"} 0.0' in text
    assert 'tallyd_readable{part="visitors"} 1.0' in text
    assert 'tallyd_visitors_inside_all{poller="park"} 2.0' in text


@pytest.mark.parametrize("number", ["many", 10**400, None])
def test_a_metric_that_is_no_number_costs_only_its_own_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: Any
) -> None:
    metric = Metric(name="toy", help="Toys.", labels=("poller",), samples=[(("divera",), number)])
    monkeypatch.setattr(DiveraPoller, "metrics", lambda *_: [metric])
    with page(Web(tmp_path)) as get:
        text = get("/metrics").text
    assert 'tallyd_readable{part="divera"} 0.0' in text
    assert 'tallyd_target_fresh{poller="apps",target="TEST"} 0.0' in text


def test_status_shows_the_other_pollers(web: Web, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(State(web.folder / "state" / "state.db")) as state:
        path = str(web.folder / "config.json")
        note = ActiveConfigNote(path=path, since=NOW, zone=web.config.zone, rejected=None, jobs=())
        state.set_note("config", note.dumped())
    with time_machine.travel(NOW, tick=False):
        assert status(web.folder / "config.json", as_json=False) == 0
        assert FAILED in capsys.readouterr().out
        assert status(web.folder / "config.json", as_json=True) == 0
    now = json.loads(capsys.readouterr().out)["now"]
    assert FAILED in now["divera"]["troubles"][0]
    assert now["park"]["stats"]["inside"] == 2


@pytest.mark.parametrize("shape", ["table", "json", "html"])
def test_a_report_has_the_other_pollers_and_says_what_is_missing(
    web: Web, capfd: pytest.CaptureFixture[str], shape: str
) -> None:
    with time_machine.travel(NOW, tick=False):
        assert report(web.folder / "config.json", Wanted(shape=shape, options={})) == 1
    found = capfd.readouterr()
    assert f"divera: {FAILED}" in found.err
    assert "park" in found.out


def test_a_database_that_fails_is_no_bug(
    web: Web, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object) -> Board:
        raise RecordsError("the database is away")

    monkeypatch.setattr(DiveraPoller, "last", lambda *_: None)
    monkeypatch.setattr(DiveraPoller, "now_board", away)
    with page(web) as get:
        answer = get("/")
    assert "The numbers can't be read now: the database is away." in answer.text.replace("&#39;", "'")
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]


ASKS: dict[str, Callable[[Shown, Any], object]] = {
    "last": lambda shown, poller: shown.last(poller, PAST),
    "now": lambda shown, poller: shown.now(poller, PAST),
    "subject": lambda shown, poller: shown.now(poller, PAST, subject="TEST"),
    "group": lambda shown, poller: shown.now(poller, PAST, group="all"),
    "past": lambda shown, poller: shown.past(poller, PAST, ANY),
    "states": lambda shown, poller: shown.states(poller, PAST, ANY),
    "shares": lambda shown, poller: shown.shares(poller, PAST, "TEST"),
    "metrics": lambda shown, poller: list(shown.metrics(poller, PAST)),
}
PAST: Any = SimpleNamespace(poller="apps", last_taken=lambda: "when the last one was taken")
ANY: Any = None


class Failing:
    """A poller of which nothing can be shown."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Callable[..., object]:
        def fail(*_: object) -> object:
            raise self._error

        return fail


@pytest.mark.parametrize("ask", ASKS)
def test_what_state_db_cannot_tell_is_no_bug_of_a_kind(ask: str, caplog: pytest.LogCaptureFixture) -> None:
    error = StateError("state.db is locked")
    with pytest.raises(StateError) as caught:
        ASKS[ask](Shown(), Failing(error))
    assert caught.value is error
    assert caplog.records == []


@pytest.mark.parametrize(
    ("ask", "found"),
    [
        ("last", "when the last one was taken"),
        ("now", Board(troubles=("The numbers can't be read now: the database is away.",))),
        ("group", Board(troubles=("The numbers can't be read now: the database is away.",))),
        ("past", RecordsError),
        ("shares", RecordsError),
        ("metrics", RecordsError),
    ],
)
def test_a_database_that_is_away_costs_only_what_it_has(ask: str, found: object) -> None:
    error = RecordsError("the database is away")
    if found is RecordsError:
        with pytest.raises(RecordsError) as caught:
            ASKS[ask](Shown(), Failing(error))
        assert caught.value is error
    else:
        assert ASKS[ask](Shown(), Failing(error)) == found


def test_only_a_poller_of_the_config_has_a_view_of_a_problem(tmp_path: Path) -> None:
    config = Web(tmp_path).config
    assert Shown().view(config, "apps/count/failed") is not None
    assert Shown().view(config, "gone/TEST/stale") is None


def test_a_past_without_a_table_is_a_bug(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board(panels=(Stat(key="people", name="People", value=1),))
    monkeypatch.setattr(DiveraPoller, "past_board", lambda *_: board)
    with page(web) as get:
        assert "tallyd itself failed (ValueError)" in get("/poller/divera").text


def test_a_table_and_a_chart_must_fit_their_columns() -> None:
    column = Column(key="at", heading="at")
    with pytest.raises(ValueError, match="table toys: "):
        Table(key="toys", title="Toys", columns=(column,), rows=(("a", "b"),))
    table = Table(key="toys", title="Toys", columns=(column,), rows=(("a",),))
    for x, series in (("at", {"n": "bars"}), ("n", {"at": "bars"})):
        with pytest.raises(ValueError, match="chart toys: "):
            Chart(table=table, x=x, series=series)  # type: ignore[arg-type] # shapes
