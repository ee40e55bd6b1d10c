"""`tallyd report` of servers: how much of the time each was within its limit, from the database."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from tallyd.adapters.records.database import Database
from tallyd.cli.report_asked import Asked
from tallyd.cli.report_servers import AllLags, lags
from tallyd.config.model import Config, load
from tallyd.contract.lags import HourCount
from tallyd.core.errors import RecordsError
from tallyd.core.periods import By

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
POLLER = {"kind": "servers", "targets": {"PROD": {"url": "https://app.example/version"}}}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"timezone": "Europe/Berlin", "pollers": {"apps": POLLER}}))
    return load(path, environ={})


@pytest.fixture
def filled(config: Config) -> Config:
    config.state_dir.mkdir()
    database = Database(config.database_url)
    database.prepare()
    hours = {
        ("2026-10-01 08:00:00", "PROD"): HourCount(60, 60, 0, 61.0),
        ("2026-11-19 08:00:00", "PROD"): HourCount(60, 60, 0, 61.5),
        ("2026-11-20 08:00:00", "PROD"): HourCount(60, 30, 15, 4000.04),
        ("2026-11-20 08:00:00", "=1+1"): HourCount(60, 0, 0, None),
    }
    database.records("apps").note_checks([], hours)
    database.close()
    return config


def asked(config: Config, by: By | None = None, **options: Any) -> AllLags:
    given = {"start": None, "end": None, "poller": None, "source": None, "group": None, "now": NOW}
    return lags(config, ("apps",), Asked(by=by, **{**given, **options}))


def test_thirty_days_are_a_row_for_each_target_least_within_its_limit_first(
    filled: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(filled).show()
    assert capsys.readouterr().out == (
        "apps, 2026-10-22 to 2026-11-20 (Europe/Berlin)\n"
        "target  checks  within limit   fresh  largest lag\n"
        "=1+1        60         0.00%   0.00%            -\n"
        "PROD       120        87.50%  75.00%    1 h 6 min\n"
    )


def test_by_the_hour_it_is_today(filled: Config) -> None:
    (content,) = cast("Any", asked(filled, "hour").as_json())
    assert content == {
        "poller": "apps",
        "kind": "servers",
        "zone": "Europe/Berlin",
        "from": "2026-11-20",
        "to": "2026-11-20",
        "by": "hour",
        "buckets": [
            {"target": "=1+1", "date": "2026-11-20", "hour": "09:00", "weekday": "Fri", "checks": 60}
            | {
                "within_limit": 0,
                "within_limit_share": 0.0,
                "fresh": 0,
                "fresh_share": 0.0,
                "lag_s_max": None,
            },
            {"target": "PROD", "date": "2026-11-20", "hour": "09:00", "weekday": "Fri", "checks": 60}
            | {
                "within_limit": 45,
                "within_limit_share": 0.75,
                "fresh": 30,
                "fresh_share": 0.5,
                "lag_s_max": 4000.0,
            },
        ],
    }


def test_csv_has_a_column_for_each_and_no_formula(filled: Config) -> None:
    text = asked(filled, "month", start=date(2026, 10, 1)).as_csv(excel=False, name_pollers=True)
    assert text == (
        "poller,target,month,checks,within_limit,within_limit_share,fresh,fresh_share,lag_s_max\r\n"
        "apps,'=1+1,2026-11,60,0,0.0,0,0.0,\r\n"
        "apps,PROD,2026-10,60,60,1.0,60,1.0,61.0\r\n"
        "apps,PROD,2026-11,120,105,0.875,90,0.75,4000.0\r\n"
    )


def test_days_without_a_check_say_so(filled: Config, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked(filled, end=date(2025, 1, 1))
    found.show()
    assert capsys.readouterr().out == "apps, 2024-12-03 to 2025-01-01 (Europe/Berlin): no checks\n"
    assert found.pollers == ("apps",)


def test_where_nothing_was_ever_checked_that_is_said_and_nothing_made(config: Config) -> None:
    with pytest.raises(RecordsError, match="nothing was checked yet"):
        asked(config)
    assert not config.state_dir.exists()
