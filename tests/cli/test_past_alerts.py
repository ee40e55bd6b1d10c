"""`tallyd alerts --past`: what it prints, in every form, and how it ends."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from support.terminal import at_terminal
from tallyd.adapters.state import State
from tallyd.cli.app import app
from tallyd.cli.views.past_alerts import Wanted, past_alerts
from tallyd.config.active_file import write_active
from tallyd.config.load import load
from tallyd.core.alerts.incidents import IncidentId
from tallyd.core.alerts.notices import Notified
from tallyd.core.alerts.rules import Observations
from tallyd.core.alerts.run_alerts import Run, failed_for_good
from tallyd.core.reading import Problem

DAY = timedelta(days=1)
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - DAY
KEYS = ("divera/count/failed", "=cmd/odd/stale", "apps/東門/stale")
Said = Callable[[], tuple[str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config of one poller whose state.db has three incidents, one of them open, of four days."""
    path = tmp_path / "config.json"
    poller = {"kind": "divera", "accesskey": "canary-key-8f3a", "at": ["08:00"]}
    channels = {"ops": "json://ops.example/x"}
    path.write_text(json.dumps({"timezone": "UTC", "channels": channels, "pollers": {"divera": poller}}))
    (tmp_path / "state").mkdir()
    write_active(load(path, environ={}), restart="")
    with closing(State(tmp_path / "state" / "state.db")) as state:
        state.uptime.note({NOW - 3 * DAY: NOW})
        run = Run(poller="divera", job="count", due_at=NOW - 2 * DAY, now=NOW - 2 * DAY, next_at=None)
        look(state, NOW - 3 * DAY, stale(KEYS[1]))
        look(state, NOW - 2 * DAY, failed_for_good(run, "timed out", attempts=1))
        begun: IncidentId = (KEYS[0], NOW - 2 * DAY)
        state.notifications.mark({("ops", KEYS[0]): Notified(1, NOW)}, {(begun, "ops", "begins"): NOW - DAY})
        look(state, NOW - DAY, stale(KEYS[2]))
    return path


def stale(key: str) -> Problem:
    return Problem(key=key, text="old", over="", since=NOW - 3 * DAY, severity="warning")


def look(state: State, at: datetime, *named: Problem) -> None:
    state.alerts.evaluate(Observations(named=named, may_resolve=lambda _key: True, now=at))


def test_json_has_every_incident_of_the_last_thirty_days_the_last_first(config: Path, said: Said) -> None:
    assert past_alerts(config, Wanted(shape="json")) == 0
    out, err = said()
    found = json.loads(out)
    assert [each["key"] for each in found] == [KEYS[0], KEYS[2], KEYS[1]]
    assert [each["ended_at"] is None for each in found] == [False, True, False]
    assert [each["channel"] for each in found[0]["notices"]] == ["ops"]
    assert err.startswith("30 days, ")


def test_csv_is_for_a_spreadsheet_and_begins_no_formula(config: Path, said: Said) -> None:
    assert past_alerts(config, Wanted(shape="csv", start=f"{NOW - 9 * DAY:%Y-%m-%d}")) == 0
    out, err = said()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["key"] for row in rows] == [KEYS[0], KEYS[2], f"'{KEYS[1]}"]
    assert rows[0]["ended"] == f"{NOW - DAY:%Y-%m-%d %H:%M:%S}"
    assert (rows[0]["lasted (s)"], rows[0]["severity"], rows[1]["ended"]) == ("86400.0", "error", "open")
    assert err == ""


def test_for_excel_it_is_in_the_language_of_the_config_else_in_english(config: Path, said: Said) -> None:
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "language": "de"}))
    start = f"{NOW - 9 * DAY:%Y-%m-%d}"
    assert past_alerts(config, Wanted(shape="csv", start=start)) == 0
    assert said()[0].startswith("severity,began,")
    assert past_alerts(config, Wanted(excel=True, start=start)) == 0
    rows = list(csv.DictReader(io.StringIO(said()[0].removeprefix("\ufeff")), delimiter=";"))
    assert (rows[0]["Ende"], rows[1]["Ende"]) == (f"{NOW - DAY:%d.%m.%Y %H:%M:%S}", "offen")
    assert rows[0]["Dauer (s)"] == "86400,0"


