"""`tallyd once` on a terminal, and how the summaries of several rounds become one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.apps import app, version
from support.divera_server import divera_server
from support.gates import Gates
from support.rawserver import Connection, serving
from support.terminal import at_terminal
from tallyd.cli.actions.once import MOST_LISTED, together
from tallyd.core.reading import Facts


def shown(folder: Path, *arguments: str) -> str:
    """Return what a terminal shows."""
    with at_terminal("-m", "tallyd", "once", *arguments, cwd=folder, columns=150) as terminal:
        terminal.status()
        return terminal.said.replace("\r", "")


def test_visitors_are_shown_by_source_and_rejected_files_with_their_reason(tmp_path: Path) -> None:
    gates = Gates(tmp_path, groups={"north": ["12"]})
    gates.drop("12", "in", "in", "out")
    gates.write("23", b'[{"ID": true}]', name="bad.json")
    text = shown(tmp_path, "visitors")
    for line in (
        r"Files ingested +1",
        r"Files rejected +1",
        r"Records +3",
        r"Rejected files",
        r'23 +23/bad\.json +record 1: "ID" is not a whole number .*',
        r"\d{4}-\d\d-\d\d",
        r"Inside +1",
        r"12 +Gate 12 +2 +1 +1 +0",
        r"north +2 +1 +1 +0",
        r"report: off",
    ):
        assert re.search(f"^{line}$", text, re.M), line


def test_targets_are_shown_in_the_order_of_their_state_with_how_old_their_data_is(tmp_path: Path) -> None:
    minutes = {"/FINE": 1, "/OLD": 20}

    def page(connection: Connection, path: str) -> None:
        if path in minutes:
            connection.send(version(datetime.now(UTC) - timedelta(minutes=minutes[path])))
        else:
            connection.reset()

    with serving(app(page)) as server:
        targets = {name: {"url": f"{server.url}/{name}"} for name in ("FINE", "OLD", "GONE")}
        config = {"timezone": "UTC", "pollers": {"apps": {"kind": "servers", "targets": targets}}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        text = shown(tmp_path, "apps", "--dry-run")
    assert re.findall(r"^(FINE|OLD|GONE) +(\w+) +(not known|\d+ min)", text, re.M) == [
        ("GONE", "unreachable", "not known"),
        ("OLD", "stale", "20 min"),
        ("FINE", "fresh", "1 min"),
    ]
    assert re.search("^OLD: data 20 min", text, re.M)
    assert re.search("^Unreachable +1$", text, re.M)
    assert "dry run: nothing was written" in text


def test_what_is_stored_is_english_whatever_the_language_of_the_terminal(tmp_path: Path) -> None:
    def page(connection: Connection, path: str) -> None:
        del path
        connection.send(version(datetime.now(UTC) - timedelta(minutes=20, seconds=30)))

    with serving(app(page)) as server:
        targets = {"OLD": {"url": f"{server.url}/OLD"}}
        pollers = {"apps": {"kind": "servers", "targets": targets}}
        config = {"timezone": "UTC", "language": "de", "pollers": pollers}
        (tmp_path / "config.json").write_text(json.dumps(config))
        text = shown(tmp_path, "apps")
    (file, *_) = (tmp_path / "out" / "apps").rglob("*.json")
    content = json.loads(file.read_text("utf-8"))
    assert [re.search(r"20 min \d+ s", problem["text"]) is None for problem in content["problems"]] == [False]
    assert re.search(r"20 Min\. \d+ Sek", text)


def test_people_are_shown_by_status_and_a_hidden_count_is_said_to_be_hidden(tmp_path: Path) -> None:
    with divera_server() as server:
        poller = {"kind": "divera", "accesskey": "canary-key-8f3a", "at": ["08:00"], "hide_below": 3}
        client = server.client("unit")
        config = {"timezone": "UTC", "pollers": {"unit": {**poller, "url": client.url}}}
        (tmp_path / "config.json").write_text(json.dumps(config))
        text = shown(tmp_path, "unit", "--dry-run")
    assert re.search(r"^Total +hidden$", text, re.M)
    assert "Numbers below 3 are hidden" in text
    assert "canary" not in text


@pytest.mark.parametrize(
    ("summaries", "total"),
    [
        pytest.param([{"records": 3}], {"records": 3}, id="one"),
        pytest.param([{"records": 3}, {"records": 4}], {"records": 7}, id="numbers-are-added"),
        pytest.param(
            [{"files": {"done": 3, "waiting": 5}}, {"files": {"done": 1, "waiting": 2}}],
            {"files": {"done": 4, "waiting": 2}},
            id="of-what-waits-the-last-number-counts",
        ),
        pytest.param([{"trouble": "x"}, {"trouble": None}], {"trouble": None}, id="of-texts-the-last-one"),
        pytest.param(
            [{"refused": ["a"] * 15}, {"refused": ["b"] * 15}],
            {"refused": [*["a"] * 15, *["b"] * (MOST_LISTED - 15)]},
            id="lists-are-joined-up-to-a-limit",
        ),
    ],
)
def test_summaries_of_several_rounds_become_one(summaries: Sequence[Facts], total: Facts) -> None:
    assert together(summaries) == total
