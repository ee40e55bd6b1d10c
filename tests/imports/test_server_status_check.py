"""The config of server-status-check becomes a poller, its differences the hours and changes of servers."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.records.servers import ESCAPED, PASSWORD, Server
from tallyd.adapters.records.database import Database
from tallyd.cli.actions.imports import Wanted, bring_data, print_config
from tallyd.config.load import load
from tallyd.contract.lags import HourCount, LagRow

Said = Callable[[], tuple[str, str]]
PROGRAM = "server-status-check"
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
OldRow = tuple[str, datetime, datetime, float]
TARGETS = {"PROD": {"url": "http://127.0.0.1:5000/version", "stale_after": "10m"}}


def checked(begin: str, minutes: int, server: str = "PROD", *, stops_at: int = 10**9) -> Iterator[OldRow]:
    """Yield what the old program stored: a check a minute. The server computes each five, until it stops."""
    first = datetime.fromisoformat(begin)
    for minute in range(minutes):
        at = first + timedelta(minutes=minute)
        computed = first + timedelta(minutes=min(minute, stops_at) // 5 * 5)
        yield server, at, computed, (at - computed).total_seconds()


ROWS: Sequence[OldRow] = tuple(checked("2026-11-17T23:00", 120, stops_at=60))
"""Two hours over midnight in Berlin. From 00:00 on, the server computes nothing more."""


def configured(folder: Path, **poller: Any) -> Path:
    path = folder / "config.json"
    settings = {"kind": "servers", "every": "60s", "targets": TARGETS, **poller}
    path.write_text(json.dumps({"timezone": "Europe/Berlin", "pollers": {"apps": settings}}))
    return path


def imported(path: Path, old: Path | str, *, dry_run: bool = False, table: str = "") -> int:
    return bring_data(path, Wanted(program=PROGRAM, old=str(old), dry_run=dry_run, table=table))


def stored(path: Path) -> tuple[dict[str, HourCount], tuple[LagRow, ...]]:
    with closing(Database(load(path, environ={}).database_url)) as database:
        if not database.has_tables():
            return {}, ()
        records = database.records("apps")
        lags = records.server_lags(("PROD", "TEST"), *EVER, most=100_000)
        return dict(records.server_sums(*EVER)), lags


def write_csv(file: Path, rows: Sequence[Sequence[object]], *columns: str) -> Path:
    with file.open("w", newline="") as output:
        csv.writer(output).writerows([columns, *rows])
    return file


def full(file: Path, rows: Sequence[OldRow]) -> Path:
    return write_csv(file, rows, "server", "timestamp", "computed_time", "time_difference")


def test_differences_become_hours_and_changes(tmp_path: Path, said: Said) -> None:
    path = configured(tmp_path)
    assert imported(path, full(tmp_path / "old.csv", ROWS)) == 0
    assert said()[0] == "apps: imported: 120 checks, 2026-11-17 to 2026-11-17"
    sums, lags = stored(path)
    # Late above five minutes: from 00:06 on; stale above ten: until the last check, at 00:59.
    assert sums == {"PROD": HourCount(120, 3540.0, fresh_s=3960.0, late_s=300.0, stale_s=2880.0)}
    assert sum(row.advanced_s == 300.0 for row in lags) == 12
    assert [row.state for row in lags][-3:] == ["fresh", "late", "stale"]
    assert lags[-1] == LagRow("PROD", "2026-11-17 23:11:00", "2026-11-17 23:00:00.000", 660.0, "stale", None)


@pytest.mark.parametrize(
    ("columns", "of"),
    [
        pytest.param(("name", "time", "diff"), lambda row: (row[0], row[1], row[3]), id="seconds"),
        pytest.param(
            ("Server_Name", "created_at", "time_diff"),
            lambda row: (row[0], row[1], timedelta(seconds=row[3])),
            id="hours and minutes",
        ),
        pytest.param(
            ("url", "date", "computed"),
            lambda row: ("http://127.0.0.1:5000/version", f"{row[1].isoformat()}+01:00", row[2]),
            id="by its address, with an offset",
        ),
    ],
)
def test_other_names_and_forms_of_columns_mean_the_same(
    tmp_path: Path, columns: Sequence[str], of: Callable[[OldRow], Sequence[object]]
) -> None:
    path = configured(tmp_path)
    assert imported(path, write_csv(tmp_path / "old.csv", [of(row) for row in ROWS], *columns)) == 0
    sums, lags = stored(path)
    assert sums == {"PROD": HourCount(120, 3540.0, fresh_s=3960.0, late_s=300.0, stale_s=2880.0)}
    assert lags[-1].computed_time == "2026-11-17 23:00:00.000"


def test_without_a_computed_time_it_is_the_difference_that_counts(tmp_path: Path) -> None:
    path = configured(tmp_path)
    row = ("PROD", "2026-11-17 08:00:00", "", "61")
    write_csv(tmp_path / "old.csv", [row], "server", "timestamp", "computed_time", "time_difference")
    assert imported(path, tmp_path / "old.csv") == 0
    assert stored(path)[0]["PROD"].lag_s_max == 61.0


def test_in_an_hour_that_comes_twice_data_is_not_from_after_its_check(tmp_path: Path) -> None:
    path = configured(tmp_path)
    row = ("PROD", "2026-10-25 02:05:00", "2026-10-25 02:58:00")  # 7 minutes before
    write_csv(tmp_path / "old.csv", [row], "server", "timestamp", "computed_time")
    assert imported(path, tmp_path / "old.csv") == 0
    assert stored(path)[0]["PROD"].lag_s_max == 420.0


@pytest.mark.parametrize("columns", [("computed_time",), ("diff",)])
def test_of_an_hour_that_comes_twice_both_are_counted(tmp_path: Path, columns: Sequence[str]) -> None:
    """The old program wrote the local time: from 02:00 to 02:59, and again."""
    first = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    rows: list[Sequence[object]] = []
    for minute in range(180):
        at = first + timedelta(minutes=minute)
        computed = first + timedelta(minutes=minute // 5 * 5)
        lag_s = (at - computed).total_seconds()
        written = [each.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None) for each in (at, computed)]
        rows.append(("PROD", written[0], written[1] if columns == ("computed_time",) else lag_s))
    path = configured(tmp_path)
    assert imported(path, write_csv(tmp_path / "old.csv", rows, "server", "timestamp", *columns)) == 0
    with closing(Database(load(path, environ={}).database_url)) as database:
        hours = database.records("apps").server_hours(*EVER)
    assert [(hour, count.checks, count.lag_s_max) for _, hour, count in hours] == [
        ("2026-10-24 23:00:00", 30, 240.0),
        ("2026-10-25 00:00:00", 60, 240.0),
        ("2026-10-25 01:00:00", 60, 240.0),
        ("2026-10-25 02:00:00", 30, 240.0),
    ]


def test_a_second_time_adds_nothing_and_a_later_one_the_new_days(tmp_path: Path, said: Said) -> None:
    path = configured(tmp_path)
    imported(path, full(tmp_path / "old.csv", ROWS))
    before = stored(path)
    said()
    assert imported(path, full(tmp_path / "old.csv", ROWS)) == 0
    assert said()[0] == "apps: imported: 0 checks there already, unchanged: 120 checks"
    assert stored(path) == before
    more = [*ROWS, *checked("2026-11-18T08:00", 60), *checked("2026-11-17T08:00", 9, "TEST")]
    assert imported(path, full(tmp_path / "old.csv", more)) == 0
    assert said()[0] == (
        "apps: imported: 69 checks, 2026-11-17 to 2026-11-18 there already, unchanged: 120 checks"
    )
    assert {name: count.checks for name, count in stored(path)[0].items()} == {"PROD": 180, "TEST": 9}


def test_an_import_in_another_time_zone_is_refused(tmp_path: Path, said: Said) -> None:
    """Rows that are some hours earlier are partly of a day that had no checks: these would come twice."""
    path, old = configured(tmp_path), full(tmp_path / "old.csv", ROWS)
    imported(path, old)
    before = stored(path)
    path.write_text(path.read_text().replace("Europe/Berlin", "America/Lima"))
    said()
    assert imported(path, old) == 1
    assert "in another time zone than America/Lima; set `timezone` to Europe/Berlin again" in said()[1]
    assert stored(path) == before
    assert imported(path, old, dry_run=True) == 1


def test_from_the_first_day_that_tallyd_has_checked_on_all_is_left_to_it(tmp_path: Path, said: Said) -> None:
    path = configured(tmp_path)
    (tmp_path / "state").mkdir()
    with closing(Database(load(path, environ={}).database_url)) as database:
        database.prepare()
        database.records("apps").note_checks((), {("2026-11-18 09:00:00", "PROD"): HourCount(60, 1.0)})
    rows = [*ROWS, *checked("2026-11-18T08:00", 60), *checked("2026-11-19T08:00", 60)]
    for added in (120, 0):
        assert imported(path, full(tmp_path / "old.csv", rows)) == 0
        assert f"imported: {added} checks" in (out := said()[0])
        assert out.endswith("today, or counted by tallyd itself: 120 checks")
    assert stored(path)[0]["PROD"].checks == 180


def test_changes_are_kept_as_long_as_those_of_tallyd_and_hours_for_ever(tmp_path: Path) -> None:
    path = configured(tmp_path)
    rows = [*checked("2020-01-01T12:00", 30), *ROWS]
    assert imported(path, full(tmp_path / "old.csv", rows)) == 0
    sums, lags = stored(path)
    assert sums["PROD"].checks == 150
    assert lags[0].checked_at == "2026-11-17 22:00:00"


def test_a_dry_run_leaves_no_trace(tmp_path: Path, said: Said) -> None:
    path, old = configured(tmp_path), full(tmp_path / "old.csv", ROWS)
    before = sorted(tmp_path.rglob("*"))
    assert imported(path, old, dry_run=True) == 0
    assert said()[0] == "apps: dry run, would be imported: 120 checks, 2026-11-17 to 2026-11-17"
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_rows_are_counted_and_named_and_the_others_come(tmp_path: Path, said: Said) -> None:
    path = configured(tmp_path)
    rows = [
        ("PROD", "2026-11-17 08:00:00", "60"),
        ("PROD", "2026-11-17 08:00:00", "61"),
        ("PROD", "2026-13-17 08:00:00", "60"),
        ("PROD", "2099-11-17 08:00:00", "60"),
        ("a/b", "2026-11-17 08:01:00", "60"),
        ("PROD", "2026-11-17 08:02:00", "many"),
        ("PROD", "2026-11-17 08:03:00", "9" * 400),
    ]
    assert imported(path, write_csv(tmp_path / "old.csv", rows, "server", "timestamp", "diff")) == 1
    out, err = said()
    assert out.startswith("apps: imported: 1 check, ")
    assert out.endswith("there already, unchanged: 1 check")
    assert err.startswith("not readable: 5: row 3 (no time of ISO 8601")
    assert "row 4 (a time in the future), row 5 (the server has no name that can be used)" in err
    assert "row 6 (the difference is no number of seconds) and row 7 (the difference" in err


# -- the config, and the database that it names -------------------------------------------------------------

CONFIG = """
interval_seconds: 30
threshold: 900            # no unit
notification_interval_minutes: 5
timezone: Asia/Taipei
servers:
  PROD:
    address: 10.0.0.5:5000/version
    threshold_minutes: 15
    save_to_db: no
  TEST: https://test.example/version
  OLD: http://admin:canary-8f3a@old.example/
