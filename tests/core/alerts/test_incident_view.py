"""Incidents in words: the same for a table, for JSON and for the page."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tallyd.core.alerts.acknowledgement import Acknowledgement
from tallyd.core.alerts.alert_kind import AlertKind
from tallyd.core.alerts.daemon_alerts import OUT
from tallyd.core.alerts.incident_view import (
    IncidentView,
    incident_json,
    incident_panel,
    incident_table,
)
from tallyd.core.alerts.incidents import Incident, IncidentNotice
from tallyd.core.alerts.notices import AlertPolicy, News
from tallyd.core.alerts.run_alerts import FAILED
from tallyd.core.alerts.values import Age
from tallyd.core.naming import problem_key
from tallyd.core.states import State

BEGAN = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = BEGAN + 100 * HOUR
STALE = AlertKind(
    key="<poller>/<target>/stale",
    severity="warning",
    text="{target}: data {age} old.[ Mute: {mute}]",
    over="{target}: fresh",
    ends="newer data",
    short="stale",
    many="targets stale",
    subject="target",
)
INCIDENT = Incident(
    key="apps/main/stale",
    severity="warning",
    text=STALE.text,
    over=STALE.over,
    fields={"age": Age(BEGAN - HOUR), "target": "Main server"},
    since=BEGAN,
    raised_at=BEGAN + HOUR / 60,
    severities=((BEGAN + HOUR / 60, "warning"),),
    ended_at=BEGAN + 2 * HOUR,
)


def view_of(incident: Incident, kind: AlertKind | None = STALE) -> IncidentView:
    policy = AlertPolicy(zone=ZoneInfo("Europe/Berlin"))
    return IncidentView(incident, policy, kind, NOW)


def test_ages_in_its_text_end_with_the_incident_and_nobody_is_advised_to_mute_it() -> None:
    assert view_of(INCIDENT).text == "Main server: data 3 h old."
    assert view_of(replace(INCIDENT, ended_at=None)).text == "Main server: data 4 d 5 h old."


@pytest.mark.parametrize(
    ("key", "kind", "expected"),
    [
        pytest.param("apps/main/stale", STALE, ("Main server", "stale"), id="a-label"),
        pytest.param("apps/other/stale", None, ("other", "stale"), id="a-kind-that-is-gone"),
        pytest.param("divera/count/failed", FAILED, ("", FAILED.short), id="a-job-says-nothing"),
        pytest.param("tallyd/out", OUT, ("", OUT.short), id="tallyd-itself"),
        pytest.param("tallyd/past", None, ("", "past"), id="tallyd-of-another-version"),
        pytest.param(problem_key("apps", "a / b", "odd"), None, ("a / b", "odd"), id="an-escaped-key"),
    ],
)
def test_it_has_a_subject_and_a_few_words(
    key: str, kind: AlertKind | None, expected: tuple[str, str]
) -> None:
    view = view_of(replace(INCIDENT, key=key), kind)
    assert (view.subject, view.problem) == expected


def notice(channel: str, news: News, hours: float) -> IncidentNotice:
    return IncidentNotice(channel, news, BEGAN + hours * HOUR)


@pytest.mark.parametrize(
    ("notices", "expected"),
    [
        pytest.param((), "nobody", id="nobody"),
        pytest.param(
            (notice("ops", "begins", 0), notice("phone", "begins", 0.5), notice("ops", "over", 2)),
            "ops (began 08:00, ended 10:00) and phone (began 08:30)",
            id="two-channels",
        ),
        pytest.param(
            (notice("ops", "begins", 0), notice("ops", "reminder", 24), notice("ops", "unwatched", 25)),
            "ops (began 08:00, reminded Sat 08:00, no longer watched Sat 09:00)",
            id="another-day",
        ),
    ],
)
def test_it_says_who_was_notified_of_what(notices: tuple[IncidentNotice, ...], expected: str) -> None:
    assert view_of(replace(INCIDENT, notices=notices)).notified == expected


@pytest.mark.parametrize(("by", "expected"), [(None, ""), ("", "not known"), ("ada", "ada")])
def test_it_says_who_muted_it(by: str | None, expected: str) -> None:
    assert view_of(replace(INCIDENT, muted_by=by)).muted_by == expected


def test_an_incident_that_is_open_has_lasted_until_now_and_one_that_ended_before_it_began_no_time() -> None:
    assert view_of(INCIDENT).lasted_s == 7200
    assert view_of(replace(INCIDENT, ended_at=None)).lasted_s == 360_000
    assert view_of(replace(INCIDENT, ended_at=BEGAN - HOUR)).lasted_s == 0


def test_the_table_and_json_hold_the_same() -> None:
    worked_on = Acknowledgement(at=BEGAN + HOUR, by="anna", why="cable", version=2)
    view = view_of(
        replace(INCIDENT, muted_by="ada", acknowledged=worked_on, notices=(notice("ops", "begins", 0),))
    )
    table, content = incident_table([view], nothing=""), incident_json(view)
    cells = {column.key: cell for column, cell in zip(table.columns, table.rows[0], strict=True)}
    assert cells.pop("severity") == State("warning", "warning")
    assert cells.pop("notified") == "ops (began 08:00)"
    assert cells.pop("began") == BEGAN
    assert cells.pop("acknowledged") == "by anna 09:00 (cable)"
    assert cells.pop("ended") == INCIDENT.ended_at
    assert cells == {key: content[key] for key in cells}
    assert content == {
        "key": "apps/main/stale",
        "severity": "warning",
        "text": "Main server: data 3 h old.",
        "since": "2026-11-20T08:00:00+01:00",
        "poller": "apps",
        "subject": "Main server",
        "problem": "stale",
        "raised_at": "2026-11-20T08:01:00+01:00",
        "ended_at": "2026-11-20T10:00:00+01:00",
        "lasted_s": 7200.0,
        "unwatched": False,
        "muted_by": "ada",
        "acknowledged": {"at": "2026-11-20T09:00:00+01:00", "by": "anna", "why": "cable"},
        "notices": [{"channel": "ops", "news": "begins", "at": "2026-11-20T08:00:00+01:00"}],
    }


def test_the_panel_of_a_poller_has_less_and_one_that_is_open_says_so() -> None:
    table = incident_panel([view_of(replace(INCIDENT, ended_at=None))], nothing="")
    assert [column.key for column in table.columns] == [
        "severity", "began", "lasted_s", "subject", "problem", "ended", "text",
    ]  # fmt: skip
    assert table.cells("ended") == ("open",)
