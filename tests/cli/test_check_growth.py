"""What `tallyd check` says about how much a config will write in a year."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tallyd.cli.config.check import check

DIVERA = {"kind": "divera", "accesskey": "k3y-of-this-test"}
PARK: dict[str, Any] = {"kind": "visitors", "inbox": "inbox", "sources": {"12": {}, "23": {}}}
REPORT = {"url": "http://127.0.0.1:9/", "ssid": "SS-007"}
APPS: dict[str, Any] = {"kind": "servers", "targets": {"A": {"url": "http://127.0.0.1:9/"}}}


def hundred_targets() -> dict[str, Any]:
    return {f"server {number}": {"url": "http://127.0.0.1:9/"} for number in range(100)}


@pytest.mark.parametrize(
    ("poller", "row"),
    [
        pytest.param({**DIVERA, "at": ["08:00"]}, "365 1.5 MB 438 kB for ever", id="one count a day"),
        pytest.param(
            {**DIVERA, "at": ["08:00", "20:00"], "days": ["mon", "tue"]},
            "209 854 kB 250 kB for ever",
            id="two counts on two days of the week",
        ),
        pytest.param(
            {**DIVERA, "at": ["08:00"], "out": {"keep_days": 30}},
            "365 1.5 MB 438 kB 30 d",
            id="kept for a while",
        ),
        pytest.param(PARK, "0 0 B 0 B 400 d 97 MB", id="visitors without a report"),
        pytest.param({**PARK, "report": REPORT}, "105,120 431 MB 174 MB 400 d 97 MB", id="with a report"),
        pytest.param(APPS, "35,040 144 MB 50 MB 90 d 569 kB", id="one target"),
        pytest.param(
            {**APPS, "targets": hundred_targets(), "write_every": "1h"},
            "8,760 215 MB 203 MB 90 d 57 MB",
            id="a hundred targets with a file an hour",
        ),
    ],
)
def test_the_growth_of_each_poller_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], poller: dict[str, Any], row: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"timezone": "UTC", "pollers": {"own": poller}}))
    assert check(path, online=False) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    begin = lines.index("Expected growth in a year:")
    assert lines[begin + 1 : begin + 3] == [
        "poller out files out/ state.db kept database, at most",
        f"own {row}",
    ]


def test_without_a_poller_nothing_grows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text('{"timezone": "UTC", "pollers": {}}')
    assert check(tmp_path / "config.json", online=False) == 0
    assert "growth" not in capsys.readouterr().out
