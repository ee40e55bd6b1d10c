"""What a config may say about a visitors poller, and what is wrong with what it may not."""

from __future__ import annotations

import json
from datetime import time
from typing import Any

import pytest
from pydantic import ValidationError

from tallyd.core.hours import Hours
from tallyd.core.timetable import EVERY_DAY
from tallyd.core.visits import TAGS
from tallyd.pollers.visitors.settings import VisitorsSettings

LEAST = {"kind": "visitors", "inbox": "inbox/visitors"}
REPORT = {"url": "https://upstream.example/report", "ssid": "SS-007"}


def read(**keys: Any) -> VisitorsSettings:
    return VisitorsSettings.model_validate_json(json.dumps({**LEAST, **keys}))


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
    assert found.report.tags == {**TAGS, "Count": "1"}


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        pytest.param({"sources": {"a/b": {}}}, "must be the name of a sub-folder", id="a slash"),
        pytest.param({"sources": {".tallyd": {}}}, "no dot in front", id="a dot in front"),
        pytest.param({"sources": {"x" * 201: {}}}, "is longer than 200 bytes", id="a long source"),
        pytest.param({"source": "a\nb"}, "no control character", id="a line break"),
        pytest.param({"directions": {"in": 1}}, "is the same as `in`", id="in is out"),
        pytest.param({"directions": {"in": "in"}}, "must be a number if `in` is one", id="text and number"),
        pytest.param({"time_format": "at noon"}, "is no form of a day and a time", id="no form"),
        pytest.param({"time_format": "%H:%M"}, "is no form of a day and a time", id="a time without its day"),
        pytest.param({"groups": {"g": []}}, "must name one source at least", id="an empty group"),
        pytest.param({"groups": {"g": ["1", "1"]}}, "names a source twice", id="a source twice"),
        pytest.param(
            {"sources": {"1": {}}, "groups": {"1": ["1"]}},
            "is the name of a source",
            id="a group as a source",
        ),
        pytest.param(
            {"report": {**REPORT, "ssid": {"1": "x"}}},
            "is neither one of `sources` nor",
            id="for nobody",
        ),
        pytest.param({"report": {**REPORT, "tags": {"Cuont": "1"}}}, "Count", id="a misspelt tag"),
        pytest.param(
            {"report": {**REPORT, "success": {"field": "Desc", "equals": []}}}, "at least 1", id="no yes"
        ),
        pytest.param({"report": {**REPORT, "every": "1s"}}, "greater than or equal to 10", id="each second"),
        pytest.param({"report": {**REPORT, "url": "ftp://x"}}, "must begin with https", id="no web address"),
        pytest.param({"max_bytes": 0}, "greater than or equal to 1", id="no bytes"),
        pytest.param({"sweep_every": "0.1s"}, "greater than or equal to 0.5", id="ten times a second"),
    ],
)
def test_what_is_wrong_is_said(keys: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        read(**keys)
