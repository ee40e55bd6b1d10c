"""How the tables are created, and what happens if they are not those of this tallyd."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from adapters.records.conftest import KINDS
from adapters.records.samples import DAY, IN, NOW, visitor_file
from adapters.records.sites import Site
from support.long import some
from tallyd.adapters.records.create_sqlite import make_file
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.migration import COMMAND, RecordsTooNewError, bring_up_to_date
from tallyd.adapters.records.migration_main import configured
from tallyd.adapters.records.poller_records import PollerRecords
from tallyd.adapters.records.tables import KNOWN_REVISIONS, REVISION, VERSION_TABLE
from tallyd.core.errors import RecordsError


def test_the_code_knows_the_revisions_that_there_are() -> None:
    scripts = ScriptDirectory.from_config(configured())

    assert scripts.get_heads() == [REVISION]
    assert {script.revision for script in scripts.walk_revisions()} == KNOWN_REVISIONS


USES: dict[str, Callable[[PollerRecords], object]] = {
    "reading": lambda records: records.counts(*DAY),
    "storing": lambda records: records.ingest([visitor_file("a", IN)], now=NOW, keep_rows=True),
    "deleting": lambda records: records.prune(NOW, most=1),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_the_first_use_creates_the_tables_whatever_it_is(
    tmp_path: Path, use: Callable[[PollerRecords], object]
) -> None:
    with closing(Database(f"sqlite:///{tmp_path}/records.db", prepares=True)) as database:
        use(database.records("x"))
        assert database.revision() == REVISION


def _schema(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master"
        ).fetchall()
        revision = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()
    written = [(*row[:3], re.sub(r"\s+", " ", row[3]).replace("( ", "(").replace(" )", ")")) for row in rows]
    return [*sorted(written), *revision]


def test_a_new_sqlite_file_is_as_migrations_leave_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, migrated = tmp_path / "new.db", tmp_path / "migrated.db"
    migrated.touch()
    bring_up_to_date(f"sqlite:///{migrated}", "here")
    monkeypatch.setattr(subprocess, "Popen", None)  # it needs none
    Database(f"sqlite:///{new}").prepare()
    assert _schema(new) == _schema(migrated)
    assert new.stat().st_mode & 0o777 == 0o640


def test_processes_that_make_a_new_file_at_once_all_succeed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/records.db"
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(make_file, url, "here") for _ in range(6)]:
            done.result()
    assert Database(url).revision() == REVISION


def test_a_connection_that_is_open_meanwhile_keeps_its_locks(tmp_path: Path) -> None:
    """Without the locks, the next process that closes the file deletes its log, and written data is lost."""
    path = tmp_path / "records.db"
    database = Database(f"sqlite:///{path}")
    database.prepare()
    make_file(f"sqlite:///{path}", "here")  # another process was faster
    look = (
        f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('SELECT * FROM passage'); c.close()"
    )
    subprocess.run([sys.executable, "-c", look], check=True)
    assert path.with_name("records.db-wal").exists()
    database.close()
    opened = [os.path.realpath(one) for one in Path("/proc/self/fd").iterdir()]
    assert not [one for one in opened if one.startswith(str(tmp_path))]


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="no such file or directory"):
        Database(f"sqlite:///{tmp_path}/none/records.db").prepare()


def test_mariadb_may_be_called_by_its_own_name(mariadb_site: Site) -> None:
    database = Database(mariadb_site.url.replace("mysql+", "mariadb+"))

    assert database.revision() == REVISION
    assert database.records("by its name").ingest([visitor_file("a", IN)], now=NOW, keep_rows=True) == (
        "done",
    )
    database.close()


def test_without_anything_to_migrate_no_process_is_started(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("started")

    monkeypatch.setattr(subprocess, "Popen", refuse)

    site.database.prepare()


@pytest.mark.parametrize("site", some(KINDS), indirect=True)
def test_a_newer_database_is_rejected_and_not_changed_here_and_by_the_process_itself(site: Site) -> None:
    def set_revision(revision: str) -> None:
        with site.database.access.writing() as connection:
            connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num='{revision}'")

    set_revision("9999")
    try:
        with pytest.raises(RecordsTooNewError, match="newer tallyd"):
            site.database.prepare()
        with pytest.raises(RecordsTooNewError, match="newer tallyd"):
            bring_up_to_date(site.url, "here")
        assert site.database.revision() == "9999"
    finally:
        set_revision(REVISION)


@pytest.mark.parametrize("site", some(KINDS, 1), indirect=True)
def test_two_processes_that_migrate_at_once_both_succeed(empty_url: str) -> None:
    running = [
        subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            env={"PYTHONPATH": os.pathsep.join(filter(os.path.isabs, sys.path))},
        )
        for _ in range(2)
    ]
    for process in running:
        assert process.stdin
        process.stdin.write(json.dumps({"url": empty_url}).encode())
        process.stdin.close()
        process.stdin = None
    answers = [(process.communicate(timeout=60)[0], process.returncode) for process in running]

    assert answers == [(b"", 0)] * 2
    database = Database(empty_url)
    assert database.revision() == REVISION
    database.close()


def test_tables_come_from_nothing_and_again_after_a_migration_that_was_interrupted(empty_url: str) -> None:
    """On MariaDB each statement is its own transaction, so some tables may exist without a revision."""
    database = Database(empty_url)
    assert database.revision() is None

    database.prepare()

    assert database.revision() == REVISION
    records = database.records("x")
    assert records.ingest([visitor_file("a", IN)], now=NOW, keep_rows=True) == ("done",)
    database.prepare()
    assert set(records.counts(*DAY)) == {"12"}
    is_transactional = database.access.kind != "mysql"
    with database.access.writing() as connection:
        connection.exec_driver_sql(f"DELETE FROM {VERSION_TABLE}")
        connection.exec_driver_sql("DROP VIEW passage_readable")
        for table in ("passage_minute", "passage"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        if is_transactional:  # there it is all or nothing
            checks = ("server_lag", "server_hour")
            others = ("ingested_file", "inside_correction", *checks, "imported", "arrival", "host")
            for table in (*others, VERSION_TABLE):
                connection.exec_driver_sql(f"DROP TABLE {table}")

    database.prepare()

    assert database.revision() == REVISION
    assert records.counts(*DAY) == {}
    database.close()
    database.close()


def test_the_url_is_neither_in_the_command_line_nor_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[tuple[object, object]] = []
    real = subprocess.Popen

    class Noted(real[bytes]):  # type: ignore[misc, valid-type] # the real one, looked at
        def __init__(self, command: object, **options: object) -> None:
            handed.append((command, options["env"]))
            super().__init__(command, **options)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    monkeypatch.setenv("SOME_DATABASE_URL", f"sqlite:///{tmp_path}/records.db")
    (tmp_path / "records.db").touch()
    Database(f"sqlite:///{tmp_path}/records.db").prepare()

    assert len(handed) == 1
    assert f"{tmp_path}/records.db" not in repr(handed)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secret-Zq7",
        "secret-Zq7://x",
        "postgresql://secret-Zq7@h/x",
        "mysql+mysqldb://a:secret-Zq7@h/x",
        "sqlite://",
        "sqlite:///secret-Zq7.db",
        "sqlite:////tmp/secret-Zq7.db?mode=ro",
        "postgresql+psycopg://a:secret-Zq7@h:port/x",
    ],
)
def test_an_unusable_url_is_rejected_without_showing_it(url: str) -> None:
    with pytest.raises(RecordsError) as caught:
        Database(url)

    assert "Zq7" not in caught.value.text
    assert "sqlite:////PATH" in caught.value.text


@pytest.mark.parametrize("kind", ["postgresql+psycopg", "mysql+pymysql"])
def test_an_unknown_option_of_the_driver_is_rejected_without_showing_it(kind: str) -> None:
    with pytest.raises(RecordsError, match="does not know") as caught:
        Database(f"{kind}://tally@h/x?secret-Zq7=1")

    assert "Zq7" not in caught.value.text


def test_options_that_a_driver_knows_are_taken() -> None:
    Database("mysql+pymysql://tally@/x?unix_socket=/run/x").close()
    database = Database("postgresql+psycopg://tally@/x?host=/run/x&sslmode=prefer")

    with pytest.raises(RecordsError, match="on this machine: nothing accepts connections"):
        database.revision()
    database.close()


def test_a_driver_that_is_not_installed_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['psycopg'] = sys.modules['pymysql'] = None\n"
        "from tallyd.adapters.records.database import Database\n"
        "from tallyd.core.errors import RecordsError\n"
        "for url in sys.argv[1:]:\n"
        "    try: Database(url)\n"
        "    except RecordsError as error: print(error.text)\n"
    )
    urls = ["postgresql+psycopg://a@h/x", "mysql+pymysql://a@h/x"]
    done = subprocess.run(
        [sys.executable, "-c", script, *urls], capture_output=True, text=True, check=True, timeout=30
    )

    postgresql, mysql = done.stdout.splitlines()
    assert "pip install 'tallyd[postgres]'" in postgresql
    assert "pip install 'tallyd[mysql]'" in mysql
