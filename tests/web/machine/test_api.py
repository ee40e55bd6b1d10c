"""/api/v1: the shapes that docs/page.md promises, and what is asked for wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from support.past import Past
from support.webfolder import NOW, Web, serving
from tallyd.adapters.state import State
from tallyd.core.alerts.mutes import Mute
from tallyd.core.alerts.rules import Alert, acknowledge
from tallyd.web.machine import api
from tallyd.web.machine.api import routes

ALERT = Alert(key="apps/A/stale", severity="error", text="A: old", over="", since=NOW, raised_at=NOW)


@pytest.fixture
def url(web: Web) -> Iterator[str]:
    with web.context() as context, serving(routes(context)) as found:
        yield f"{found}/api/v1"


def asked(url: str, **parameters: str) -> Any:
    answer = requests.get(
        url, params={name.rstrip("_"): value for name, value in parameters.items()}, timeout=20
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_status_tells_each_job_and_how_tallyd_is(url: str) -> None:
    found = asked(f"{url}/status")
    assert (found["name"], found["zone"], found["healthy"]) == ("florian-pi", "Europe/Berlin", True)
    assert found["jobs"][0] == {
        "poller": "divera",
        "kind": "divera",
        "job": "count",
        "zone": "Europe/Berlin",
        "last_taken_at": "2026-11-20T08:00:00.400+01:00",
        "last_by_hand": False,
        "missed_since": [],
        "next_due_at": "2026-11-20T20:00:00+01:00",
    }
    assert [(job["poller"], job["job"]) for job in found["jobs"]][1:] == [
        ("park", "sweep"),
        ("apps", "check"),
    ]


def test_status_tells_how_tallyd_itself_was(web: Web, url: str) -> None:
    began = NOW - timedelta(hours=2)
    alert = Alert(key="tallyd/out", text="full", since=began, raised_at=began, over_at=NOW)
    with closing(State(web.folder / "state" / "state.db")) as state:
        state.uptime.note({NOW - timedelta(days=1): NOW})
        state.alerts.put(alert)
    *_, before, today = asked(f"{url}/status")["states"]
    assert (before["state"], before["minutes"]) == ("all well", 600.0)
    assert today == {
        "from": "2026-11-20T00:00:00+01:00",
        "to": "2026-11-20T14:00:00+01:00",
        "state": "trouble",
        "minutes": 120.0,
    }


def test_status_tells_a_last_reading_taken_by_hand_as_such(web: Web, url: str) -> None:
    Past(web.folder).taken("2026-11-20T13:30:00", {"50101": 21}, origin="once")
    (job,) = [each for each in asked(f"{url}/status")["jobs"] if each["poller"] == "divera"]
    assert (job["last_taken_at"], job["last_by_hand"]) == ("2026-11-20T13:30:00+01:00", True)


def test_alerts_tell_what_is_open_what_waits_and_until_when_it_is_muted(web: Web, url: str) -> None:
    web.alerts = {
        each.key: each
        for each in (
            acknowledge(
                replace(ALERT, key="apps/B/late", severity="warning"), by="anna", why="works on it", now=NOW
            ),
            ALERT,
            replace(ALERT, key="apps/C/stale", raised_at=None),
            replace(ALERT, key="apps/D/stale", over_at=NOW),
        )
    }
    web.mutes = (Mute(pattern="apps/A/*", since=NOW, until=NOW + timedelta(hours=1), why="", by=""),)
    found = asked(f"{url}/alerts")
    assert found["open"][0] == {
        "key": "apps/A/stale",
        "severity": "error",
        "text": "A: old",
        "since": "2026-11-20T14:00:00+01:00",
        "muted_until": "2026-11-20T15:00:00+01:00",
        "acknowledged": None,
    }
    by_key = {each["key"]: each["acknowledged"] for each in found["open"]}
    assert by_key["apps/B/late"] == {"at": "2026-11-20T14:00:00+01:00", "by": "anna", "why": "works on it"}
    assert [each["key"] for each in found["open"]] == ["apps/A/stale", "apps/B/late"]
    assert [each["key"] for each in found["waiting"]] == ["apps/C/stale"]


def test_alerts_come_in_pages_what_waits_after_all_that_is_open(web: Web, url: str) -> None:
    raised = {f"apps/{name}/stale": NOW if name < "C" else None for name in "ABCD"}
    web.alerts = {key: replace(ALERT, key=key, raised_at=at) for key, at in raised.items()}
    pages: list[list[list[str]]] = []
    skip: int | None = 0
    while skip is not None:
        found = asked(f"{url}/alerts", limit="3", skip=str(skip))
        pages.append([[each["key"][5] for each in found[part]] for part in ("open", "waiting")])
        skip = found["next_skip"]
    assert pages == [[["A", "B"], ["C"]], [[], ["D"]]]


def test_readings_are_shown_oldest_first_a_gap_is_one_and_a_hidden_count_stays_hidden(url: str) -> None:
    found = asked(f"{url}/readings", poller="divera")
    assert [each["outcome"] for each in found["readings"]] == ["taken", "missed", "taken"]
    assert found["readings"][1]["content"] is None
    assert found["readings"][1]["reason"] == "nothing ran at that time"
    assert found["readings"][2]["content"]["counts"] == {"50101": 12, "50103": None}
    assert found["readings"][2]["content"]["total"] is None
    assert found["next_from"] is None


@pytest.mark.parametrize(
    ("parameters", "days"),
    [
        pytest.param({"from_": "2026-11-20"}, ["20"], id="from a day on"),
        pytest.param({"to": "2026-11-19"}, ["19", "19"], id="a last day is included"),
        pytest.param({"to": "2026-11-19T07:00:00Z"}, [], id="an instant is not"),
        pytest.param({"from_": "2026-11-19T20:00:00+01:00"}, ["19", "20"], id="from an instant on"),
        pytest.param({"poller": "other"}, [], id="a poller without readings"),
    ],
)
def test_readings_of_a_period(url: str, parameters: dict[str, str], days: list[str]) -> None:
    found = asked(f"{url}/readings", **parameters)
    assert [each["at"][8:10] for each in found["readings"]] == days


def test_pages_follow_each_other_and_nothing_is_lost_or_shown_twice(web: Web, url: str) -> None:
    Past(web.folder, poller="other").taken("2026-11-19T20:00", {"1": 1})  # of the instant of another one
    seen: list[tuple[str, str]] = []
    begin: str | None = "2026-11-01"
    while begin is not None:
        page = asked(f"{url}/readings", limit="1", from_=begin)
        assert page["readings"]
        seen += [(each["poller"], each["at"]) for each in page["readings"]]
        begin = page["next_from"]
        assert len(seen) < 10
    assert seen == [(each["poller"], each["at"]) for each in asked(f"{url}/readings")["readings"]]
    assert len(seen) == 4


def test_large_readings_come_a_few_at_a_time_and_none_is_left_out(
    web: Web, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = asked(f"{url}/readings", limit="1000")
    assert len(whole["readings"]) == 3
    monkeypatch.setattr(api, "MOST_CHARS", 10)  # less than one has
    seen: list[object] = []
    begin: str | None = "2026-11-01"
    while begin is not None:
        page = asked(f"{url}/readings", limit="1000", from_=begin)
        assert len(page["readings"]) <= 2
        seen += page["readings"]
        begin = page["next_from"]
        assert len(seen) < 10
    assert seen == whole["readings"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        pytest.param("readings?limit=0", "limit must be", id="nothing"),
        pytest.param("readings?limit=1001", "limit must be", id="too many"),
        pytest.param("readings?limit=x", "limit must be", id="no number"),
        pytest.param("readings?from=yesterday", "from must be a day", id="no day"),
        pytest.param("readings?from=2026-02-30", "from must be a day", id="no such day"),
        pytest.param(
            "readings?to=2026-11-20T08:00:00", "to must be a day", id="an instant without an offset"
        ),
        pytest.param("readings?to=9999-12-31", "to must be a day", id="the end of time"),
        pytest.param("readings?sort=desc", "unknown parameter", id="unknown"),
        pytest.param("status?x=1", "unknown parameter", id="one where there are none"),
    ],
)
def test_what_makes_no_sense_is_refused_and_says_why(url: str, path: str, says: str) -> None:
    answer = requests.get(f"{url}/{path}", timeout=20)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(says)


def test_a_state_db_that_cannot_be_read_is_shown_without_a_path(web: Web) -> None:
    with web.context() as context:
        closed = context.state.reader()
        closed.close()
        with serving(routes(replace(context, state=closed))) as url:
            answer = requests.get(f"{url}/api/v1/status", timeout=20)
    assert answer.status_code == 503
    assert str(web.folder) not in answer.text


def test_no_secret_is_in_any_answer(url: str) -> None:
    for name in ("status", "alerts", "readings"):
        assert "canary" not in requests.get(f"{url}/{name}", timeout=20).text


def test_the_docs_name_every_key_of_every_answer(web: Web, url: str) -> None:
    web.alerts = {ALERT.key: ALERT}
    docs = (Path(__file__).parents[3] / "docs" / "page.md").read_text()
    status, alerts = asked(f"{url}/status"), asked(f"{url}/alerts")
    readings = asked(f"{url}/readings")
    answers = (status, status["jobs"][0], alerts, alerts["open"][0], readings, readings["readings"][0])
    seen = {key for answer in answers for key in answer} - {"readings"}  # which the address itself names
    assert {key for key in seen if f"`{key}`" not in docs} == set()
