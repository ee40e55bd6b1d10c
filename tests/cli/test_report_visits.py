"""`tallyd report` of visitors: hours, days and sources from the database, never from out files."""

from __future__ import annotations

import csv
import io
import json
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
import typer

from adapters.records.samples import visitor_file
from support.past import Past
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.tables import VERSION_TABLE
from tallyd.cli.report import report
from tallyd.config.model import load
from tallyd.contract.passages import Direction, Row, seen_text
from tallyd.core.reading import Json

BERLIN = ZoneInfo("Europe/Berlin")
PARK: dict[str, Json] = {
    "kind": "visitors",
    "inbox": "inbox",
    "sources": {"12": {"label": "Gate 12"}, "23": {}},
    "groups": {"zone five": ["23", "24"]},
}
DIVERA: dict[str, Json] = {"kind": "divera", "accesskey": "canary-key-8f3a", "at": ["08:00"]}
NOW = "2026-11-20T10:30:00+01:00"
HOURS = """\
park, 2026-11-20 (Europe/Berlin), all together: 6 in, 3 out
date        hour   weekday  in  out  inside  most inside  other
2026-11-20  00:00  Fri       0    0       0            0      0
2026-11-20  01:00  Fri       0    0       0            0      0
2026-11-20  02:00  Fri       0    0       0            0      0
2026-11-20  03:00  Fri       0    0       0            0      0
2026-11-20  04:00  Fri       0    0       0            0      0
2026-11-20  05:00  Fri       0    0       0            0      0
2026-11-20  06:00  Fri       0    0       0            0      0
2026-11-20  07:00  Fri       0    0       0            0      0
2026-11-20  08:00  Fri       4    1       3            4      0
2026-11-20  09:00  Fri       0    2       1            3      1
2026-11-20  10:00  Fri       2    0       3            3      0
"""


def rows_of(*passages: tuple[str, Direction, int]) -> list[Row]:
    """Return rows: local time, direction, how many of them."""
    return [
        (number, direction, seen_text(datetime.fromisoformat(at).replace(tzinfo=BERLIN)), None)
        for at, direction, times in passages
        for number in range(times)
    ]


def fill(folder: Path, poller: str = "park") -> None:
    """Store two days of November 2026 and the night in which clocks were set back."""
    config = load(write(folder), environ={})
    config.state_dir.mkdir(exist_ok=True)
    database = Database(config.database_url)
    database.prepare()
    files = {
        "12": rows_of(
            ("2026-10-25T02:30", "in", 7),
            ("2026-11-19T12:00", "in", 50),
            ("2026-11-20T08:15", "in", 3),
            ("2026-11-20T09:00", "out", 2),
            ("2026-11-20T09:59", "other", 1),
        ),
        "23": rows_of(("2026-11-20T08:20", "in", 1), ("2026-11-20T08:59", "out", 1)),
        "back door": rows_of(("2026-11-20T10:00", "in", 2)),
    }
    records = database.records(poller)
    now = datetime(2026, 11, 20, 12, tzinfo=BERLIN)
    records.ingest(
        [visitor_file(source, *rows, source=source) for source, rows in files.items()],
        now=now,
        keep_rows=True,
    )
    database.close()


def write(folder: Path, name: str = "config.json", **pollers: Json) -> Path:
    path = folder / name
    content = {"timezone": "Europe/Berlin", "pollers": pollers or {"park": PARK}}
    path.write_text(json.dumps(content), "utf-8")
    return path


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    fill(folder)
    return folder


@pytest.fixture
def site(filled: Path, tmp_path: Path) -> Path:
    """A copy of the filled folder, to change."""
    return Path(shutil.copytree(filled, tmp_path / "site"))


def run(folder: Path, *, config: str = "config.json", **options: Any) -> int:
    given = {"start": None, "end": None, "poller": None, "by": None, "shape": "table", "excel": False}
    try:
        with time_machine.travel(NOW, tick=False):
            return report(folder / config, **{**given, **options})
    except typer.Exit as ending:
        return ending.exit_code


def shown_json(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, list)
    return found


