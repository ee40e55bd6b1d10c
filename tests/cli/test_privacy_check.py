"""`tallyd privacy-check`: finds what was written about people, wherever; never says it; writes nothing."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import pytest
from pytest_httpserver import HTTPServer

from adapters.records.conftest import postgresql  # noqa: F401 # a fixture, found by its name
from adapters.records.servers import Server
from support.divera import FIRST, LAST, MAIL, NOTE, PHONE, person
from support.past import Past, write_config
from tallyd.adapters.state import State
from tallyd.adapters.state.bodies import LONG_CHARS, packed
from tallyd.cli.privacy.privacy_check import personal_texts, privacy_check
from tallyd.cli.shared import load_config, tasks_named
from tallyd.core.errors import SourceError
from tallyd.core.reading import Json

TEXTS = (FIRST, LAST, PHONE, MAIL, NOTE)


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """An empty journal; called with a shell script, that is `journalctl` instead."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")

    def says(script: str) -> None:
        program = programs / "journalctl"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    says(":")
    return says


@pytest.fixture
def folder(tmp_path: Path, httpserver: HTTPServer) -> Path:
    """A folder with a reading, its out file and a log, and a Divera that answers with one person."""
    answer(httpserver, person())
    place = tmp_path / "site"
    place.mkdir()
    configure(place, httpserver)
    past = Past(place)
    past.taken("2026-11-20T08:00:00", {"50101": 12}, names={"50101": "Einsatzbereit"})
    body = {"counts": {"50101": 12}, "names": {"50101": "Einsatzbereit"}}
    write(place / "out/divera/2026-11/2026-11-20T080000+0100.json", json.dumps(body))
    write(place / "log/tallyd.log", '{"event": "reading taken"}\n')
    return place


def configure(
    folder: Path, httpserver: HTTPServer, top: Mapping[str, Json] = MappingProxyType({}), **keys: Json
) -> None:
    poller: dict[str, Json] = {
        "kind": "divera",
        "url": httpserver.url_for("/api/users"),
        "accesskey": "canary-key-8f3a",
        "at": ["08:00"],
        "status_names": {"50101": "Einsatzbereit"},
    }
    write_config(folder, pollers={"divera": {**poller, **keys}}, **top)


