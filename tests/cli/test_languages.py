"""Commands speak the language of the config; JSON is the same in every language."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import time_machine

from support.past import Past, write_config
from tallyd.adapters.locks import FileLock
from tallyd.cli.config.check import check
from tallyd.cli.shared import find_state
from tallyd.cli.views.alerts import alerts
from tallyd.cli.views.report import report
from tallyd.cli.views.status import status
from tallyd.config.active_file import write_active
from tallyd.config.load import load
from tallyd.core.language.languages import Language, language
from tallyd.reporting.chapters import Wanted

NOW = "2026-11-25T12:00:00+01:00"


def speaking(folder: Path, wanted: Language) -> Path:
    """Return a config in that language, with which a daemon ran once."""
    path = write_config(folder)
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "language": wanted}), "utf-8")
    Past(folder).taken("2026-11-19T08:00:00", {"50101": 12})
    return path


@pytest.mark.parametrize(
    ("wanted", "day", "job"),
    [
        pytest.param("en", r"Wed 2026-11-25 20:00:00", "count ", id="English"),
        pytest.param("de", r"Mi 25\.11\.2026 20:00:00", "Zählung ", id="German"),
        pytest.param("zh-TW", r"2026/11/25", "計數", id="Chinese"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_check_writes_the_next_runs_in_the_language_of_the_config(
    wanted: Language, day: str, job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(speaking(tmp_path, wanted), online=False) == 0
    shown = capsys.readouterr().out
    assert re.search(day, shown)
    assert job in shown
    assert language() == "en", "the next command in this process begins in English"


@time_machine.travel(NOW, tick=False)
def test_a_report_says_its_days_in_the_language_of_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(speaking(tmp_path, "de"), Wanted(options={})) == 0
    assert re.search(r"27\.10\.2026.*25\.11\.2026", capsys.readouterr().err)


@time_machine.travel(NOW, tick=False)
def test_a_csv_is_english_unless_it_is_for_excel(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = speaking(tmp_path, "de")
    assert report(path, Wanted(shape="csv", options={})) == 0
    assert b"2026-11-19,08:00,Thu" in capsysbinary.readouterr().out
    assert report(path, Wanted(excel=True, options={})) == 0
    assert b"19.11.2026;08:00;Do" in capsysbinary.readouterr().out


@time_machine.travel(NOW, tick=False)
def test_json_is_english_whatever_the_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for wanted in ("en", "de", "zh-TW"):
        folder = tmp_path / wanted
        folder.mkdir()
        path = speaking(folder, wanted)
        write_active(load(path, environ={}), restart="start it again")
        assert report(path, Wanted(shape="json", options={})) == 0
        assert alerts(path, most=10, as_json=True) == 0
        shown.append(capsys.readouterr().out.replace(str(folder), "FOLDER"))
    assert shown[0] == shown[1] == shown[2]


def test_while_the_config_is_broken_its_last_language_is_kept(tmp_path: Path) -> None:
    path = speaking(tmp_path, "zh-TW")
    write_active(load(path, environ={}), restart="start it again")
    path.write_text("{")
    assert find_state(path).language == "zh-TW"


def test_a_language_that_is_changed_needs_no_restart(tmp_path: Path) -> None:
    path = speaking(tmp_path, "de")
    write_active(load(path, environ={}), restart="start it again")
    path.write_text(path.read_text("utf-8").replace('"de"', '"en"'), "utf-8")
    with FileLock(tmp_path / "state" / "lock").take():
        found = find_state(path)
        assert (found.language, found.trouble) == ("en", None)
        assert status(path, as_json=False) == 1, "no daemon has noted its config"
