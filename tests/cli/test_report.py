"""`tallyd report`: the days, the columns and the cells, as a table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
import time_machine
import typer

from support.long import some
from support.past import Past, instant, write_config
from tallyd.cli.views.report import report
from tallyd.core.reading import Json
from tallyd.reporting.chapters import Wanted

NAMES = {"50101": "Einsatzbereit", "50103": "Nicht bereit"}
TABLE = """\
divera, 2026-11-19 to 2026-11-20 (Europe/Berlin): 4 readings, 1 missed
date        time      weekday   total  Einsatzbereit (50101)       7  Nicht bereit (50103)  no status (none)  note
2026-11-19  08:00     Thu          18                     12       0                     4                 2
2026-11-19  20:00     Thu          10                      9       1                     0                 0  late by 12 min 30 s
2026-11-20  08:00     Fri                                                                                     missed: nothing ran at that time
2026-11-20  11:12:13  Fri          90                     90       0                     0                 0  once, outside the timetable
2026-11-20  20:00     Fri      hidden                      8  hidden                hidden                 0  hidden (hide_below 3): total, 7, 50103
Numbers below 3 are hidden, and so is what would give them away.
"""  # noqa: E501 # as it is printed
EXCEL = """\
month;readings;missed;total;total least;total most;Einsatzbereit (50101);Einsatzbereit (50101) least;Einsatzbereit (50101) most;7;7 least;7 most;Nicht bereit (50103);Nicht bereit (50103) least;Nicht bereit (50103) most;no status (none);no status (none) least;no status (none) most
2026-11;3;1;14,0;10;18;9,7;8;12;0,5;0;1;2,0;0;4;0,7;0;2
"""  # noqa: E501 # as it is printed


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """Two days: ordinary, late, missed and once; then one with hidden counts."""
    write_config(tmp_path)
    past = Past(tmp_path)
    past.taken("2026-11-19T08:00:00", {"50101": 12, "50103": 4, "none": 2}, names=NAMES)
    past.taken("2026-11-19T20:00:00", {"50101": 9, "7": 1}, origin="late", late_s=750, names=NAMES)
    past.missed("2026-11-20T08:00:00")
    past.taken("2026-11-20T11:12:13", {"50101": 90}, origin="once", names=NAMES)
    past.taken("2026-11-20T20:00:00", {"50101": 8, "50103": None, "7": None}, hide_below=3, names=NAMES)
    return past


def run(folder: Path, **wanted: Any) -> int:
    """Return the exit status of a report of November 19 and 20, if `wanted` does not say otherwise."""
    given = {"start": "2026-11-19", "end": "2026-11-20", "options": {}}
    try:
        return report(folder / "config.json", Wanted(**{**given, **wanted}))
    except typer.Exit as ending:
        return ending.exit_code


def rows_of(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def rows_in(chapter: dict[str, Any]) -> list[dict[str, Json]]:
    """Return the rows of the main table."""
    rows: list[dict[str, Json]] = chapter["past"]["tables"]["readings"]["rows"]
    return rows


class TestTable:
    def test_every_reading_is_a_row_and_no_gap_is_a_zero(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(past.folder) == 0
        assert capsys.readouterr().out == TABLE

    def test_put_together_by_day_it_shows_means_and_what_is_missing(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(past.folder, by="day") == 0
        output = capsys.readouterr()
        assert output.out.splitlines()[0].endswith(": 3 readings, 1 missed; 1 by once left out")
        rows = [re.split(r"  +", line) for line in output.out.splitlines()[2:4]]
        assert rows == [
            [
                *("2026-11-19", "Thu", "2", "0", "14.0 (10\u201318)", "10.5 (9\u201312)"),
                *("0.5 (0\u20131)", "2.0 (0\u20134)", "1.0 (0\u20132)"),
            ],
            ["2026-11-20", "Fri", "1", "1", "8.0 (8\u20138)", "0.0 (0\u20130)"],
        ]
        assert output.out.splitlines()[-1] == (
            "Hidden counts are left out of the means, so the means are too high."
        )
        assert output.err == ""

    def test_a_poller_that_is_no_longer_configured_is_shown_after_the_others(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Past(past.folder, "anno").taken("2026-11-20T20:00:00", {"50101": 3})
        assert run(past.folder) == 0
        headings = [line for line in capsys.readouterr().out.splitlines() if " to 2026" in line]
        assert headings == [
            "divera, 2026-11-19 to 2026-11-20 (Europe/Berlin): 4 readings, 1 missed",
            "anno, 2026-11-19 to 2026-11-20 (Europe/Berlin): 1 reading, 0 missed",
        ]

    def test_days_without_a_reading_are_said_to_have_none(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(past.folder, start="2025-01-01", end="2025-01-02") == 0
        assert capsys.readouterr().out.splitlines() == [
            "divera, 2025-01-01 to 2025-01-02 (Europe/Berlin): no readings",
            "No number in these days: there is no reading.",
        ]

    def test_a_new_poller_has_no_readings_yet_and_says_when_the_next_one_comes(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_config(tmp_path)
        Past(tmp_path, "another").taken("2019-11-20T08:00:00", {"7": 1})
        with time_machine.travel(instant("2026-11-20T09:00:00"), tick=False):
            assert run(tmp_path, poller="divera") == 0
        assert capsys.readouterr().out.endswith(
            "No number in these days: there is no reading. Next reading: 2026-11-20 20:00.\n"
        )

    def test_names_from_outside_do_nothing_to_a_terminal(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_config(tmp_path)
        Past(tmp_path).taken("2026-11-20T08:00:00", {"7": 1}, names={"7": "\x1b[31m[bold]\nx"})
        assert run(tmp_path) == 0
        assert "\\x1b[31m[bold]\\nx (7)" in capsys.readouterr().out


class TestCsv:
    def test_it_is_what_rfc_4180_says(self, past: Past, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
        assert run(past.folder, shape="csv") == 0
        assert capsysbinary.readouterr().out.decode("utf-8").split("\r\n") == [
            "date,time,weekday,total,Einsatzbereit (50101),7,Nicht bereit (50103),no status (none),note",
            "2026-11-19,08:00,Thu,18,12,0,4,2,",
            "2026-11-19,20:00,Thu,10,9,1,0,0,late by 12 min 30 s",
            "2026-11-20,08:00,Fri,,,,,,missed: nothing ran at that time",
            '2026-11-20,11:12:13,Fri,90,90,0,0,0,"once, outside the timetable"',
            '2026-11-20,20:00,Fri,,8,,,0,"hidden (hide_below 3): total, 7, 50103"',
            "",
        ]

    def test_for_excel_it_has_a_mark_semicolons_and_decimal_commas(
        self, past: Past, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        assert run(past.folder, shape="csv", excel=True, by="month") == 0
        assert capsysbinary.readouterr().out == b"\xef\xbb\xbf" + EXCEL.replace("\n", "\r\n").encode()

    def test_several_pollers_share_one_line_of_headings(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        other = Past(past.folder, "other")
        other.taken("2026-11-20T20:00:00", {"50101": 3, "60001": 1, "none": 5}, names={"60001": "Dienst"})
        assert run(past.folder, shape="csv", start="2026-11-20") == 0
        heading, *rows = rows_of(capsys.readouterr().out)
        assert heading == [
            *("poller", "date", "time", "weekday", "total", "Einsatzbereit (50101)", "7"),
            *("Nicht bereit (50103)", "Dienst (60001)", "no status (none)", "note"),
        ]
        assert rows[-1] == ["other", "2026-11-20", "20:00", "Fri", "9", "3", "", "", "1", "5", ""]
        assert [row[0] for row in rows] == ["divera"] * 3 + ["other"]

    def test_a_poller_asked_for_by_name_has_no_column_of_its_name(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Past(past.folder, "other").taken("2026-11-20T20:00:00", {"50101": 3})
        assert run(past.folder, shape="csv", poller="other") == 0
        assert rows_of(capsys.readouterr().out)[0] == ["date", "time", "weekday", "total", "50101", "note"]

    def test_without_a_reading_there_are_the_headings(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(past.folder, shape="csv", start="2025-01-01", end="2025-01-01", by="hour") == 0
        assert rows_of(capsys.readouterr().out) == [
            ["date", "hour", "weekday", "readings", "missed", "Einsatzbereit (50101)"]
        ]


def test_fulfilment_is_a_csv_of_each_requirement_by_month(
    past: Past, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((past.folder / "config.json").read_text())
    config["pollers"]["divera"]["at_least"] = [{"name": "Engine", "statuses": ["50101"], "count": 6}]
    (past.folder / "config.json").write_text(json.dumps(config))
    for at, people in (("2026-10-31T08:00", 6), ("2026-11-01T08:00", 5), ("2026-11-02T08:00", 6)):
        past.taken(at, {"50101": people})
    past.missed("2026-11-03T08:00")
    asked: dict[str, Any] = {"start": "2026-10-01", "end": "2026-11-03", "options": {"fulfilment": "yes"}}
    assert run(past.folder, shape="csv", by="month", **asked) == 0
    assert rows_of(capsys.readouterr().out) == [
        [
            *("month", "requirement", "share met", "share met least", "share met most"),
            *("slots", "met", "below", "unknown"),
        ],
        ["2026-10", "Engine", "1.0", "1.0", "1.0", "1", "1", "0", "0"],
        ["2026-11", "Engine", "", "0.3333", "0.6667", "3", "1", "1", "1"],
    ]
    assert run(past.folder, **asked) == 0
    said = capsys.readouterr().out
    assert "Engine: between 50.00% and 75.00%, 1 of 4 slots unknown" in said
    assert "Sun 08:00 to 24:00: 0.00% of 1 slot" in said
    assert "State of" not in said


class TestOneTable:
    """`--table`: any table by its key, also one that only a page shows."""

    WEEK: ClassVar = {"start": "2026-11-19", "end": "2026-11-30", "table": "weekly"}

    @pytest.fixture
    def weeks(self, past: Past) -> Path:
        for day in range(21, 31):
            past.taken(f"2026-11-{day}T08:00:00", {"50101": day - 20}, names=NAMES)
        return past.folder

    def test_the_numbers_by_weekday_and_time_of_day_are_a_csv_of_their_own(
        self, weeks: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(weeks, shape="csv", **self.WEEK) == 0
        heading, first, *_ = rows_of(capsys.readouterr().out)
        assert heading[:7] == ["time", "Mon", "Mon least", "Mon most", "Tue", "Tue least", "Tue most"]
        assert first[:4] == ["08:00", "6.5", "3", "10"]

    def test_it_is_printed_alone(self, weeks: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(weeks, **self.WEEK) == 0
        assert re.split(r"  +", capsys.readouterr().out.splitlines()[1])[:3] == ["time", "Mon", "Tue"]

    def test_one_that_is_not_there_is_named_with_those_that_are(
        self, weeks: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(weeks, **{**self.WEEK, "table": "week"}) == 2
        said = capsys.readouterr().err
        assert (
            'no table "week" then; its tables are: readings, weekly, states, time_of_day, incidents' in said
        )

    @pytest.mark.parametrize("shape", ["json", "html"])
    def test_where_all_tables_are_in_one_form_none_can_be_chosen(
        self, weeks: Path, capsys: pytest.CaptureFixture[str], shape: str
    ) -> None:
        assert run(weeks, shape=shape, **self.WEEK) == 2
        assert f"--format {shape} has all tables" in capsys.readouterr().err


class TestJson:
    def test_a_hidden_number_is_null_and_one_that_nobody_knows_is_left_out(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        past.taken("2026-11-20T21:00:00", {"50101": 8}, source="monitor", clock_suspect=True)
        assert run(past.folder, shape="json", start="2026-11-20") == 0
        (found,) = json.loads(capsys.readouterr().out)
        board, now = found.pop("past"), found.pop("now")
        assert found == {
            "poller": "divera",
            "kind": "divera",
            "zone": "Europe/Berlin",
            "from": "2026-11-20",
            "to": "2026-11-20",
            "by": None,
            "range": None,
            "options": {},
        }
        assert now["stats"] == {"50101": 8, "total": 8}
        assert board["said"] == "3 readings, 1 missed"
        table = board["tables"]["readings"]
        assert list(table["columns"].items())[4:8] == [
            ("total", "total"),
            ("50101", "Einsatzbereit (50101)"),
            ("7", "7"),
            ("50103", "Nicht bereit (50103)"),
        ]
        missed, _, hidden, unshown = table["rows"]
        assert missed == {
            "at": "2026-11-20T08:00:00+01:00",
            "date": "2026-11-20",
            "time": "08:00",
            "weekday": "Fri",
            **dict.fromkeys(("total", "50101", "7", "50103")),
            "note": "missed: nothing ran at that time",
            "origin": "missed",
            "taken_at": None,
        }
        assert {key: hidden[key] for key in ("total", "50101", "7")} == {"total": None, "50101": 8, "7": None}
        assert hidden["taken_at"] == "2026-11-20T20:00:00.400+01:00"
        assert "7" not in unshown
        assert (unshown["50101"], unshown["note"]) == (8, "clock suspect: it differs from the source's")

    def test_means_have_least_and_most_and_missed_slots_have_their_reason(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(past.folder, shape="json", by="weekday") == 0
        (found,) = json.loads(capsys.readouterr().out)
        assert found["by"] == "weekday"
        tables = found["past"]["tables"]
        assert tables["readings"]["rows"] == [
            {
                "weekday": "Thu",
                "readings": 2,
                "missed": 0,
                "total": {"mean": 14.0, "min": 10, "max": 18, "known": 2},
                "50101": {"mean": 10.5, "min": 9, "max": 12, "known": 2},
                "7": {"mean": 0.5, "min": 0, "max": 1, "known": 2},
                "50103": {"mean": 2.0, "min": 0, "max": 4, "known": 2},
                "none": {"mean": 1.0, "min": 0, "max": 2, "known": 2},
            },
            {
                "weekday": "Fri",
                "readings": 1,
                "missed": 1,
                "total": None,
                "50101": {"mean": 8.0, "min": 8, "max": 8, "known": 1},
                "7": None,
                "50103": None,
                "none": {"mean": 0.0, "min": 0, "max": 0, "known": 1},
            },
        ]
        assert tables["missed"]["rows"] == [
            {"at": "2026-11-20T08:00:00+01:00", "reason": "nothing ran at that time"}
        ]

    def test_of_a_poller_that_has_left_the_config_there_are_only_the_days(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Past(past.folder, "anno").taken("2026-11-20T20:00:00", {"50101": 3})
        assert run(past.folder, shape="json", poller="anno") == 0
        (found,) = json.loads(capsys.readouterr().out)
        assert (found["now"], len(found["past"]["tables"]["readings"]["rows"])) == (None, 1)

    def test_without_pollers_it_is_an_empty_list(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_config(past.folder, pollers={})
        assert run(past.folder, shape="json", start="2025-01-01", end="2025-01-01") == 0
        assert json.loads(capsys.readouterr().out) == []


class TestDays:
    @pytest.mark.parametrize(
        ("zone", "days", "count"),
        [
            pytest.param(
                "Europe/Berlin", ("2026-11-20", "2026-11-20"), 2, id="both-ends-are-days-of-the-zone"
            ),
            pytest.param("UTC", ("2026-11-20", "2026-11-20"), 1, id="in-another-zone"),
            pytest.param("Pacific/Kiritimati", ("2026-11-20", "2026-11-20"), 1, id="in-the-first-zone"),
            pytest.param("Pacific/Pago_Pago", ("2026-11-19", "2026-11-19"), 1, id="in-the-last-zone"),
        ],
    )
    def test_days_are_local_and_both_ends_belong(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], zone: str, days: tuple[str, str], count: int
    ) -> None:
        write_config(tmp_path, timezone=zone)
        past = Past(tmp_path)
        past.taken("2026-11-20T00:00:00", {"7": 1})  # 23:00 UTC of the day before
        past.taken("2026-11-20T23:59:59", {"7": 2})  # 22:59:59 UTC
        assert run(tmp_path, start=days[0], end=days[1], shape="json") == 0
        (found,) = json.loads(capsys.readouterr().out)
        assert len(rows_in(found)) == count

    def test_by_default_it_is_the_last_30_and_says_so(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        # In Berlin it is the 21st already.
        with time_machine.travel("2026-11-20T23:30:00Z", tick=False):
            assert run(past.folder, start="", end="", shape="json") == 0
        output = capsys.readouterr()
        assert output.err == "30 days, 2026-10-23 to 2026-11-21; others with --from and --to\n"
        assert json.loads(output.out)[0]["from"] == "2026-10-23"

    def test_an_end_alone_is_the_last_of_30(self, past: Past, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(past.folder, start="") == 0
        assert "30 days, 2026-10-22 to 2026-11-20;" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("days", "said"),
        [
            pytest.param({"start": "2026-02-30"}, 'there is no day "2026-02-30"; write it', id="no-such-day"),
            pytest.param({"end": "20.11.2026"}, 'there is no day "20.11.2026"; write it', id="german"),
            pytest.param({"start": "2026-W47-5"}, 'there is no day "2026-W47-5"', id="week"),
            pytest.param(
                {"start": "2026-11-21"},
                "the first day, 2026-11-21, is after the last, 2026-11-20",
                id="wrong-way-round",
            ),
            pytest.param(
                {"start": "2996-11-21", "end": ""},
                "the first day, 2996-11-21, is after today, ",
                id="to-come",
            ),
        ],
    )
    def test_days_that_make_no_sense_are_wrong_usage(
        self, past: Past, capsys: pytest.CaptureFixture[str], days: dict[str, str], said: str
    ) -> None:
        assert run(past.folder, **days) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith(f"tallyd: {said}")


class TestPollers:
    def test_only_the_one_asked_for_is_shown(self, past: Past, capsys: pytest.CaptureFixture[str]) -> None:
        Past(past.folder, "other").taken("2026-11-20T20:00:00", {"50101": 3})
        assert run(past.folder, shape="json", poller="divera") == 0
        assert [found["poller"] for found in json.loads(capsys.readouterr().out)] == ["divera"]

    def test_a_former_one_may_be_asked_for_on_days_without_readings(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Past(past.folder, "anno").taken("2019-11-20T20:00:00", {"50101": 3})
        assert run(past.folder, poller="anno") == 0
        assert capsys.readouterr().out.startswith(
            "anno, 2026-11-19 to 2026-11-20 (Europe/Berlin): no readings\n"
        )
        assert run(past.folder) == 0
        assert "anno" not in capsys.readouterr().out

    def test_an_unknown_one_is_wrong_usage(self, past: Past, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(past.folder, poller="divra") == 2
        assert capsys.readouterr().err == (
            'tallyd: there is no poller "divra", and no reading of one; did you mean "divera"?\n'
        )

    def test_each_has_the_days_of_its_own_zone(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        poller: dict[str, Json] = {"kind": "divera", "accesskey": "canary-key-8f3a", "at": ["08:00"]}
        write_config(tmp_path, pollers={"here": poller, "there": {**poller, "timezone": "Pacific/Auckland"}})
        for name in ("here", "there"):
            Past(tmp_path, name).taken("2026-11-20T20:00:00", {"7": 1})
        assert run(tmp_path, shape="json", start="2026-11-20") == 0
        found = {each["poller"]: rows_in(each) for each in json.loads(capsys.readouterr().out)}
        assert (len(found["here"]), len(found["there"])) == (1, 0)


class TestTroubles:
    def test_where_tallyd_never_ran_it_says_so_and_creates_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_config(tmp_path)
        assert run(tmp_path) == 1
        assert "tallyd has not run with" in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["config.json"]

    def test_a_damaged_database_is_said_to_be_damaged(
        self, past: Past, capsys: pytest.CaptureFixture[str]
    ) -> None:
        database = past.folder / "state" / "state.db"
        database.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
        assert run(past.folder) == 1
        assert f"tallyd: {database}" in capsys.readouterr().err

    @pytest.mark.parametrize("shape", some(["table", "csv", "json", "html"]))
    def test_a_reader_that_leaves_early_is_no_error_to_shout_about(self, tmp_path: Path, shape: str) -> None:
        write_config(tmp_path)
        # More columns than the pipe holds.
        Past(tmp_path).taken("2026-11-20T08:00:00", {str(number): 1 for number in range(1, 2000)})
        command = [sys.executable, "-m", "tallyd", "report", "--from", "2026-11-20", "--format", shape]
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pipesize=4096,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            complaint = process.stderr.read()
        assert (process.returncode, complaint) == (1, b"")