def answer(httpserver: HTTPServer, *people: dict[str, Any]) -> None:
    httpserver.clear()
    httpserver.expect_request("/api/users").respond_with_json({"success": True, "data": list(people)})


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return exit status and output of a check, which must never hold a personal text."""
    status = privacy_check(folder / "config.json", "divera")
    output = "".join(capsys.readouterr())
    assert not [text for text in TEXTS if text in output]
    return status, output


def store(database: Path, *values: str) -> None:
    """Write a database in which the values stand side by side."""
    database.parent.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(f"c{number}" for number in range(len(values)))
    with closing(sqlite3.connect(database)) as db:
        db.execute(f"CREATE TABLE strange ({columns})")
        db.execute(f"INSERT INTO strange VALUES ({', '.join('?' * len(values))})", values)
        db.commit()


def snapshot(folder: Path) -> dict[str, tuple[int, int, int]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_ino)
        for path in sorted(folder.rglob("*"))
    }


class TestNothingFound:
    def test_a_clean_folder_proves_it(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        status, output = run(folder, capsys)
        assert status == 0
        assert output.startswith(
            "searched 3 files (0.1 MB) and the journal for 5 values of 5 fields: nothing found"
        )

    def test_it_leaves_no_trace_beside_a_daemon_at_rest(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = snapshot(folder)
        run(folder, capsys)
        assert snapshot(folder) == before

    def test_it_leaves_no_trace_beside_a_running_daemon(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with closing(State(folder / "state" / "state.db")) as state:
            state.set_note("somewhat", "new")
            before = snapshot(folder)
            run(folder, capsys)
            assert snapshot(folder) == before


class TestFound:
    @pytest.mark.parametrize(
        ("place", "text", "shown"),
        [
            pytest.param(
                "out/divera/2026-11/x.json",
                f'{{"a": 1,\n "who": "{LAST}"}}',
                "data.lastname in {}, line 2",
                id="out",
            ),
            pytest.param("out/divera/latest.json", f'["{MAIL}"]', "data.email in {}, line 1", id="latest"),
            pytest.param(
                "log/tallyd.log", f"1\n2\n{PHONE}\n", "data.phonenumbers.number in {}, line 3", id="log"
            ),
            pytest.param("log/tallyd.log.7", quote(NOTE), "data.status_note in {}, line 1", id="rotated-log"),
            pytest.param("state/state.db-wal", f"\0{LAST}\0", "data.lastname in {}, byte 1", id="wal"),
            pytest.param(
                "state/state.db.damaged-2026-11-20T080000Z",
                f"SQLite format 3\0{LAST}",
                "byte 16",
                id="damaged",
            ),
            pytest.param("state/locks/x.lock", FIRST, "data.firstname in {}, line 1", id="lock"),
        ],
    )
    def test_it_is_named_by_field_and_place(
        self, folder: Path, capsys: pytest.CaptureFixture[str], place: str, text: str, shown: str
    ) -> None:
        write(folder / place, text)
        status, output = run(folder, capsys)
        assert status == 1
        assert "found: " + shown.format(folder / place) in output or shown in output
        assert "1 of them found, in 1 place" in output

    @pytest.mark.parametrize("database", ["state/state.db.damaged-2026", "state/other.db"])
    def test_in_a_database_every_value_is_a_text_of_its_own(
        self, folder: Path, capsys: pytest.CaptureFixture[str], database: str
    ) -> None:
        store(folder / database, "a", LAST, "b")
        status, output = run(folder, capsys)
        assert status == 1
        assert f"found: data.lastname in {folder / database}, table strange, row 1\n" in output

    def test_in_a_database_within_a_backup(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        store(folder / "strange.db", "a", LAST, "b")
        (folder / "backups").mkdir()
        archive = folder / "backups" / "2026-11-20T080000Z.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as written:
            written.write(folder / "strange.db", "state.db")
        (folder / "strange.db").unlink()
        status, output = run(folder, capsys)
        assert status == 1
        assert f"found: data.lastname in {archive}/state.db, table strange, row 1\n" in output

    def test_what_a_running_daemon_has_not_yet_put_into_the_database_is_found(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with closing(State(folder / "state" / "state.db")) as state:
            state.set_note("a", LAST)
            status, output = run(folder, capsys)
        assert status == 1
        assert f"found: data.lastname in {folder / 'state/state.db'}, table meta, row" in output

    def test_in_the_journal(
        self, folder: Path, capsys: pytest.CaptureFixture[str], journal: Callable[[str], None]
    ) -> None:
        journal(f"echo one; echo 'name={LAST}'; echo '{LAST}'")
        status, output = run(folder, capsys)
        assert status == 1
        assert "found: data.lastname in the journal of tallyd.service, line 2 and 1 more times\n" in output

    def test_in_the_name_of_a_file(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write(folder / "out" / "divera" / f"{LAST}.json", f'"{FIRST}"')
        status, output = run(folder, capsys)
        assert status == 1
        assert f"found: data.lastname in {folder / 'out/divera'}, the name of a file\n" in output
        assert f"found: data.firstname in {folder / 'out/divera'}/***.json, line 1\n" in output

    def test_in_the_name_of_a_folder(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "out" / "divera" / LAST).mkdir()
        status, output = run(folder, capsys)
        assert status == 1
        assert f"found: data.lastname in {folder / 'out/divera'}, the name of a folder\n" in output

    def test_through_a_link_too(
        self, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write(tmp_path / "elsewhere" / "x.json", LAST)
        (folder / "out" / "other").symlink_to(tmp_path / "elsewhere")
        assert run(folder, capsys)[0] == 1

    def test_many_findings_are_counted_not_listed(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for number in range(60):
            write(folder / "out" / "divera" / f"{number}.json", LAST)
        _, output = run(folder, capsys)
        assert output.count("found: data.lastname") == 50
        assert "found: 10 more\n" in output

    def test_in_a_long_reading_which_is_stored_compressed(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        long = packed(json.dumps({"who": LAST, "more": "x" * LONG_CHARS}))
        assert LAST not in long
        with closing(sqlite3.connect(folder / "state" / "state.db")) as db:
            db.execute("UPDATE reading SET body=?", (long,))
            db.commit()
        status, output = run(folder, capsys)
        assert status == 1
        assert f"found: data.lastname in {folder / 'state/state.db'}, table reading, row 1" in output

    def test_in_a_state_on_a_server(
        self,
        folder: Path,
        httpserver: HTTPServer,
        postgresql: Server,  # noqa: F811 # a fixture, found by its name
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        url = postgresql.url(postgresql.new_database())
        configure(folder, httpserver, top={"state": {"dir": "state", "url": url}})
        with closing(State(url)) as state:
            assert run(folder, capsys)[0] == 0
            state.set_note("strange", LAST)
        status, output = run(folder, capsys)
        assert status == 1
        assert re.search("found: data.lastname in PostgreSQL at .*, table meta, row 1", output)

    def test_a_state_on_a_server_that_is_away_proves_nothing(
        self, folder: Path, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        url = "postgresql+psycopg://tallyd@127.0.0.1:1/tallyd"
        configure(folder, httpserver, top={"state": {"dir": "state", "url": url}})
        status, output = run(folder, capsys)
        assert status == 1
        assert "not searched: PostgreSQL at 127.0.0.1:1" in output


class TestWhatDoesNotCount:
    def test_the_name_of_a_status_may_be_somebodys_too(
        self, folder: Path, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answer(httpserver, person(lastname="Einsatzbereit", firstname="Frei"))
        write(folder / "out/divera/2026-10/2026-10-20T080000+0200.json", '{"names": {"7": "Frei ab acht"}}')
        status, output = run(folder, capsys)
        assert status == 0
        assert "note: data.lastname: 1 value also in the name of a status; not counted\n" in output
        assert "note: data.firstname: 1 value also in the name of a status; not counted\n" in output

    def test_what_the_config_says_is_written_anyway(
        self, folder: Path, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answer(httpserver, person(address={"city": "Berlin"}))
        write(folder / "log/tallyd.log", "Europe/Berlin\n")
        status, output = run(folder, capsys)
        assert status == 0
        assert "note: data.address.city: 1 value also in the config; not counted\n" in output

    def test_a_few_digits_are_found_anywhere(
        self, folder: Path, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answer(httpserver, person(phone="2026"))
        write(folder / "log/tallyd.log", "2026-11-20\n")
        status, output = run(folder, capsys)
        assert status == 0
        assert (
            "note: data.phone: 1 value too short, or with too few digits, to search for; not searched\n"
            in output
        )

    def test_a_comment_in_the_config_excuses_nothing(
        self, folder: Path, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(folder, httpserver, {}, **{"// ask": LAST})
        write(folder / "log/tallyd.log", LAST)
        assert run(folder, capsys)[0] == 1


class TestNothingProved:
    def test_an_answer_without_people_proves_nothing(
        self, folder: Path, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answer(httpserver, {"status_id": 50101})
        status, output = run(folder, capsys)
        assert status == 1
        assert "divera: the reply contains no personal data" in output

    def test_nor_does_a_folder_without_files(
        self, tmp_path: Path, folder: Path, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        empty = tmp_path / "empty"
        empty.mkdir()
        configure(empty, httpserver)
        status, output = run(empty, capsys)
        assert status == 1
        assert "tallyd has written nothing yet, so nothing is proved" in output
        assert [path.name for path in empty.iterdir()] == ["config.json"]

    def test_nor_does_a_file_that_cannot_be_read(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "log" / "tallyd.log.1").symlink_to("tallyd.log.1")
        status, output = run(folder, capsys)
        assert status == 1
        assert f"not searched: {folder / 'log/tallyd.log.1'}: too many levels of symbolic links\n" in output

    def test_a_pipe_is_no_file(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        os.mkfifo(folder / "log" / "tallyd.log.pipe")
        assert stat.S_ISFIFO((folder / "log" / "tallyd.log.pipe").stat().st_mode)
        assert run(folder, capsys)[0] == 0

    @pytest.mark.parametrize(
        ("script", "said"),
        [
            pytest.param(
                "echo 'Hint: You are currently not seeing messages from the system.' >&2; echo 'More.' >&2",
                "journalctl reported: Hint: You are currently not seeing messages from the system.",
                id="not-allowed",
            ),
            pytest.param("exit 3", "journalctl reported: it ended with status 3", id="failed"),
        ],
    )
    def test_a_journal_that_was_not_searched_is_said_to_be(
        self,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
        journal: Callable[[str], None],
        script: str,
        said: str,
    ) -> None:
        journal(script)
        status, output = run(folder, capsys)
        assert status == 0
        assert f"The journal was not searched: {said.removesuffix('.')}.\n" in output
        assert "and the journal" not in output

    def test_a_machine_without_a_journal_is_searched_without(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(folder))
        status, output = run(folder, capsys)
        assert status == 0
        assert "The journal was not searched: this machine has no journalctl." in output

    def test_a_source_that_refuses_is_an_error_of_the_source(
        self, folder: Path, httpserver: HTTPServer
    ) -> None:
        httpserver.clear()
        httpserver.expect_request("/api/users").respond_with_data("", status=403)
        with pytest.raises(SourceError, match="access key refused"):
            privacy_check(folder / "config.json", "divera")


class TestSources:
    def test_a_poller_that_is_sent_nothing_personal_has_nothing_to_look_for(self, folder: Path) -> None:
        class Plain:
            kind = "plain"

        config = load_config(folder / "config.json")
        (task,) = tasks_named(config, "divera")
        plain: Any = Plain()
        assert personal_texts(config, replace(task, source=plain)) is None

    def test_a_field_whose_name_may_be_a_persons_is_not_spelled_out(
        self, folder: Path, httpserver: HTTPServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        answer(httpserver, {"names": {LAST: {"name": LAST}, f"{FIRST} {LAST}": {"name": FIRST}}})
        write(folder / "log/tallyd.log", f"{FIRST}\n{LAST}\n")
        status, output = run(folder, capsys)
        assert status == 1
        assert "found: data.names.*.name in " in output
