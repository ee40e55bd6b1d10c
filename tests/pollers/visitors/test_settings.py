"""What a config may say about a visitors poller, and what is wrong with what it may not."""

from __future__ import annotations

import json
from datetime import time
from typing import Any

import pytest
from pydantic import ValidationError

from tallyd.core.schedule.hours import Hours
from tallyd.core.schedule.timetable import EVERY_DAY
from tallyd.pollers.visitors.poller import VisitorsPoller
from tallyd.pollers.visitors.settings import ReportSettings

LEAST = {"kind": "visitors", "inbox": "inbox/visitors"}
REPORT = {"url": "https://upstream.example/report", "ssid": "SS-007"}


def read(**keys: Any) -> VisitorsPoller:
    return VisitorsPoller.model_validate_json(json.dumps({**LEAST, **keys}))


def test_an_inbox_is_enough() -> None:
    found = read()
    assert (found.sweep_every, found.settle, found.pattern) == (2, 2, "*.json")
    assert (found.directions.way_in, found.directions.way_out) == (0, 1)
    assert found.max_bytes == 1 << 30
    assert (found.no_files, found.report) == (None, None)


def test_what_a_park_writes_is_taken() -> None:
    found = read(
        sources={"12": {"label": "Gate 12"}, "23": {}, "24": {}, "32": {}},
        groups={"zone five": ["23", "24", "32"]},
        no_files={"after": "5m", "active": [{"from": "09:00", "to": "18:00"}]},
        report={
            **REPORT,
            "ssid": {"12": "SS-1", "zone five": "SS-2"},
            "tags": {"Count": "1"},
            "success": {"field": "Desc", "equals": ["OK", "成功"]},
        },
    )
    assert found.no_files is not None
    assert [each.hours for each in found.no_files.active] == [Hours(EVERY_DAY, time(9), time(18))]
    assert found.report is not None
    assert found.report.tags.by_type == {"Count": "1", "CountAccuIn": "902", "CountAccuOut": "903"}


FAULTS = {
    "a slash": ({"sources": {"a/b": {}}}, "must be the name of a sub-folder"),
    "a dot in front": ({"sources": {".tallyd": {}}}, "a leading dot"),
    "a long source": ({"sources": {"x" * 201: {}}}, "is longer than 200 bytes"),
    "a line break": ({"source": "a\nb"}, "control characters"),
    "in is out": ({"directions": {"in": 1}}, "is the same as `in`"),
    "one field for both": ({"records": "intervals", "intervals": {"out": "in"}}, "is the same as `in`"),
    "no length": ({"records": "intervals", "intervals": {"start": "end"}}, "is the same as `start`"),
    "text and number": ({"directions": {"in": "in"}}, "must be a number if `in` is one"),
    "no form": ({"time_format": "at noon"}, "is not a format with a full date and time"),
    "a time without its day": ({"time_format": "%H:%M"}, "is not a format with a full date and time"),
    "an empty group": ({"groups": {"g": []}}, "must name at least one source"),
    "a source twice": ({"groups": {"g": ["1", "1"]}}, "names a source twice"),
    "a group as a source": ({"sources": {"1": {}}, "groups": {"1": ["1"]}}, "is the name of a source"),
    "for nobody": ({"report": {**REPORT, "ssid": {"1": "x"}}}, "is in neither `sources` nor"),
    "a misspelt tag": ({"report": {**REPORT, "tags": {"Cuont": "1"}}}, "tags.Cuont"),
    "an empty tag": ({"report": {**REPORT, "tags": {"Count": " "}}}, "must not be empty"),
    "no yes": (
        {"report": {**REPORT, "success": {"field": "Desc", "equals": []}}},
        "must name at least one text",
    ),
    "each second": ({"report": {"every": "1s"}}, 'must be "10s" to "1d"'),
    "every other day": ({"report": {"every": "2d"}}, 'must be "10s" to "1d"'),
    "for ever": ({"report": {"correct_within": "32d"}}, 'must be "1s" to "31d"'),
    "no ssid": ({"report": {"url": REPORT["url"]}}, "report.ssid\n  is missing; with a url"),
    "a number": ({"report": {"ssid": 7}}, "report.ssid\n  must be text, or an object"),
    "numbers": ({"report": {"ssid": {"1": 7}}}, "must be text, or an object"),
    "no source": ({"report": {"ssid": {}}}, "must name at least one source or group"),
    "an invisible ssid": ({"report": {"ssid": "\u202e"}}, "invisible character"),
    "a long ssid": ({"report": {"ssid": "x" * 101}}, "is longer than 100"),
    "an ssid twice": (
        {"sources": {"1": {}, "2": {}}, "report": {"ssid": {"1": "x", "2": "x"}}},
        "is already used for another one",
    ),
    "no form of a report": ({"report": {"time_format": "at noon"}}, "is not a format with a full date"),
    "a key over http": (
        {"report": {**REPORT, "url": "http://upstream.example/", "headers": {"X-Key": "s3cret"}}},
        "may be a secret, and would be sent unencrypted",
    ),
    "a space": ({"report": {"headers": {"X Key": "s3cret"}}}, "is not a header name"),
    "not ASCII": ({"report": {"headers": {"X-Key": "schlüssel"}}}, "use only ASCII"),
    "its own": ({"report": {"headers": {"content-Type": "text/plain"}}}, "by tallyd itself"),
    "twice": ({"report": {"headers": {"X-Key": "s3cret", "x-key": "s4cret"}}}, "occurs twice"),
    "true is no number": ({"directions": {"in": True}}, "must be a whole number, or text"),
    "an empty label": ({"sources": {"1": {"label": " "}}}, "must not be empty"),
    "no web address": ({"report": {**REPORT, "url": "ftp://x"}}, "must begin with https"),
    "no bytes": ({"max_bytes": 0}, "greater than or equal to 1"),
    "ten times a second": ({"sweep_every": "0.1s"}, 'must be "0.5s" to "1h"'),
}