rocketchat:
  webhook: https://chat.example/hooks/id/canary-8f3a
  headers: {X-Auth-Token: canary-8f3a}
database:
  url: mysql+mysqlconnector://status:canary-8f3a@db.example/status
"""


def test_the_config_has_the_servers_and_no_secret(tmp_path: Path, said: Said) -> None:
    old, path = tmp_path / "config.yaml", tmp_path / "config.json"
    old.write_text(CONFIG)
    assert print_config(path, Wanted(program=PROGRAM, old=str(old))) == 0
    out, err = said()
    assert "canary" not in out + err
    content = json.loads(out)
    assert content["pollers"]["servers"] == {
        "kind": "servers",
        "targets": {
            "PROD": {"url": "http://10.0.0.5:5000/version", "stale_after": "15m", "record": False},
            "TEST": {"url": "https://test.example/version"},
        },
        "every": "30s",
        "defaults": {"stale_after": "15m", "remind_every": "5m"},
    }
    for part in (
        f'secrets/chat-url beside the config: the value of "rocketchat.webhook" in {old}',
        f'secrets/database-url beside the config: the value of "database.url" in {old}, with mysql+pymysql://',
        "with mysql+pymysql:// instead of mysql+mysqlconnector://",
        "threshold has no unit and was read as seconds: 15m",
        "OLD: left out; its name or address cannot be used, or has a password in it",
        "a webhook of Rocket.Chat needs no headers; left out: X-Auth-Token",
        "not taken over: timezone",
    ):
        assert part in err
    path.write_text(out)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/database-url").write_text("mysql+pymysql://status:canary@db.example/status")
    (tmp_path / "secrets/chat-url").write_text("https://chat.example/hooks/id/canary-8f3a")
    assert list(load(path, environ={}).settings.pollers) == ["servers"]


def test_a_list_of_servers_is_read_too(tmp_path: Path, said: Said) -> None:
    old = tmp_path / "config.yml"
    old.write_text("servers:\n- {name: A, url: 'http://a.example/'}\n- http://b.example/\n")
    assert print_config(tmp_path / "config.json", Wanted(program=PROGRAM, old=str(old))) == 0
    targets = json.loads(said()[0])["pollers"]["servers"]["targets"]
    assert targets == {"A": {"url": "http://a.example/"}, "server 2": {"url": "http://b.example/"}}


def test_what_is_left_out_is_named_without_its_password(tmp_path: Path, said: Said) -> None:
    old = tmp_path / "config.yml"
    old.write_text(
        "interval: 0.5\nservers:\n- {name: A, url: 'http://a.example/'}\n- {name: A, url: 'http://b.example/'}\n"
        "- {name: 'http://me:canary-8f3a@c.example', url: 'http://c.example/'}\n"
    )
    assert print_config(tmp_path / "config.json", Wanted(program=PROGRAM, old=str(old))) == 0
    out, err = said()
    assert json.loads(out)["pollers"]["servers"]["targets"] == {"A": {"url": "http://a.example/"}}
    assert "A: left out; another server has this name" in err
    assert "c.example: left out" in err
    assert "not taken over: interval" in err
    assert "canary" not in out + err


def test_the_database_of_the_config_is_read(tmp_path: Path, mariadb: Server, said: Said) -> None:
    database = mariadb.new_database()
    mariadb.execute(
        "CREATE TABLE checks (server text, timestamp datetime, computed_time datetime(3))", database
    )
    values = ", ".join(f"('{server}', '{at}', '{computed}')" for server, at, computed, _ in ROWS)
    mariadb.execute(f"INSERT INTO checks VALUES {values}", database)
    old = tmp_path / "config.yaml"
    url = mariadb.url(database).replace("pymysql", "mysqlconnector")
    old.write_text(f"servers: {{PROD: 'http://127.0.0.1:5000/version'}}\ndatabase_url: {url!r}\n")
    path = configured(tmp_path)
    assert imported(path, old) == 0
    assert stored(path)[0]["PROD"].checks == 120
    mariadb.execute("CREATE TABLE more (name text, date datetime, diff int)", database)
    said()
    assert imported(path, old) == 1
    assert "the data may be in the tables checks and more; choose one with --table" in said()[1]
    assert imported(path, old, table="checks") == 0
    old.write_text(old.read_text().replace(ESCAPED, "wrong-canary-8f3a"))
    assert imported(path, old) == 1
    err = said()[1]
    assert "rejects this user or password" in err
    assert "canary" not in err
    assert PASSWORD not in err


def test_a_table_in_postgresql_is_read(tmp_path: Path, postgresql: Server) -> None:
    """With times that have a zone, and differences that are intervals."""
    database = postgresql.new_database()
    postgresql.execute("CREATE TABLE checks (name text, timestamp timestamptz, diff interval)", database)
    values = ", ".join(f"('{server}', '{at}+01:00', '{lag_s} s')" for server, at, _, lag_s in ROWS)
    postgresql.execute(f"INSERT INTO checks VALUES {values}", database)
    path = configured(tmp_path)
    assert imported(path, postgresql.url(database)) == 0
    assert stored(path)[0] == {"PROD": HourCount(120, 3540.0, fresh_s=3960.0, late_s=300.0, stale_s=2880.0)}


BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 20))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(BOMB, "is not YAML that can be read, without aliases", id="a bomb"),
        pytest.param("a: &a {b: 1}\nservers: {<<: *a}", "is not YAML that can be read", id="merged"),
        pytest.param("servers: [canary", "is not YAML that can be read", id="broken"),
        pytest.param("[" * 5000, "is not YAML that can be read", id="deep"),
        pytest.param("servers: \0canary", "is not YAML that can be read", id="NUL"),
        pytest.param("- canary", "is not an object of settings", id="a list"),
        pytest.param("", "is not an object of settings", id="empty"),
        pytest.param("servers: {}", 'has no "servers" with addresses', id="no server"),
        pytest.param("servers: !!python/object/apply:os.system ['touch ran']", 'has no "servers"', id="code"),
        pytest.param("a: " + "x" * (2 << 20), "is too large", id="large"),
    ],
)
def test_a_config_that_is_none_is_refused_and_nothing_of_it_is_shown(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(text)
    assert print_config(tmp_path / "config.json", Wanted(program=PROGRAM, old="config.yaml")) == 1
    out, err = said()
    assert complaint in err
    assert "canary" not in out + err
    assert [each.name for each in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize("old", ["config.yaml", "."], ids=["file", "folder"])
def test_a_config_without_a_database_says_so(tmp_path: Path, said: Said, old: str) -> None:
    (tmp_path / "config.yaml").write_text("servers: {A: 'http://a.example'}")
    assert imported(configured(tmp_path), tmp_path / old) == 1
    assert "config.yaml has no URL of a database" in said()[1]