def test_today_is_shown_hour_by_hour_up_to_now(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(filled) == 0
    assert capsys.readouterr() == (HOURS, "")


@pytest.mark.parametrize(
    ("options", "label", "counts"),
    [
        pytest.param({"source": "12"}, "Gate 12 (12): 3 in, 2 out", (3, 2), id="a source with a label"),
        pytest.param({"source": "23"}, "23: 1 in, 1 out", (1, 1), id="a source without"),
        pytest.param({"source": "back door"}, "back door: 2 in, 0 out", (2, 0), id="one that only delivers"),
        pytest.param(
            {"source": "park"},
            "park: no records; nobody knows whether nobody came, or nobody counted",
            (0, 0),
            id="files directly in the inbox",
        ),
        pytest.param({"group": "zone five"}, "zone five: 1 in, 1 out", (1, 1), id="a group"),
    ],
)
def test_one_source_or_group_can_be_looked_at_alone(
    filled: Path,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, str],
    label: str,
    counts: tuple[int, int],
) -> None:
    assert run(filled, **options) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"park, 2026-11-20 (Europe/Berlin), {label}"
    assert run(filled, shape="json", **options) == 0
    (found,) = shown_json(capsys)
    assert (found["source"], found["group"]) == (options.get("source"), options.get("group"))
    assert tuple(sum(each[way] for each in found["buckets"]) for way in ("in", "out")) == counts


def test_days_are_put_together_over_a_month(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(filled, by="day") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "park, 2026-10-22 to 2026-11-20 (Europe/Berlin), all together: 63 in, 3 out on 3 days with records"
    )
    assert [line.split() for line in lines[1:]] == [
        ["date", "weekday", "in", "out", "inside", "most", "inside", "other"],
        ["2026-10-25", "Sun", "7", "0", "7", "7", "0"],
        ["2026-11-19", "Thu", "50", "0", "50", "50", "0"],
        ["2026-11-20", "Fri", "6", "3", "3", "4", "1"],
    ]


