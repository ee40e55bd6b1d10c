"""`tallyd report --format html`: one file that holds everything, and says nothing that is not known."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest
import time_machine
import typer

from adapters.records.samples import visitor_file
from support.past import Past, write_config
from tallyd.adapters.records.database import Database
from tallyd.cli.report import report
from tallyd.config.model import load
from tallyd.contract.lags import HourCount, LagRow
from tallyd.contract.passages import Direction, Row, seen_text
from tallyd.core.reading import Json
from tallyd.web.report_page import page as page_of
from tallyd.web.report_view import MOST_ROWS, Chapter, Report, table

SCRIPT = "<script>alert(1)</script>"
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
PARK: dict[str, Json] = {
    "kind": "visitors",
    "inbox": "inbox",
    "sources": {"12": {"label": f"Gate {SCRIPT}"}, "23": {}},
    "groups": {"zone five": ["23"]},
}
TARGETS: dict[str, Json] = {
    f"T{number:02}": {"url": f"https://app{number}.example/version"} for number in range(14)
}
DIVERA: dict[str, Json] = {
    "kind": "divera",
    "accesskey": "canary-key-8f3a",
    "at": ["08:00", "20:00"],
    "status_names": {"50101": f"Ready {SCRIPT}"},
}


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def past(tmp_path: Path) -> Past:
    """Two days of people: ordinary, late, missed; then one with hidden counts."""
    write_config(tmp_path, name=f"park {SCRIPT}", pollers={"divera": DIVERA})
    past = Past(tmp_path)
    past.taken("2026-11-19T08:00:00", {"50101": 12, "50103": 4})
    past.taken("2026-11-19T20:00:00", {"50101": 9}, origin="late", late_s=750, names={"7": SCRIPT})
    past.missed("2026-11-20T08:00:00", reason=f"nothing ran {SCRIPT}")
    past.taken("2026-11-20T12:00:00", {"50101": 8, "50103": None}, hide_below=3)
    return past


def people(count: int, at: str, direction: Direction) -> list[Row]:
    seen = seen_text(datetime.fromisoformat(at))
    return [(number, direction, seen, None) for number in range(count)]


@pytest.fixture
def filled(past: Past) -> Path:
    """All three kinds of poller."""
    pollers: dict[str, Json] = {
        "divera": DIVERA,
        "park": PARK,
        "apps": {"kind": "servers", "every": "60s", "targets": TARGETS},
    }
    write_config(past.folder, name=f"park {SCRIPT}", pollers=pollers)
    database = Database(load(past.folder / "config.json", environ={}).database_url)
    database.prepare()
    rows = people(5, "2026-11-20T08:10+01:00", "in") + people(2, "2026-11-20T09:10+01:00", "out")
    other = people(3, "2026-11-19T10:10+01:00", "in")
    files = [visitor_file(f"{name}.json", *each, source=name) for name, each in (("12", rows), ("23", other))]
    database.records("park").ingest(files, now=NOW, keep_rows=True)
    lags = [
        LagRow("T03", f"2026-11-20 {hour:02}:10:00", None, 60.0 * hour, "stale", None)
        for hour in range(8, 12)
    ]
    hours = {
        (f"2026-11-20 {hour:02}:00:00", name): HourCount(60, *((10, 5) if name == "T03" else (20, 40)), 900.0)
        for hour in range(8, 12)
        for name in [*TARGETS, SCRIPT]
    }
    database.records("apps").note_checks(lags, hours)
    database.close()
    return past.folder


def run(folder: Path, **options: Any) -> int:
    """Return the exit status of a report of November 19 and 20, unless told otherwise."""
    given = {"start": "2026-11-19", "end": "2026-11-20", "poller": None, "by": None, "shape": "html"}
    try:
        return report(folder / "config.json", **{"excel": False, **given, **options})
    except typer.Exit as ending:
        return ending.exit_code


def made(capsysbinary: pytest.CaptureFixture[bytes], folder: Path, **options: Any) -> str:
    assert run(folder, **options) == 0
    return capsysbinary.readouterr().out.decode("utf-8")


def rows_of(page: str, caption: str) -> list[list[str]]:
    """Return the cells of the table with this caption, headings first."""
    (table,) = re.findall(
        rf"<caption>{re.escape(escape(caption))}\s*</caption>(.*?)</table>", page, re.DOTALL
    )
    return [
        [unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]
        for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    ]


class TestReadings:
    def test_the_title_names_tallyd_the_days_and_the_zone(
        self, past: Past, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, past.folder)
        (title,) = re.findall("<title>(.*)</title>", page)
        assert unescape(title) == f"park {SCRIPT}: divera, 2026-11-19 to 2026-11-20 (Europe/Berlin) · tallyd"
        assert "Made 2026-11-20 15:00 (Europe/Berlin)" in page
        assert '<html lang="en">' in page

    def test_a_missed_slot_has_its_reason_a_hidden_count_is_hidden_and_neither_is_a_zero(
        self, past: Past, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, past.folder)
        ready, seven = f"Ready {SCRIPT} (50101)", f"{SCRIPT} (7)"
        assert rows_of(page, "Readings") == [
            ["date", "time", "weekday", "total", ready, "50103", "note"],
            ["2026-11-19", "08:00", "Thu", "16", "12", "4", ""],
            ["2026-11-19", "20:00", "Thu", "9", "9", "0", "late by 12 min 30 s"],
            ["2026-11-20", "08:00", "Fri", "", "", "", f"missed: nothing ran {SCRIPT}"],
            ["2026-11-20", "12:00", "Fri", "hidden", "8", "hidden", ""],
        ]
        assert seven not in page
        assert "Numbers below 3 are hidden" in page
        assert "3 readings, 1 missed" in page

    def test_by_day_the_plot_and_the_table_hold_means_and_reasons_stand_below(
        self, past: Past, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, past.folder, by="day")
        assert rows_of(page, "By day: mean, least and most")[1:] == [
            ["2026-11-19", "Thu", "2", "0", "12.5 (9 to 16)", "10.5 (9 to 12)", "2.0 (0 to 4)"],
            ["2026-11-20", "Fri", "1", "1", "", "8.0 (8 to 8)", ""],
        ]
        assert rows_of(page, "Missed slots")[1:] == [["2026-11-20 08:00", f"nothing ran {SCRIPT}"]]
        assert "Hidden counts are left out of the means" in page

    def test_what_comes_from_outside_is_text(
        self, past: Past, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        for by in (None, "day", "weekday", "hour", "week", "month", "year"):
            page = made(capsysbinary, past.folder, by=by)
            assert "<script" not in page
            assert page.count(escape(SCRIPT)) >= 3
            assert "canary" not in page

    def test_control_characters_of_names_are_shown_and_do_nothing(
        self, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        write_config(tmp_path)
        Past(tmp_path).taken("2026-11-20T08:00:00", {"7": 1}, names={"7": "\u202eevil\n"})
        page = made(capsysbinary, tmp_path)
        assert "\\u202eevil\\n (7)" in page
        assert "\u202e" not in page

    def test_nothing_is_loaded_from_anywhere(
        self, past: Past, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, past.folder)
        assert "default-src 'none'" in unescape(page)
        assert not re.search(r"(src|href|action|srcset)=[\"'](?!#|data:)", page)
        assert not re.search(r"url\(|@import|http", page.replace("http-equiv", ""))
        assert len(page) < 40_000

    def test_days_without_a_reading_say_that_there_is_nothing_to_draw(
        self, past: Past, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, past.folder, start="2025-01-01", end="2025-01-02")
        assert "(Europe/Berlin): no readings</p>" in page
        assert "Nothing to draw: there is no reading." in page


class TestAllKinds:
    def test_every_poller_is_a_chapter_with_its_own_days(
        self, filled: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, filled, start=None, end=None)
        assert re.findall(r"<h2[^>]*>(.*)</h2>", page) == ["divera", "park", "apps"]
        assert "2026-10-22 to 2026-11-20 (Europe/Berlin): 3 readings, 1 missed" in page
        assert "2026-11-20 (Europe/Berlin): all together: 5 in, 2 out" in page
        assert "2026-10-22 to 2026-11-20 (Europe/Berlin): 15 targets" in page
        assert "<script" not in page

    def test_each_day_of_visitors_is_drawn_by_the_hour(
        self, filled: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, filled, poller="park", start="2026-11-18")
        headings = re.findall(r"<h3[^>]*>(.*)</h3>", page)
        assert headings == ["By day", "Thu 2026-11-19 by hour", "Fri 2026-11-20 by hour"]
        assert rows_of(page, "Fri 2026-11-20 by hour")[9] == ["08:00", "5", "0", "5", "5", "0"]
        assert "1 day has no records: nobody knows whether nobody came then, or nobody counted." in page

    def test_of_many_days_the_hours_stand_in_a_table(
        self, filled: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        days = [date(2026, 9, 1) + timedelta(days=number) for number in range(32)]
        rows = [row for day in days for row in people(1, f"{day}T12:00+02:00", "in")]
        database = Database(load(filled / "config.json", environ={}).database_url)
        database.records("park").ingest([visitor_file("more.json", *rows)], now=NOW, keep_rows=False)
        database.close()
        page = made(capsysbinary, filled, poller="park", start="2026-09-01", end="2026-10-02", by="hour")
        assert re.findall(r"<h3[^>]*>(.*)</h3>", page) == ["By day"]
        assert len(rows_of(page, "By hour")) == 1 + 32 * 24
        assert "Of more than 31 days, hours are not drawn." in page

    def test_one_source_or_group_is_told_by_what_people_call_it(
        self, filled: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, filled, source="12")
        assert f"{escape(f'Gate {SCRIPT}')} (12): 5 in, 2 out on 1 day with records" in page
        assert "zone five: 3 in, 0 out" in made(capsysbinary, filled, group="zone five", by="month")

    def test_a_day_without_records_is_not_said_to_have_had_no_visitors(
        self, filled: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, filled, poller="park", start="2026-11-01", end="2026-11-01")
        assert "all together: no records; nobody knows whether nobody came, or nobody counted" in page

    def test_the_targets_least_within_their_limit_are_drawn_and_all_stand_in_a_table(
        self, filled: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, filled, poller="apps")
        headings = [unescape(heading) for heading in re.findall(r"<h3[^>]*>(.*)</h3>", page)]
        assert headings[:2] == ["How old the data of T03 was", f"How old the data of {SCRIPT} was"]
        assert len(headings) == 12
        assert "The 12 targets least within their limit are drawn; below them, all are in a table." in page
        assert len(rows_of(page, "Targets, the least within their limit first")) == 1 + 15
        assert rows_of(page, "Checks of T03")[1:] == [
            ["2026-11-20", "Fri", "240", "25.00%", "16.67%", "15 min"]
        ]
        assert "stale above" in page

    @pytest.mark.parametrize(
        ("target", "start", "says"),
        [
            pytest.param("NEVER", "11-20", "none of its 240 checks found the time of its data", id="never"),
            pytest.param("T00", "11-20", "its data has not changed since the day before", id="stood still"),
            pytest.param("T01", "11-20", "its changes are not stored: its `record` is", id="not recorded"),
            pytest.param("T00", "08-01", "changes are kept for 90 days (database.keep_days)", id="pruned"),
        ],
    )
    def test_where_nothing_is_drawn_of_a_target_the_true_reason_is_told(
        self, filled: Path, capsysbinary: pytest.CaptureFixture[bytes], target: str, start: str, says: str
    ) -> None:
        unrecorded: Json = {"url": "https://app01.example/", "record": False}
        apps: dict[str, Json] = {"kind": "servers", "targets": {**TARGETS, "T01": unrecorded}}
        config = load(write_config(filled, pollers={"apps": apps}), environ={})
        hours = {(f"2026-11-20 {hour:02}:00:00", "NEVER"): HourCount(60, 0, 0, None) for hour in range(8, 12)}
        with closing(Database(config.database_url)) as database:
            database.records("apps").note_checks([], hours)
        page = made(capsysbinary, filled, poller="apps", start=f"2026-{start}")
        heading = f"How old the data of {target} was</h3>"
        assert f"<p>Nothing to draw: {says}" in page.partition(heading)[2].partition("</figure>")[0]

    def test_by_hour_the_shares_within_the_limit_and_fresh_are_drawn(
        self, filled: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        page = made(capsysbinary, filled, poller="apps", by="hour")
        assert "For how much of the time the data of T03 was within its limit, by hour" in page
        assert rows_of(page, "Checks of T03 by hour")[1][:6] == [
            "2026-11-20",
            "09:00",
            "Fri",
            "60",
            "25.00%",
            "16.67%",
        ]
        assert len(rows_of(page, "Targets that are not drawn")) == 1 + 3 * 4

    def test_what_can_not_be_read_is_said_in_the_file_too(
        self, filled: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        (filled / "state" / "state.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
        assert run(filled) == 1
        output = capsysbinary.readouterr()
        page = output.out.decode("utf-8")
        assert "Not all is here" in page
        assert re.findall(r"<h2[^>]*>(.*)</h2>", page) == ["park", "apps"]
        assert b"state.db" in output.err


class TestTroubles:
    def test_where_tallyd_never_ran_nothing_is_printed(
        self, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        write_config(tmp_path)
        assert run(tmp_path) == 1
        output = capsysbinary.readouterr()
        assert output.out == b""
        assert b"tallyd has not run with" in output.err

    def test_excel_is_wrong_usage(self, past: Past, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(past.folder, excel=True) == 2
        assert "--excel is CSV, not HTML; leave out --excel or --format html" in capsys.readouterr().err

    def test_a_missing_library_is_named_with_what_to_do(
        self, past: Past, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "tallyd.web.report_page", raising=False)
        monkeypatch.setitem(sys.modules, "jinja2", None)
        assert run(past.folder) == 1
        output = capsys.readouterr()
        assert output.out == ""
        assert "needs a library that is not installed (jinja2)" in output.err
        assert 'pip install "tallyd[web]"' in output.err

    def test_other_formats_import_nothing_that_draws(self, past: Past) -> None:
        program = (
            "import sys; from tallyd.cli.main import main; main()\n"
            "print([name for name in sys.modules if name.startswith(('tallyd.web', 'jinja2'))])"
        )
        command = [sys.executable, "-c", program, "--config", str(past.folder / "config.json"), "report"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.splitlines()[-1] == "[]"

    def test_the_file_is_utf_8_whatever_the_locale(self, past: Past) -> None:
        write_config(past.folder, name="Schönbrunn", pollers={"divera": DIVERA})
        command = [sys.executable, "-m", "tallyd", "report", "--format", "html"]
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run(
            command, cwd=past.folder, env=environment, capture_output=True, check=True, timeout=60
        )
        assert "Schönbrunn" in done.stdout.decode("utf-8")
        assert json.loads((past.folder / "config.json").read_text())["name"] == "Schönbrunn"


def test_of_very_many_rows_the_last_are_shown_and_the_file_says_so() -> None:
    found = table("Readings", ("number",), [(number,) for number in range(MOST_ROWS + 2)], texts=())
    assert (found.rows[0], found.rows[-1], len(found.rows)) == (("2",), ("5001",), MOST_ROWS)
    ranked = table(
        "Targets", ("number",), [(number,) for number in range(MOST_ROWS + 2)], texts=(), is_ranked=True
    )
    assert (ranked.rows[0], ranked.cut) == (("0",), "the first 5000 of 5002")
    chapter = Chapter(
        poller="x",
        kind="divera",
        zone="UTC",
        first=date(2026, 11, 20),
        last=date(2026, 11, 20),
        said="",
        before=(found,),
    )
    text = page_of(Report(name="x", period="x", zone="UTC", made="x", version="1", chapters=(chapter,)))
    assert "Readings; the last 5000 of 5002: <code>--format csv</code> has all" in text
