"""A report can say what `tallyd report` can, in the same words."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.gates import Gates
from support.past import BERLIN, Past
from tallyd.config.load import load
from tallyd.core.panels import Board
from tallyd.core.reading import Json
from tallyd.presentation.boards import Chapter
from tallyd.reporting.summary import Summary, message_of

DIVERA: dict[str, Json] = {
    "kind": "divera",
    "accesskey": "invented-key",
    "at": ["08:00"],
    "at_least": [{"statuses": ["50101"], "count": 6}],
}


@pytest.mark.parametrize(
    ("keys", "words", "kind"),
    [
        pytest.param(
            {"group": "zone five"}, ["--group", "zone five", "--format", "csv"], "visitors", id="group"
        ),
        pytest.param(
            {"source": "23", "by": "week"},
            ["--source", "23", "--by", "week", "--excel"],
            "visitors",
            id="source",
        ),
        pytest.param({"fulfilment": True}, ["--fulfilment", "--format", "csv"], "divera", id="fulfilment"),
        pytest.param(
            {"table": "requirements", "pollers": ["divera"]},
            ["--poller", "divera", "--table", "requirements", "--format", "csv"],
            "divera",
            id="table",
        ),
    ],
)
def test_the_file_of_a_report_is_what_the_command_prints(
    tmp_path: Path, keys: dict[str, Any], words: list[str], kind: str
) -> None:
    day = datetime.now(UTC) - timedelta(days=1)
    report = {
        "at": "07:00",
        "period": "yesterday",
        "format": "csv",
        "excel": "--excel" in words,
        "dir": "made",
    }
    gates = Gates(
        tmp_path,
        top={"language": "de", "reports": {"daily": report | keys}},
        groups={"zone five": ["12"]},
    )
    config = json.loads(gates.config.read_text())
    config["pollers"]["divera"] = DIVERA
    gates.config.write_text(json.dumps(config))
    Past(tmp_path).taken(f"{day:%Y-%m-%d}T08:00:00+00:00", {"50101": 5})
    gates.drop("12", "in", "in", at=day)
    gates.drop("23", "in", at=day)
    assert gates.tallyd("once", "visitors").returncode == 0
    done = gates.tallyd("once", "report.daily")
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "made").iterdir()
    assert file.name == f"daily_{day:%Y-%m-%d}_{kind}.csv"
    printed = gates.tallyd("report", "--from", f"{day:%Y-%m-%d}", "--to", f"{day:%Y-%m-%d}", *words)
    assert file.read_text("utf-8") == printed.stdout


def test_the_link_of_a_report_leads_to_what_it_is_of(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"web": {"listen": "127.0.0.1:1", "public_url": "https://tallyd.example"}}))
    day = date(2026, 11, 20)
    chapter = Chapter(poller="park", kind="visitors", zone=BERLIN, first=day, last=day, board=Board())
    asked = {"by": "day", "group": "zone five"}
    summary = Summary(name="weekly", chapters=(chapter,), own=(), options=asked)
    assert message_of(load(path, environ={}), summary).link == (
        "https://tallyd.example/poller/park?from=2026-11-20&to=2026-11-20&by=day&group=zone+five"
    )