def test_of_several_days_it_says_how_many_they_are(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(filled, by="month", start="2026-01-01", shape="json") == 0
    (found,) = shown_json(capsys)
    assert found["buckets"] == [
        {"month": "2026-10", "days": 1, "in": 7, "out": 0, "other": 0, "inside": None, "most_inside": 7},
        {"month": "2026-11", "days": 2, "in": 56, "out": 3, "other": 1, "inside": None, "most_inside": 50},
    ]


def test_json_says_what_it_is_of(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(filled, shape="json", start="2026-10-25", end="2026-10-25") == 0
    (found,) = shown_json(capsys)
    hours = found.pop("buckets")
    assert found == {
        "poller": "park",
        "kind": "visitors",
        "zone": "Europe/Berlin",
        "from": "2026-10-25",
        "to": "2026-10-25",
        "source": None,
        "group": None,
        "by": "hour",
    }
    assert len(hours) == 25
    assert [(hour["hour"], hour["in"]) for hour in hours[2:4]] == [
        ("02:00 UTC+02:00", 7),
        ("02:00 UTC+01:00", 0),
    ]


def test_csv_has_date_hour_and_weekday_apart(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(filled, shape="csv") == 0
    heading, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert heading == ["date", "hour", "weekday", "in", "out", "inside", "most inside", "other"]
    assert len(rows) == 11
    assert rows[9] == ["2026-11-20", "09:00", "Fri", "0", "2", "1", "3", "1"]


def test_csv_for_excel_has_a_mark_and_semicolons(
    filled: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(filled, excel=True, by="weekday") == 0
    assert capsysbinary.readouterr().out.decode() == (
        "\ufeffweekday;days;in;out;most inside;other\r\nThu;1;50;0;50;0\r\nFri;1;6;3;4;1\r\nSun;1;7;0;7;0\r\n"
    )


def test_two_parks_share_one_line_of_headings(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site, park=PARK, zoo={**PARK, "inbox": "zoo"})
    assert run(site, shape="csv", by="day", start="2026-11-20") == 0
    assert capsys.readouterr().out.splitlines() == [
        "poller,date,weekday,in,out,inside,most inside,other",
        "park,2026-11-20,Fri,6,3,3,4,1",
    ]


def test_hours_are_those_of_the_pollers_own_zone(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(site, park={**PARK, "timezone": "Pacific/Auckland"})
    assert run(site, by="day", start="2026-11-20", end="2026-11-21", shape="json") == 0
    (found,) = shown_json(capsys)
    assert [(each["date"], each["in"]) for each in found["buckets"]] == [("2026-11-20", 56)]


class TestBothKinds:
    @pytest.fixture(autouse=True)
    def _both(self, site: Path) -> None:
        write(site, station=DIVERA, park=PARK)
        Past(site, "station").taken("2026-11-20T08:00:00", {"50101": 3})

    def test_tables_come_one_after_the_other(self, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(site, start="2026-11-20") == 0
        out = capsys.readouterr().out
        assert out.startswith("station, 2026-11-20 to 2026-11-20 (Europe/Berlin): 1 reading, 0 missed\n")
        assert out.endswith("\n\n" + HOURS)

    def test_json_is_one_list(self, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(site, shape="json") == 0
        assert [(each["poller"], each["kind"]) for each in shown_json(capsys)] == [
            ("station", "divera"),
            ("park", "visitors"),
        ]

    @pytest.mark.parametrize("options", [{"shape": "csv"}, {"excel": True}], ids=["csv", "excel"])
    def test_one_csv_can_not_hold_both(
        self, site: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any]
    ) -> None:
        assert run(site, **options) == 2
        assert capsys.readouterr() == (
            "",
            "tallyd: one CSV can't hold pollers of different kinds; add --poller and one of: station, park\n",
        )

    @pytest.mark.parametrize(("poller", "lines"), [("station", 2), ("park", 12)])
    def test_a_csv_of_one_of_them_is_fine(
        self, site: Path, capsys: pytest.CaptureFixture[str], poller: str, lines: int
    ) -> None:
        assert run(site, shape="csv", poller=poller) == 0
        assert len(capsys.readouterr().out.splitlines()) == lines

    def test_a_source_is_only_looked_for_where_there_are_some(
        self, site: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(site, source="12", shape="csv") == 0
        assert capsys.readouterr().out.startswith("date,hour,")
        assert run(site, source="12", poller="station") == 2
        assert capsys.readouterr().err == (
            'tallyd: --source is for pollers that count visitors; "station" counts none\n'
        )

    def test_while_the_database_is_away_the_others_are_shown(
        self, site: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (site / "state" / "records.db").unlink()
        assert run(site) == 1
        output = capsys.readouterr()
        assert output.out.startswith("station, ")
        assert "nothing was counted yet" in output.err


def test_a_park_that_is_no_longer_configured_can_still_be_asked_for(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(site, station=DIVERA)
    past = Past(site, "park", kind="visitors")
    past.taken("2026-11-20T10:00:00", {"in": 1})
    assert run(site, poller="park") == 0
    assert capsys.readouterr().out == HOURS
    assert run(site, start="2026-11-20") == 0
    assert "park" not in capsys.readouterr().out, "its readings are no table of statuses"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            {"source": "2"},
            'no source "2" is configured, and none of that name has records then; did you mean "23"?',
            id="unknown source",
        ),
        pytest.param(
            {"source": "roof"},
            'no source "roof" is configured, and none of that name has records then; there is: 12, 23, park',
            id="far from all",
        ),
        pytest.param(
            {"group": "zone fivee"},
            'there is no group "zone fivee" in the config; did you mean "zone five"?',
            id="unknown group",
        ),
        pytest.param(
            {"source": "12", "group": "zone five"}, "--source and --group can't go together", id="both"
        ),
        pytest.param({"poller": "prk"}, 'there is no poller "prk"', id="unknown poller"),
        pytest.param({"start": "2026-11-21"}, "--from 2026-11-21 is after today, 2026-11-20", id="tomorrow"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    site: Path, capsys: pytest.CaptureFixture[str], options: dict[str, str], said: str
) -> None:
    Past(site, "station").taken("2026-11-20T08:00:00", {"50101": 3})
    assert run(site, **options) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err


def test_where_nothing_was_ever_counted_it_says_so_and_creates_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path)
    assert run(tmp_path) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(
        "tallyd: nothing was counted yet: the database has no tables; the first file"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_database_that_can_not_be_read_is_named(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = site / "state" / "records.db"
    database.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    for rest in (".db-wal", ".db-shm"):
        database.with_suffix(rest).unlink(missing_ok=True)
    assert run(site) == 1
    assert f"tallyd: SQLite ({database})" in capsys.readouterr().err


def test_tables_of_a_newer_tallyd_are_not_read(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(site / "state" / "records.db")) as database, database:
        database.execute(f"UPDATE {VERSION_TABLE} SET version_num='9999'")
    assert run(site) == 1
    assert "tables of a newer tallyd; install that one again" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path)
    with closing(socket.socket()) as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        url = f"postgresql+psycopg://tallyd:canary-8f3a@127.0.0.1:{port}/tallyd"
        path.write_text(json.dumps({**json.loads(path.read_text()), "database": {"url": url}}))
        assert run(tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"tallyd: PostgreSQL at 127.0.0.1:{port}")
    assert "canary" not in said


def test_the_command_takes_a_source_and_a_group(filled: Path) -> None:
    for option in (["--source", "12"], ["--group", "zone five"]):
        command = [sys.executable, "-m", "tallyd", "report", "--from", "2026-11-20", "--to", "2026-11-20"]
        done = subprocess.run(
            [*command, "--format", "json", *option], cwd=filled, capture_output=True, check=True, timeout=60
        )
        (found,) = json.loads(done.stdout)
        assert option[1] in (found["source"], found["group"])
        assert len(found["buckets"]) == 24
