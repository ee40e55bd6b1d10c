"""The view of past incidents, of an invented folder, over HTTP; the panel of the last ones; and their API."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.webfolder import CONFIG, NOW, Web
from tallyd.adapters.state import State
from tallyd.core.alerts.notices import Notified
from tallyd.core.alerts.rules import Alert, acknowledge
from tallyd.pollers.servers.alert_kinds import TARGET_KINDS
from web.test_page import HOSTILE, get, tags_of, text_of

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
UNREACHABLE = TARGET_KINDS["unreachable"].problem(
    "apps", "TEST", since=NOW, target="TEST", reason="connection refused"
)


@pytest.fixture
def web(tmp_path: Path) -> Web:
    web = Web(tmp_path)
    with state_of(web) as state:
        state.uptime.note({NOW - 40 * DAY: NOW})
    return web


def state_of(web: Web) -> closing[State]:
    return closing(State(web.folder / "state" / "state.db"))


def store(web: Web, *alerts: Alert) -> None:
    with state_of(web) as state:
        for each in alerts:
            state.alerts.put(each)


def alert(key: str, began: datetime, lasted: timedelta | None, text: str = "", **more: Any) -> Alert:
    over_at = None if lasted is None else began + lasted
    found = Alert(key=key, severity="error", text=text or key, over="", since=began, raised_at=began)
    return replace(found, over_at=over_at, **more)


def target(began: datetime, lasted: timedelta | None) -> Alert:
    fields, text = UNREACHABLE.fields, UNREACHABLE.text
    return alert("apps/TEST/unreachable", began, lasted, text, fields=fields)


def many(count: int) -> Iterable[Alert]:
    """One incident a minute, one after the other, the last one an hour ago."""
    for number in range(count):
        yield alert(f"apps/T{number:03}/stale", NOW - HOUR - number * MINUTE, MINUTE, severity="warning")


# -- the view -----------------------------------------------------------------------------------------------


def test_incidents_stand_under_the_day_on_which_they_began_the_newest_first(web: Web) -> None:
    store(
        web,
        target(NOW - 2 * DAY, DAY + HOUR),
        target(NOW - 2 * DAY - HOUR, 5 * MINUTE),
        alert("divera/count/failed", NOW - 10 * MINUTE, None, "divera: no reading"),
    )
    text = text_of(get(web, "/incidents").text)
    start = text.index("2026-10-22 to 2026-11-20 (Europe/Berlin), the newest first")
    shown = text[start:]
    assert "Fri 2026-11-20 error: divera no reading 13:50 , still open (10 min) divera: no reading" in shown
    assert "Wed 2026-11-18 error: apps TEST unreachable 14:00 to Thu 15:00 (1 d 1 h)" in shown
    assert shown.index("14:00") < shown.index("13:00 to 13:05 (5 min)")
    assert shown.count("TEST: unreachable: connection refused.") == 2


def test_what_is_folded_below_a_line_says_who_was_notified_and_who_muted(web: Web) -> None:
    began = NOW - 2 * DAY
    with state_of(web) as state:
        state.notifications.mute("apps/*", since=began, until=NOW, why="", by="ada")
        state.alerts.put(target(began, None))
        delivered = {(("apps/TEST/unreachable", began), "ops", "begins"): began + MINUTE}
        state.notifications.mark({("ops", "x"): Notified(1, NOW)}, delivered)  # type: ignore[arg-type] # text
        worked_on = acknowledge(target(began, None), by="anna", why="cable", now=began + MINUTE)
        state.alerts.put(replace(worked_on, over_at=began + HOUR, is_unwatched=True))
    html = get(web, "/incidents").text
    assert (
        "Notified: ops (began 14:01) · Muted by ada · Acknowledged by anna 14:01 (cable)"
        " · Ended because the config no longer asks for it"
    ) in text_of(html)
    assert "./poller/apps?target=TEST" in [each.get("href") for tag, each in tags_of(html) if tag == "a"]


def test_an_open_incident_has_the_color_of_now_and_says_how_bad_it_was(web: Web) -> None:
    worst = target(NOW - 2 * HOUR, None)
    now = replace(worst, severity="warning", is_at_worst=False, severity_since=NOW - HOUR)
    store(web, worst, now)
    web.alerts[now.key] = now
    html = get(web, "/incidents").text
    assert "warning: apps TEST unreachable 12:00 , still open (2 h)" in text_of(html)
    assert "At worst: error · Notified: nobody" in text_of(html)
    assert "warning" in [each.get("class") for tag, each in tags_of(html) if tag == "li"]
    store(web, replace(now, over_at=NOW - HOUR))
    assert "error: apps TEST unreachable 12:00 to 13:00" in text_of(get(web, "/incidents").text)


def test_days_and_poller_are_chosen_by_the_query(web: Web) -> None:
    store(web, target(NOW - 2 * DAY, HOUR), alert("tallyd/out", NOW - 3 * DAY, HOUR, "cannot write out/"))

    def keys(query: str) -> list[str]:
        text = text_of(get(web, f"/incidents{query}").text)
        return [key for key in ("apps/TEST/unreachable", "tallyd/out") if key in text]

    assert keys("") == ["apps/TEST/unreachable", "tallyd/out"]
    assert keys("?poller=tallyd") == ["tallyd/out"]
    assert keys("?poller=apps&from=2026-11-01") == ["apps/TEST/unreachable"]
    assert keys("?to=2026-11-17") == ["tallyd/out"]
    assert keys("?from=2026-11-18&to=2026-11-18") == ["apps/TEST/unreachable"]


def test_a_poller_that_left_the_config_can_be_chosen_as_long_as_its_incidents_are_kept(web: Web) -> None:
    assert get(web, "/incidents?poller=gone").status_code == 400
    store(web, alert("gone/x/odd", NOW - 2 * DAY, HOUR), target(NOW - 2 * DAY, HOUR))
    html = get(web, "/incidents?poller=gone").text
    assert "gone/x/odd" in text_of(html)
    assert "apps/TEST" not in text_of(html)
    assert "<option selected>gone</option>" in html


def test_more_than_fifty_have_pages_and_each_is_shown_once(web: Web) -> None:
    store(web, *many(120))
    shown: list[str] = []
    path = "/incidents?from=2026-11-20"
    for count in (50, 50, 20):
        html = get(web, path).text
        found = list(dict.fromkeys(each for each in text_of(html).split() if each.startswith("apps/T")))
        assert len(found) == count
        shown += found
        links = {each["id"]: each["href"] for tag, each in tags_of(html) if tag == "a" and "id" in each}
        path = f"/incidents{links.get('page-after', '')}"
    assert shown == [f"apps/T{number:03}/stale" for number in range(120)]
    assert path == "/incidents", "the last page leads to no other"
    assert "No further incident." in text_of(get(web, "/incidents?page=9").text)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param("", "No incident from 2026-10-22 to 2026-11-20.", id="all-was-well"),
        pytest.param("?poller=park", "No incident of park from", id="of-a-poller"),
        pytest.param(
            "?from=2026-01-01&to=2026-01-02",
            "Nothing is known of incidents from 2026-01-01 to 2026-01-02: tallyd did not run then",
            id="tallyd-was-off",
        ),
    ],
)
def test_where_there_is_none_a_sentence_says_why(web: Web, query: str, says: str) -> None:
    assert says in text_of(get(web, f"/incidents{query}").text)


def test_days_from_before_tallyd_was_first_on_are_not_called_quiet(tmp_path: Path) -> None:
    web = Web(tmp_path, has_past=False)
    with closing(State(tmp_path / "state" / "state.db")) as state:
        state.uptime.note({NOW - 2 * DAY: NOW})
    text = text_of(get(web, "/incidents").text)
    assert "No incident from 2026-10-22 to 2026-11-20. Nothing is known of before Wed 14:00." in text


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param("?poller=nobody", 'there is no poller "nobody"', id="poller"),
        pytest.param("?from=x", 'there is no day "x"', id="day"),
        pytest.param("?page=0", "page must be a number from 1", id="page"),
        pytest.param("?page=%C2%B2", "page must be a number from 1", id="a-digit-of-another-kind"),
        pytest.param("?sort=x", 'there is no option "sort"', id="option"),
    ],
)
def test_what_makes_no_sense_is_refused_and_says_why(web: Web, query: str, says: str) -> None:
    answer = get(web, f"/incidents{query}")
    assert answer.status_code == 400
    assert says in text_of(answer.text)


def test_a_hostile_text_shows_as_the_text_it_is(web: Web) -> None:
    text = HOSTILE.replace("{", "{{").replace("}", "}}")
    store(web, alert("apps/x/odd", NOW - HOUR, MINUTE, text))
    html = get(web, "/incidents").text
    assert HOSTILE in text_of(html)
    assert not [each for tag, each in tags_of(html) if tag == "img" or "onerror" in each]


def test_incidents_as_csv_are_those_of_the_view_and_of_the_command(web: Web) -> None:
    store(web, *many(60), target(NOW - 2 * DAY, HOUR))
    answer = get(web, "/incidents.csv?from=2026-11-01&to=2026-11-20&poller=apps")
    lines = answer.text.split("\r\n")
    assert (
        lines[0]
        == "severity,began,lasted (s),poller,subject,problem,ended,muted by,acknowledged,key,text,notified"
    )
    assert len(lines) == 1 + 61 + 1, "all of them, and not a page"
    assert lines[-2].startswith(
        "error,2026-11-18 14:00:00,3600.0,apps,TEST,unreachable,2026-11-18 15:00:00,,,apps/TEST/unreachable,"
    )
    named = 'attachment; filename="incidents-apps-2026-11-01-2026-11-20.csv"'
    assert answer.headers["content-disposition"] == named
    assert get(web, "/incidents.csv?excel=1").content.startswith("\ufeffseverity;began".encode())
    links = [each.get("href") for tag, each in tags_of(get(web, "/incidents?poller=apps").text) if tag == "a"]
    assert "incidents.csv?from=2026-10-22&to=2026-11-20&poller=apps&excel=1" in links


def test_more_incidents_than_a_daemon_has_memory_for_are_refused(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(web, *many(3))
    monkeypatch.setattr("tallyd.web.page.MOST_ROWS", 2)
    answer = get(web, "/incidents.csv")
    assert answer.status_code == 400
    assert "more than 2 incidents; choose fewer days" in answer.text


# -- the last ones on the overview --------------------------------------------------------------------------


def test_the_overview_ends_with_the_last_five_incidents_of_all_pollers_that_have_ended(web: Web) -> None:
    assert "No past incident is known of the last 30 days." in text_of(get(web, "/").text)
    store(
        web,
        *many(8),
        alert("divera/count/failed", NOW - 10 * MINUTE, None, "divera: no reading"),
        target(NOW - 2 * DAY, HOUR),
    )
    html = get(web, "/").text
    shown = text_of(html).partition("Past incidents")[2]
    assert "divera" not in shown, "it is open: its card says so"
    assert shown.count(" apps ") == 5
    assert "apps T000 stale 13:00 to 13:01 (1 min)" in shown
    assert "./incidents" in [each.get("href") for tag, each in tags_of(html) if tag == "a"]


# -- the panel of the last ones -----------------------------------------------------------------------------


def test_a_poller_s_page_ends_with_its_last_five_incidents_and_the_way_to_all(web: Web) -> None:
    store(web, *many(8), target(NOW - 2 * DAY, HOUR))
    html = get(web, "/poller/apps").text
    shown = text_of(html).partition("Last incidents")[2]
    assert [*dict.fromkeys(each for each in shown.split() if each.startswith("apps/T"))] == [
        f"apps/T{number:03}/stale" for number in range(5)
    ]
    assert "warning: T000 stale 13:00 to 13:01 (1 min)" in shown, "as on the view of incidents"
    assert "../incidents?poller=apps" in [each.get("href") for tag, each in tags_of(html) if tag == "a"]
    assert "No incident is known up to 2026-11-20." in text_of(get(web, "/poller/divera").text)


def test_the_view_of_a_target_has_only_the_incidents_about_it(web: Web) -> None:
    store(web, *many(8), target(NOW - 2 * DAY, HOUR))
    text = text_of(get(web, "/poller/apps?target=TEST").text)
    assert "TEST: unreachable: connection refused." in text
    assert "apps/T00" not in text
    other = text_of(get(web, "/poller/apps?target=PROD%5C").text)
    assert "No incident about PROD\\ is known up to 2026-11-20." in other


# -- the API ------------------------------------------------------------------------------------------------


def api(web: Web, query: str = "") -> Any:
    answer = get(web, f"/api/v1/incidents{query}")
    return answer.json()


def test_the_api_has_pages_of_incidents_by_time_and_poller(web: Web) -> None:
    store(web, *many(5), target(NOW - 2 * DAY, HOUR))
    first = api(web, "?poller=apps&limit=4")
    assert [each["key"] for each in first["incidents"]] == [f"apps/T{number:03}/stale" for number in range(4)]
    rest = api(web, f"?poller=apps&limit=4&skip={first['next_skip']}")
    assert [each["subject"] for each in rest["incidents"]] == ["T004", "TEST"]
    assert rest["next_skip"] is None
    assert rest["incidents"][1] == {
        "key": "apps/TEST/unreachable",
        "severity": "error",
        "text": "TEST: unreachable: connection refused.",
        "since": "2026-11-18T14:00:00+01:00",
        "poller": "apps",
        "subject": "TEST",
        "problem": "unreachable",
        "raised_at": "2026-11-18T14:00:00+01:00",
        "ended_at": "2026-11-18T15:00:00+01:00",
        "lasted_s": 3600.0,
        "unwatched": False,
        "muted_by": None,
        "acknowledged": None,
        "notices": [],
    }
    assert [each["subject"] for each in api(web, "?to=2026-11-19")["incidents"]] == ["TEST"]
    assert api(web, "?poller=divera") == {"incidents": [], "next_skip": None}


@pytest.mark.parametrize("query", ["?limit=0", "?skip=-1", "?from=x", "?target=TEST"])
def test_the_api_refuses_what_makes_no_sense(web: Web, query: str) -> None:
    answer = get(web, f"/api/v1/incidents{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_zone_is_that_of_the_poller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apps = {**CONFIG["pollers"]["apps"], "timezone": "Asia/Tokyo"}
    monkeypatch.setitem(CONFIG, "pollers", {**CONFIG["pollers"], "apps": apps})
    web = Web(tmp_path)
    store(web, target(NOW - 2 * DAY, HOUR))
    assert "Wed 2026-11-18 error: apps TEST unreachable 22:00 to 23:00" in (
        text_of(get(web, "/incidents?poller=apps").text)
    )
    assert api(web)["incidents"][0]["since"] == "2026-11-18T22:00:00+09:00"
