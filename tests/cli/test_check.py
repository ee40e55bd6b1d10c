"""`tallyd check`: what it says of a config that is fine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import time_machine

from tallyd.cli.config.check import check
from tallyd.cli.config.found import show_found
from tallyd.config.jobs import tasks_of
from tallyd.config.load import load
from tallyd.contract.poller import Found

PAGE = Path(__file__).parents[2] / "docs" / "calendars.md"


@time_machine.travel("2026-12-10T12:00:00+01:00", tick=False)
def test_days_off_are_shown_as_the_page_about_calendars_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, shown = re.findall(r"^```\w*\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)[:2]
    (tmp_path / "config.json").write_text(config)
    assert check(tmp_path / "config.json", online=False) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert shown.splitlines() == lines[lines.index("Next days off:") :][: len(shown.splitlines())]


@time_machine.travel("2026-12-11T12:00:00+01:00", tick=False)
def test_the_next_due_times_are_shown_the_soonest_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(_due_config()))
    assert check(tmp_path / "config.json", online=False) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    begin = lines.index(["Next", "due", "times", "(the", "first", "10", "of", "12):"])
    assert lines[begin + 2] == ["apps", "soon", "Sat", "2026-12-12", "06:00:00", "Europe/Berlin"]
    assert lines[begin + 3] == ["apps", "00", "Mon", "2026-12-14", "06:00:00", "Europe/Berlin"]
    assert lines[begin + 12][:2] != ["apps", "09"]


def _due_config() -> dict[str, object]:
    url = "http://127.0.0.1:9/version"
    targets = {f"{number:02}": {"url": url} for number in range(11)}
    targets["soon"] = {"url": url, "due": [{"by": "06:00"}]}  # type: ignore[dict-item] # JSON
    targets["not due"] = {"url": url, "due": []}  # type: ignore[dict-item] # JSON
    return {
        "timezone": "Europe/Berlin",
        "calendars": {"works": {"days": ["mon-fri"]}},
        "pollers": {
            "apps": {
                "kind": "servers",
                "defaults": {"due": [{"by": "06:00", "calendar": "works"}]},
                "targets": targets,
            }
        },
    }


@time_machine.travel("2026-12-11T12:00:00+01:00", tick=False)
def test_days_and_hours_that_never_come_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    never = {"from": "08:00", "to": "17:00", "calendar": "works", "days": ["sat"]}
    content = {
        "calendars": {"gone": {"closed": ["0001-01-01..9999-12-31"]}, "works": {"days": ["mon-fri"]}},
        "pollers": {
            "apps": {
                "kind": "servers",
                "targets": {
                    "A 1": {
                        "url": "http://127.0.0.1:9/",
                        "due": [{"by": "06:00", "calendar": "gone"}],
                        "active": [never],
                    },
                    "B": {"url": "http://127.0.0.1:9/", "due": [{"by": "06:00", "calendar": "works"}]},
                },
            },
            "park": {"kind": "visitors", "inbox": "in", "no_files": {"active": [never]}},
            "unit": {
                "kind": "divera",
                "accesskey": "abcdefgh1234",
                "at": ["08:00", "20:00"],
                "at_least": [
                    {"statuses": ["1"], "count": 1},
                    {"statuses": ["2"], "count": 1, "when": [{"from": "09:00", "to": "09:30"}]},
                ],
            },
        },
    }
    (tmp_path / "in").mkdir()
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert check(tmp_path / "config.json", online=False) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if "in the next 400 days" in line]
    hours = "these hours never begin in the next 400 days"
    assert notes == [
        "Note: calendars.gone: no day is open in the next 400 days",
        'Note: pollers.apps.targets."A 1".due: nothing is due in the next 400 days',
        f'Note: pollers.apps.targets."A 1".active: {hours}',
        f"Note: pollers.park.no_files.active: {hours}",
        "Note: pollers.unit.at_least[1].when: no slot of `at` lies in these hours in the next 400 days",
    ]


@pytest.mark.parametrize(("now", "is_noted"), [("2025-12-31", False), ("2026-01-01", True)])
def test_holidays_that_the_library_knows_only_for_this_year_are_noted(
    now: str, is_noted: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {
        "calendars": {"park": {"holidays": {"country": "LK"}}, "works": {"holidays": {"country": "DE"}}}
    }
    (tmp_path / "config.json").write_text(json.dumps(content))
    with time_machine.travel(f"{now}T12:00:00Z", tick=False):
        assert check(tmp_path / "config.json", online=False) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if "covers no year" in line]
    expected = (
        "Note: calendars.park.holidays: the installed library covers no year after 2026; "
        "add later holidays to `closed`, or upgrade"
    )
    assert notes == [expected] * is_noted


def test_only_a_count_that_is_hidden_is_called_hidden(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    poller = {"kind": "divera", "accesskey": "abcdefgh1234", "at": ["08:00"]}
    (tmp_path / "config.json").write_text(json.dumps({"pollers": {"unit": poller}}))
    config = load(tmp_path / "config.json", environ={})
    found = (Found("7", None, None), Found("vehicles", "this key may not see them", None, is_fine=False))
    assert not show_found(config, tasks_of(config)[0], found)
    _, hidden, unseen = capsys.readouterr().out.strip().splitlines()
    assert hidden.split() == ["7", "hidden"]
    assert unseen.split()[-1] == "them"
