"""`tallyd correct`: how many are inside, as a person counted them."""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

from support.gates import Gates
from tallyd.cli.actions.correct import correct

PAGE = Path(__file__).parents[2] / "docs" / "visitors.md"
NOW = datetime(2026, 11, 20, 11, 0, 30, tzinfo=UTC)


@pytest.fixture
def gates(tmp_path: Path) -> Gates:
    """A park where three came and one left by gate 12."""
    gates = Gates(tmp_path, groups={"both": ["12", "23"]})
    gates.drop("12", "in", "in", "in", "out", at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC))
    gates.drop("back door", "in", at=datetime(2026, 11, 19, 8, 30, tzinfo=UTC))
    with time_machine.travel(NOW, tick=False):
        assert gates.tallyd("once", "visitors", "--job", "sweep").returncode == 0
    return gates


def corrected(gates: Gates, source: str, *, at: str = "", why: str = "counted", inside: int = 7) -> int:
    with time_machine.travel(NOW, tick=False):
        return correct(gates.config, "visitors", source, inside=inside, at=at, why=why)


def test_it_says_by_how_much_the_counts_were_off_as_the_page_shows(
    gates: Gates, capsys: pytest.CaptureFixture[str]
) -> None:
    command, said = re.findall(r"^\$ (tallyd correct .*)\n(.*)$", PAGE.read_text("utf-8"), re.MULTILINE)[0]
    words = shlex.split(command)
    options = dict(zip(words[4::2], words[5::2], strict=True))
    source, inside = words[3], int(options["--inside"])
    assert corrected(gates, source, inside=inside, at=options["--at"], why=options["--why"]) == 0
    assert " ".join(capsys.readouterr().out.split()) == said


def test_reports_have_it(gates: Gates) -> None:
    assert corrected(gates, "12") == 0
    asked = ("--from", "2026-11-20", "--to", "2026-11-20", "--format", "json")
    done = gates.tallyd("report", "--poller", "visitors", *asked)
    assert done.returncode == 0, done.stderr
    assert '"corrections": 5' in json.dumps(json.loads(done.stdout))
    listed = gates.tallyd("report", "--poller", "visitors", *asked[:4], "--table", "corrections")
    assert "counted" in listed.stdout


@pytest.mark.parametrize(
    ("source", "keys", "complaint"),
    [
        pytest.param("13", {}, 'no source "13"', id="no such source"),
        pytest.param("12", {"at": "12:00"}, "--at 12:00 is in the future", id="the future"),
        pytest.param("both", {}, "both is a group; correct one of its sources: 12, 23", id="a group"),
        pytest.param("Gate 12", {}, "is the label of a source; write its name: 12", id="a label"),
        pytest.param("12", {"at": "noon"}, "--at noon is not a time of today, HH:MM", id="no time"),
        pytest.param("12", {"at": "9:00"}, "--at 9:00 is not a time of today, HH:MM", id="no time of day"),
        pytest.param("12", {"at": "0001-01-01T00:00"}, "--at 0001-01-01T00:00 is not", id="the first day"),
        pytest.param("12", {"at": "9999-12-31T23:59-10:00"}, "is not a time of today", id="the last day"),
        pytest.param("12", {"why": " "}, "--why must be one line", id="no reason"),
        pytest.param("12", {"why": "a\nb"}, "--why must be one line", id="two lines"),
    ],
)
def test_what_cannot_be_is_rejected_and_nothing_is_stored(
    gates: Gates, capsys: pytest.CaptureFixture[str], source: str, keys: dict[str, str], complaint: str
) -> None:
    assert corrected(gates, source, **keys) == 2  # type: ignore[arg-type] # texts
    assert complaint in " ".join(capsys.readouterr().err.split())
    done = gates.tallyd("report", "--poller", "visitors", "--from", "2026-11-20", "--format", "json")
    assert 'corrections"' not in done.stdout


def test_a_source_that_was_counted_lately_is_corrected_before_its_first_file_of_the_day(gates: Gates) -> None:
    assert corrected(gates, "back door") == 0


def test_before_the_first_run_it_says_to_start_the_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gates = Gates(tmp_path)
    assert corrected(gates, "12") == 1
    assert "tallyd has not run with" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_a_kind_that_counts_nobody_inside_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    poller = {"kind": "servers", "targets": {"PROD": {"url": "http://127.0.0.1:9/"}}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"pollers": {"apps": poller}}))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.db").touch()
    assert correct(path, "apps", "PROD", inside=1, at="", why="counted") == 2
    assert "apps counts nobody who is inside" in capsys.readouterr().err