def test_the_days_and_the_poller_are_chosen(config: Path, said: Said) -> None:
    day = f"{NOW - 2 * DAY:%Y-%m-%d}"

    def keys(**wanted: Any) -> list[str]:
        assert past_alerts(config, Wanted(shape="json", **wanted)) == 0
        return [each["key"] for each in json.loads(said()[0])]

    assert keys(start=day, end=day) == [KEYS[0], KEYS[2], KEYS[1]], "one ends on this day, one begins"
    assert keys(start=f"{NOW:%Y-%m-%d}") == [KEYS[2]]
    assert keys(poller="apps") == [KEYS[2]], "a poller that the config never had"
    assert keys(poller="divera") == [KEYS[0]]
    assert keys(poller="tallyd") == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(
            {"poller": "divera", "start": "2026-01-01"}, "of incidents on 2026-01-01", id="long-ago"
        ),
        pytest.param({"poller": "tallyd"}, "No incident of tallyd from ", id="none"),
    ],
)
def test_where_there_is_none_a_sentence_says_so(
    config: Path, said: Said, wanted: dict[str, Any], expected: str
) -> None:
    end = wanted.get("start", "")
    assert past_alerts(config, Wanted(**wanted, end=end)) == 0
    assert expected in said()[0]


def test_without_a_state_it_says_that_tallyd_has_not_run(config: Path, said: Said) -> None:
    (config.parent / "state" / "state.db").unlink()
    assert past_alerts(config, Wanted()) == 1
    assert "tallyd has not run with this config yet" in said()[1]


def test_while_the_config_is_rejected_the_stored_texts_are_shown(config: Path, said: Said) -> None:
    config.write_text("{")
    assert past_alerts(config, Wanted(shape="json")) == 0
    out, err = said()
    assert "showing the active config" in err
    assert [each["problem"] for each in json.loads(out)] == ["failed", "stale", "stale"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({"poller": "diverra"}, 'no poller "diverra"', id="no-such-poller"),
        pytest.param({"start": "yesterday"}, 'no day "yesterday"', id="no-such-day"),
        pytest.param({"start": "2026-11-20", "end": "2026-11-19"}, "is after the last", id="turned-round"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    config: Path, said: Said, wanted: dict[str, Any], expected: str
) -> None:
    with pytest.raises(typer.Exit) as ended:
        past_alerts(config, Wanted(**wanted))
    assert ended.value.exit_code == 2
    assert expected in said()[1]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param(
            ["--from", "2026-11-20", "--poller", "x"], "--from, --poller: only with --past", id="open"
        ),
        pytest.param(
            ["--past", "--json", "--format", "csv"], "--json is JSON; leave out --json or", id="both"
        ),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(
    config: Path, options: list[str], expected: str
) -> None:
    found = CliRunner().invoke(app, ["--config", str(config), "alerts", *options])
    assert found.exit_code == 2
    assert expected in found.output


def test_a_terminal_of_80_columns_shows_what_matters_and_says_what_is_left_out(config: Path) -> None:
    command = ("-m", "tallyd", "--config", str(config), "alerts", "--past")
    with at_terminal(*command, cwd=config.parent, columns=80) as terminal:
        terminal.status()
        shown = terminal.said
    headings = next(line for line in shown.splitlines() if line.startswith("severity"))
    assert headings.split()[:6] == ["severity", "began", "lasted", "poller", "subject", "problem"]
    assert "    text: divera: no reading for" in shown
    assert "    notified: ops (began " in shown
    assert "Left out, for lack of room: " in shown
    with at_terminal(*command, "--wide", cwd=config.parent, columns=80) as terminal:
        terminal.status()
        assert "Left out" not in terminal.said