@pytest.mark.parametrize(("keys", "fault"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_said(keys: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        read(**keys)


def test_no_message_shows_a_header() -> None:
    with pytest.raises(ValidationError) as caught:
        read(report={**REPORT, "url": "http://upstream.example/", "headers": {"X-Key": "canary-8f3a"}})
    assert "canary" not in str(caught.value)


def test_without_an_upstream_a_report_is_only_written() -> None:
    report = read(report={}).report
    assert report is not None
    assert (report.url, report.ssid, report.every, report.is_posted) == (None, None, 300, False)


@pytest.mark.parametrize(
    ("keys", "is_posted"),
    [
        pytest.param({}, True, id="with a url"),
        pytest.param({"send": False}, False, id="beside an old system"),
        pytest.param({"url": None}, False, id="an ssid alone"),
    ],
)
def test_it_is_posted_where_there_is_a_url_and_nobody_says_no(keys: dict[str, Any], is_posted: bool) -> None:
    report = read(report={**REPORT, **keys}).report
    assert report is not None
    assert report.is_posted is is_posted


@pytest.mark.parametrize(
    "url", ["http://localhost:8000/report", "http://127.0.0.1/report", "https://upstream.example/report"]
)
def test_headers_go_where_nobody_can_read_them(url: str) -> None:
    report = read(report={**REPORT, "url": url, "headers": {"X-Key": "s3cret"}}).report
    assert isinstance(report, ReportSettings)
    assert report.headers["X-Key"].reveal() == "s3cret"


@pytest.mark.parametrize(
    "form", ["%Y%m%d%H%M%S", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S%z"]
)
def test_times_may_have_many_forms(form: str) -> None:
    report = read(report={"time_format": form}).report
    assert report is not None
    assert report.time_format == form


@pytest.mark.parametrize(
    ("report", "count"),
    [
        pytest.param(None, 0, id="no report"),
        pytest.param({}, 0, id="no upstream"),
        pytest.param(REPORT, 1, id="any 2xx is a yes"),
        pytest.param({**REPORT, "success": {"field": "Desc", "equals": ["OK"]}}, 0, id="it says how"),
    ],
)
def test_an_upstream_whose_yes_is_not_known_is_worth_a_note(
    report: dict[str, Any] | None, count: int
) -> None:
    notes = read(report=report).notes({})
    assert len(notes) == count
    assert all(note.startswith("report.success: is missing") and "HTTP 200" in note for note in notes)


@pytest.mark.parametrize(
    ("keys", "jobs", "duties"),
    [
        ({"inbox": "inbox"}, ["sweep"], {"inbox"}),
        ({"inbox": "inbox", "report": {}}, ["sweep", "report"], {"inbox", "report"}),
        ({"report": {}}, ["watch", "report"], {"watch", "report"}),
        ({}, ["watch"], {"watch"}),
    ],
    ids=["a collector", "all on one machine", "a centre", "a centre without a report"],
)
def test_a_poller_ingests_reports_or_does_both(
    keys: dict[str, Any], jobs: list[str], duties: set[str]
) -> None:
    poller = VisitorsPoller.model_validate({"kind": "visitors", **keys}, context={"base": "/"})
    assert [job.name for job in poller.jobs()] == jobs
    assert poller.duties == duties
    assert (poller.inbox_needed("park") is None) is ("inbox" not in keys)
    notes = [note for note in poller.notes({}) if note.startswith("inbox: is missing")]
    assert len(notes) == ("inbox" not in keys), "it may have been forgotten"


@pytest.mark.parametrize(
    ("key", "value"),
    [("settle", "5s"), ("source", "12"), ("pattern", "*.txt"), ("records", "intervals"), ("after", "delete")],
)
def test_a_centre_has_no_keys_of_an_inbox(key: str, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        VisitorsPoller.model_validate({"kind": "visitors", key: value})
    (problem,) = caught.value.errors()
    assert (problem["loc"], problem["msg"]) == ((key,), "is not used without `inbox`")
