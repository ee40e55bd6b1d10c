"""`tallyd report` of all kinds: from both databases, with the options of a kind, also as HTML."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import time_machine
import typer

from support import warm
from support.past import Past, minutely
from support.webfolder import CONFIG, NOW, Web
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.tables import VERSION_TABLE
from tallyd.cli.views.report import report
from tallyd.reporting.chapters import Wanted

HOURS = {
    ("2026-11-20 08:00:00", "PROD\\"): minutely(60, 30, 15, 4000.04),
    ("2026-11-20 09:00:00", "=1+1"): minutely(60, 0, 0, None),
}
DAYS = "2026-11-14 to 2026-11-20 (Europe/Berlin)"


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All three kinds: readings, 4 passages at source 12, and checks of two targets."""
    web = Web(tmp_path)
    web.fill_records()
    with closing(Database(web.config.database_url)) as database:
        database.records("apps").note_checks([], HOURS)
    return tmp_path


def run(folder: Path, **wanted: Any) -> int:
    try:
        return report(folder / "config.json", Wanted(**{"options": {}, **wanted}))
    except typer.Exit as ending:
        return ending.exit_code


def write_config(folder: Path, **changes: Any) -> None:
    """Write the config again, with other pollers or keys."""
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}), "utf-8")


class TestAllKinds:
    def test_each_has_its_own_days_in_the_order_of_the_config(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(folder) == 0
        output = capsys.readouterr()
        assert [line for line in output.out.splitlines() if "(Europe/Berlin)" in line] == [
            "divera, 2026-10-22 to 2026-11-20 (Europe/Berlin): 2 readings, 1 missed",
            "park, 2026-11-20 (Europe/Berlin): all together: 3 in, 1 out",
            f"apps, {DAYS}: 2 targets, 120 checks, 37.50% within the limit, 25.00% fresh, 99.37% no data",
        ]
        assert output.out.count("\n\n") == 2
        assert output.err == "30 days, 2026-10-22 to 2026-11-20; others with --from and --to\n"

    def test_json_is_one_list_with_what_was_asked_for(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(folder, shape="json", by="day", start="2026-11-20") == 0
        found = json.loads(capsys.readouterr().out)
        assert [(each["poller"], each["kind"], each["by"]) for each in found] == [
            ("divera", "divera", "day"),
            ("park", "visitors", "day"),
            ("apps", "servers", "day"),
        ]
        assert [next(iter(each["past"]["tables"])) for each in found] == ["readings", "visits", "targets"]
        assert found[1]["past"]["tables"]["visits"]["rows"][0]["in"] == 3
        assert found[1]["now"]["stats"]["inside"] == 2
        assert found[2]["past"]["tables"]["targets"]["rows"][1] == {
            "target": "PROD\\",
            "begin": "2026-11-20T00:00:00+01:00",
            "date": "2026-11-20",
            "weekday": "Fri",
            "within_limit_share": 0.75,
            "fresh_share": 0.5,
            "no_data_share": 0.9286,
            "lag_s_max": 4000.0,
            "checks": 60,
        }

    def test_one_csv_can_not_hold_tables_that_differ(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(folder, excel=True, start="2026-11-20") == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.endswith("add --poller and one of: divera, park, apps\n")

    @pytest.mark.parametrize(
        ("poller", "line"),
        [
            ("divera", '2026-11-20,08:00,Fri,,12,,"hidden (hide_below 5): total, 50103"'),
            ("park", "2026-11-20,08:00,Fri,3,1,2,2,0"),
            ("apps", "'=1+1,0.0,0.0,0.9286,,60"),
        ],
    )
    def test_a_csv_of_one_of_them_is_fine(
        self, folder: Path, capsys: pytest.CaptureFixture[str], poller: str, line: str
    ) -> None:
        assert run(folder, shape="csv", poller=poller, start="2026-11-20") == 0
        assert line in capsys.readouterr().out.splitlines()

    def test_two_of_a_kind_share_one_csv(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        park: Any = CONFIG["pollers"]["park"]
        write_config(folder, pollers={"park": park, "zoo": {**park, "inbox": "zoo"}})
        assert run(folder, excel=True, by="day", start="2026-11-20", options={"source": "12"}) == 0
        assert capsys.readouterr().out.splitlines() == [
            "\ufeffpoller;date;weekday;in;out;inside;most inside;other",
            "park;2026-11-20;Fri;3;1;2;2;0",
        ]

    def test_one_that_has_left_the_config_can_still_be_asked_for(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_config(folder, pollers={})
        Past(folder, "park", kind="visitors").taken("2026-11-20T10:00:00", {"in": 1})
        assert run(folder, poller="park") == 0
        assert capsys.readouterr().out.startswith(
            "park, 2026-11-20 (Europe/Berlin): all together: 3 in, 1 out\n"
        )


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "heading"),
        [
            ({"source": "12"}, 'park, 2026-11-20 (Europe/Berlin): Gate "12" (12): 3 in, 1 out'),
            ({"group": "north"}, "park, 2026-11-20 (Europe/Berlin): north: 3 in, 1 out"),
            (
                {"target": "PROD\\"},
                f"apps, {DAYS}: PROD\\: 60 checks, 75.00% within the limit, 50.00% fresh, 99.37% no data",
            ),
        ],
    )
    def test_only_pollers_that_have_the_option_are_shown(
        self, folder: Path, capsys: pytest.CaptureFixture[str], options: dict[str, str], heading: str
    ) -> None:
        assert run(folder, options=options) == 0
        assert heading in capsys.readouterr().out.split("\n")
        assert run(folder, options=options, shape="json") == 0
        (found,) = json.loads(capsys.readouterr().out)
        assert found["options"] == options

    @pytest.mark.parametrize(
        ("options", "name", "titles"),
        [
            (
                {"target": "PROD\\"},
                "PROD\\",
                ("Last changes of its state", "Checks of PROD\\ by day", "Incidents"),
            ),
            ({"source": "12"}, 'Gate "12" (12)', ("Share of the time", "Incidents")),
        ],
    )
    def test_a_target_or_source_has_all_that_its_view_has(
        self,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        options: Mapping[str, str],
        name: str,
        titles: tuple[str, ...],
    ) -> None:
        assert run(folder, options=options) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if line in titles] == [*titles]
        assert any(line.startswith("Nothing is known of incidents") for line in lines)

    def test_a_poller_that_does_not_know_the_name_is_left_out_if_another_one_does(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        park: Any = CONFIG["pollers"]["park"]
        write_config(folder, pollers={"zoo": {**park, "inbox": "zoo", "groups": {}}, "park": park})
        assert run(folder, options={"group": "north"}, shape="csv") == 0
        assert capsys.readouterr().out.startswith("date,hour,")

    @pytest.mark.parametrize(
        ("wanted", "said"),
        [
            pytest.param(
                {"options": {"source": "2"}},
                'no source "2" is configured, and none of that name',
                id="source",
            ),
            pytest.param(
                {"options": {"group": "nort"}},
                'there is no group "nort" in the config; did you mean "north"?',
                id="group",
            ),
            pytest.param({"options": {"target": "X"}}, 'no target "X" was checked', id="target"),
            pytest.param(
                {"options": {"source": "12", "group": "north"}}, "a source and a group can't", id="both"
            ),
            pytest.param(
                {"options": {"source": "12", "target": "TEST"}},
                "--source and --target can't go together; leave one out",
                id="of-two-kinds",
            ),
            pytest.param(
                {"options": {"target": "12"}, "poller": "park"},
                '--target is for pollers of kind servers; "park" is none',
                id="of-another-kind",
            ),
            pytest.param({"poller": "prk"}, 'there is no poller "prk"', id="poller"),
            pytest.param({"excel": True, "shape": "html"}, "--excel is CSV, not HTML", id="excel-is-csv"),
        ],
    )
    def test_what_makes_no_sense_is_wrong_usage(
        self, folder: Path, capsys: pytest.CaptureFixture[str], wanted: dict[str, Any], said: str
    ) -> None:
        assert run(folder, **wanted) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith("tallyd: ")
        assert said in output.err

    def test_an_option_of_a_kind_that_is_not_configured_is_wrong_usage(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_config(folder, pollers={"divera": CONFIG["pollers"]["divera"]})
        assert run(folder, options={"source": "12"}) == 2
        assert capsys.readouterr().err == (
            "tallyd: --source is for pollers of kind visitors; there is none\n"
        )

    @pytest.mark.parametrize("option", ["--source=12", "--group=north", "--target=TEST"])
    def test_the_command_takes_them(self, folder: Path, option: str) -> None:
        command = ("report", "--from", "2026-11-20", "--format", "json", option)
        done = warm.run("-m", "tallyd", *command, cwd=folder)
        (found,) = json.loads(done.stdout)
        assert found["options"] == dict([option.removeprefix("--").split("=")])


class TestTroubles:
    def test_a_database_without_tables_holds_nothing(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "state" / "records.db").unlink()
        assert run(folder) == 0
        assert "park, 2026-11-20 (Europe/Berlin): all together: no records\n" in capsys.readouterr().out
        assert not (folder / "state" / "records.db").exists()

    @pytest.mark.parametrize("shape", ["table", "json", "html"])
    def test_while_records_can_not_be_read_the_others_are_shown(
        self, folder: Path, capsys: pytest.CaptureFixture[str], shape: str
    ) -> None:
        database = folder / "state" / "records.db"
        database.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
        for rest in (".db-wal", ".db-shm"):
            database.with_suffix(rest).unlink(missing_ok=True)
        assert run(folder, shape=shape, start="2026-11-19") == 1
        output = capsys.readouterr()
        assert "50101" in output.out
        assert [line.partition(" (")[0] for line in output.err.splitlines()] == [
            "tallyd: park: SQLite",
            "tallyd: apps: SQLite",
        ]
        assert ("Something is missing" in output.out) == (shape == "html")

    def test_tables_of_a_newer_tallyd_are_not_read(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with closing(sqlite3.connect(folder / "state" / "records.db")) as database, database:
            database.execute(f"UPDATE {VERSION_TABLE} SET version_num='9999'")
        assert run(folder, poller="park") == 1
        output = capsys.readouterr()
        assert output.out == ""
        assert "its tables are from a newer tallyd; install that version again" in output.err

    def test_a_server_that_does_not_answer_is_named_without_its_password(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with closing(socket.socket()) as taken:  # bound, and nobody listens
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            url = f"postgresql+psycopg://tallyd:canary-8f3a@127.0.0.1:{port}/tallyd"
            write_config(folder, database={"url": url})
            assert run(folder, poller="park") == 1
        said = capsys.readouterr().err
        assert said.startswith(f"tallyd: park: PostgreSQL at 127.0.0.1:{port}")
        assert "canary" not in said


class TestHtml:
    def test_every_poller_is_a_chapter_with_its_own_days(
        self, folder: Path, capsysbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        assert run(folder, shape="html") == 0
        page = capsysbinary.readouterr().out.decode()
        assert re.findall(r"<h2[^>]*>(.*)</h2>", page) == ["divera", "park", "apps"]
        assert "2026-11-20 (Europe/Berlin): all together: 3 in, 1 out" in page
        assert "2026-11-20 14:00 (Europe/Berlin)" in page
        assert "canary" not in page

    def test_the_file_is_utf_8_whatever_the_locale(self, folder: Path) -> None:
        write_config(folder, name="Schönbrunn")
        command = [sys.executable, "-m", "tallyd", "report", "--format", "html"]
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, check=True, timeout=60
        )
        assert "Schönbrunn" in done.stdout.decode("utf-8")

    def test_a_missing_library_is_named_with_what_to_do(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in [name for name in sys.modules if name.startswith("tallyd.presentation.html")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "jinja2", None)
        assert run(folder, shape="html", start="2026-11-19") == 1
        output = capsys.readouterr()
        assert output.out == ""
        assert "needs a library that is not installed (jinja2)" in output.err
        assert 'pip install "tallyd[web]"' in output.err

    def test_other_forms_import_nothing_that_draws(self, folder: Path) -> None:
        program = (
            "import sys; from tallyd.cli.main import main; main()\n"
            "print([name for name in sys.modules if name.startswith(('tallyd.web', 'jinja2', 'markupsafe'))])"
        )
        command = [sys.executable, "-c", program, "--config", str(folder / "config.json"), "report"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.splitlines()[-1] == "[]"
