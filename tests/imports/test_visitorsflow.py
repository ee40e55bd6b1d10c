"""Rows of VisitorsFlow become counts of minutes, once, and never in a day that tallyd has counted."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapters.records.samples import visitor_file
from adapters.records.servers import ESCAPED, PASSWORD, Server
from imports.oldflow import OldRow, dump, flow, store, write_csv
from support.needs import needs
from tallyd.adapters.records.database import Database
from tallyd.adapters.state import State
from tallyd.cli.actions.imports import Wanted, bring_data, print_config
from tallyd.cli.app import app
from tallyd.config.load import load
from tallyd.contract.passages import Count

Said = Callable[[], tuple[str, str]]
PROGRAM = "visitorsflow"
HOSTS = ("12", "23", "24")
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
ROWS: Sequence[OldRow] = (*flow("2024-10-26", HOSTS), *flow("2024-10-27", HOSTS), *flow("2024-10-28", HOSTS))
"""Three days, of which the second has 25 hours."""


def configured(folder: Path, *, url: str = "", **poller: Any) -> Path:
    path = folder / "config.json"
    settings = {
        "timezone": "Europe/Berlin",
        "pollers": {"park": {"kind": "visitors", "inbox": "inbox", **poller}},
    }
    path.write_text(json.dumps({**settings, **({"database": {"url": url}} if url else {})}))
    return path


def imported(path: Path, old: Path | str, *, dry_run: bool = False, table: str = "") -> int:
    return bring_data(path, Wanted(program=PROGRAM, old=str(old), dry_run=dry_run, table=table))


def stored(path: Path) -> dict[str, Count]:
    with closing(Database(load(path, environ={}).database_url)) as database:
        return dict(database.records("park").counts(*EVER)) if database.has_tables() else {}


def sums(counts: dict[str, Count]) -> dict[str, tuple[int, int, int]]:
    return {source: (count.n_in, count.n_out, count.n_other) for source, count in counts.items()}


def expected(rows: Sequence[OldRow]) -> dict[str, tuple[int, int, int]]:
    """Return what plain counting says."""
    ways = Counter((str(row[5]), int(str(row[1]))) for row in rows)
    return {
        source: (ways[source, 0], ways[source, 1], ways[source, 2])
        for source in {str(row[5]) for row in rows}
    }


def a_file(tmp_path: Path, text: str, name: str = "old.csv") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("origin", "column"),
    [
        pytest.param("database", ("PeopleFlow", "datetime"), id="database"),
        pytest.param("database", ("peopleflow", "timestamp"), id="database in the server's zone"),
        pytest.param("dump", ("peopleflow", "varchar(20)"), id="dump of texts"),
        pytest.param("dump --skip-tz-utc", ("PeopleFlow", "timestamp"), id="dump in the server's zone"),
        pytest.param(
            "dump --skip-extended-insert --complete-insert --skip-comments",
            ("peopleflow", "datetime"),
            id="dump with an INSERT a row",
        ),
    ],
)
def test_a_table_and_its_dump_become_the_counts_of_each_minute(
    tmp_path: Path,
    mariadb: Server,
    said: Said,
    origin: str,
    column: tuple[str, str],
) -> None:
    needs("mysqldump")
    table, kind = column
    database = store(mariadb, ROWS, kind=kind, table=table)
    how, *options = origin.split()
    old = (
        mariadb.url(database) if how == "database" else dump(mariadb, database, tmp_path / "a.sql", *options)
    )
    path = configured(tmp_path)
    assert imported(path, old) == 0
    assert said()[0] == f"park: imported: {len(ROWS)} records, 2024-10-26 to 2024-10-28"
    found = stored(path)
    assert sums(found) == expected(ROWS)
    assert (found["12"].first_at, found["12"].last_at) == ("2024-10-26 06:01:07", "2024-10-28 16:59:54")


def test_a_table_in_postgresql_becomes_the_same_counts(
    tmp_path: Path, postgresql: Server, said: Said
) -> None:
    database = postgresql.new_database()
    postgresql.execute('CREATE TABLE "PeopleFlow" (state smallint, time timestamp, ip text)', database)
    values = ", ".join(f"({row[1]}, '{row[2]}', '{row[5]}')" for row in ROWS)
    postgresql.execute(f'INSERT INTO "PeopleFlow" VALUES {values}', database)
    path = configured(tmp_path)
    url = postgresql.url(database)
    assert imported(path, url.replace("+psycopg", "+psycopg2")) == 0
    assert said()[0] == f"park: imported: {len(ROWS)} records, 2024-10-26 to 2024-10-28"
    assert sums(stored(path)) == expected(ROWS)
    assert imported(path, url.replace(ESCAPED, "wrong-canary-8f3a")) == 1
    err = said()[1]
    assert "PostgreSQL at 127.0.0.1" in err
    assert "rejects this user or password" in err
    assert "canary" not in err


def test_a_dump_in_a_zone_that_nobody_knows_is_refused(tmp_path: Path, mariadb: Server, said: Said) -> None:
    needs("mysqldump")
    database = store(mariadb, ROWS[:5], kind="timestamp")
    assert imported(configured(tmp_path), dump(mariadb, database, tmp_path / "a.sql")) == 1
    assert "make it again with mysqldump --skip-tz-utc" in said()[1]


def test_rows_go_into_the_server_that_has_them_and_once(
    tmp_path: Path,
    mariadb: Server,
    said: Said,
) -> None:
    url = mariadb.url(store(mariadb, ROWS))
    (tmp_path / "url").write_text(url)
    path = configured(tmp_path, url="file:url")
    os.environ["OLD_DATABASE"] = url
    try:
        assert imported(path, "env:OLD_DATABASE", dry_run=True) == 0
        assert said()[0] == f"park: dry run, would be imported: {len(ROWS)} records, 2024-10-26 to 2024-10-28"
        assert stored(path) == {}
        assert imported(path, "env:OLD_DATABASE") == 0
        before = stored(path)
        assert sums(before) == expected(ROWS)
        said()
        assert imported(path, "env:OLD_DATABASE") == 0
    finally:
        del os.environ["OLD_DATABASE"]
    assert said()[0] == f"park: imported: 0 records there already, unchanged: {len(ROWS)} records"
    assert stored(path) == before


@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
def test_a_csv_file_of_any_common_form_is_read(tmp_path: Path, delimiter: str) -> None:
    path = configured(tmp_path)
    assert imported(path, write_csv(tmp_path / "old.csv", ROWS, delimiter=delimiter)) == 0
    assert sums(stored(path)) == expected(ROWS)


def test_a_dry_run_leaves_no_trace(tmp_path: Path, said: Said) -> None:
    path, old = configured(tmp_path), write_csv(tmp_path / "old.csv", ROWS)
    before = sorted(tmp_path.rglob("*"))
    assert imported(path, old, dry_run=True) == 0
    assert said()[0].startswith(f"park: dry run, would be imported: {len(ROWS)} records")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_later_import_brings_the_days_and_hosts_that_were_missing(tmp_path: Path, said: Said) -> None:
    path = configured(tmp_path)
    imported(path, write_csv(tmp_path / "old.csv", [row for row in ROWS if row[5] != "24"]))
    more = (*ROWS, *flow("2024-10-29", HOSTS))
    said()
    assert imported(path, write_csv(tmp_path / "old.csv", more)) == 0
    known = sum(row[5] != "24" for row in ROWS)
    assert said()[0] == (
        f"park: imported: {len(more) - known} records, 2024-10-26 to 2024-10-29"
        f" there already, unchanged: {known} records"
    )
    assert sums(stored(path)) == expected(more)


def test_an_import_in_another_time_zone_is_refused(tmp_path: Path, said: Said) -> None:
    """A row of another hour is of another minute: where a day has gaps, it would be counted twice."""
    path, old = configured(tmp_path), write_csv(tmp_path / "old.csv", ROWS)
    imported(path, old)
    before = stored(path)
    path.write_text(path.read_text().replace("Europe/Berlin", "Asia/Taipei"))
    said()
    assert imported(path, old) == 1
    assert "an earlier import was in another time zone than Asia/Taipei; set" in said()[1]
    assert stored(path) == before


def test_from_the_first_day_that_tallyd_has_counted_on_all_is_left_to_it(tmp_path: Path, said: Said) -> None:
    """Also another source, and a later day without counts: its files may still wait in the inbox."""
    path = configured(tmp_path)
    own = (4711, "in", "2024-10-28 22:00:00", 1)
    with closing(Database(load(path, environ={}).database_url)) as database:
        (tmp_path / "state").mkdir()
        database.prepare()
        database.records("park").ingest([visitor_file("a", own)], now=datetime.now(UTC), keep_rows=True)
    more = (*ROWS, *flow("2024-10-29", HOSTS))
    old = write_csv(tmp_path / "old.csv", more)
    said()
    for added in (sum(str(row[2]) < "2024-10-28" for row in ROWS), 0):
        assert imported(path, old) == 0
        assert said()[0].startswith(f"park: imported: {added} records")
    assert sums(stored(path)) == {
        **(whole := expected([row for row in ROWS if str(row[2]) < "2024-10-28"])),
        "12": (whole["12"][0] + 1, *whole["12"][1:]),
    }


def test_today_is_left_to_tallyd(tmp_path: Path, said: Said) -> None:
    rows = (*flow("2026-11-19", ("12",), minutes=60), *flow("2026-11-20", ("12",), minutes=60))
    path = configured(tmp_path)
    assert imported(path, write_csv(tmp_path / "old.csv", rows)) == 0
    assert said()[0] == (
        "park: imported: 60 records, 2026-11-19 to 2026-11-19 today, or counted by tallyd itself: 60 records"
    )


def test_a_report_says_which_days_are_imported(tmp_path: Path) -> None:
    path = configured(tmp_path)
    imported(path, write_csv(tmp_path / "old.csv", ROWS))
    State(tmp_path / "state/state.db").close()  # as the daemon has made it
    words = ["--config", str(path), "report", "--from", "2024-10-01", "--to", "2024-10-31", "--by", "month"]
    done = CliRunner().invoke(app, [*words, "--format", "json"])
    chapter = json.loads(done.output)
    assert "Before 2026-11-20: imported from visitorsflow." in done.output
    n_in = sum(count[0] for count in expected(ROWS).values())
    assert f'"in": {n_in}' in json.dumps(chapter)


@pytest.mark.parametrize(
    ("time", "first_at"),
    [
        pytest.param("2024-03-31 01:59:59", "2024-03-31 00:59:59", id="before the gap"),
        pytest.param("2024-03-31 02:30:00", None, id="a time that never came"),
        pytest.param("2024-10-27 02:30:00", "2024-10-27 00:30:00", id="a time that came twice"),
        pytest.param("20241027023000", "2024-10-27 00:30:00", id="fourteen digits"),
        pytest.param("2024-07-01 00:00:00.250", "2024-06-30 22:00:00", id="a fraction"),
        pytest.param("0000-00-00 00:00:00", None, id="no date"),
        pytest.param("2024-07-01", None, id="no time of day"),
        pytest.param("NULL", None, id="a word"),
        pytest.param("2099-01-01 00:00:00", None, id="the future"),
        pytest.param("9" * 5000, None, id="five thousand digits"),
    ],
)
def test_a_local_time_is_that_of_the_files(
    tmp_path: Path, said: Said, time: str, first_at: str | None
) -> None:
    path = configured(tmp_path)
    old = a_file(tmp_path, f"state,time,ip\n0,{time},12\n")
    assert imported(path, old) == (0 if first_at else 1)
    assert {source: count.first_at for source, count in stored(path).items()} == (
        {"12": first_at} if first_at else {}
    )
    assert ("not readable: 1: row 1 (" in said()[1]) is (first_at is None)


def test_bad_rows_are_counted_and_named_and_the_others_come(tmp_path: Path, said: Said) -> None:
    rows = [
        " 0, 2024-07-01 08:00:00, 12",
        "x,2024-07-01 08:00:00,12",
        ",2024-07-01 08:00:00,12",
        "0,08:00,12",
    ]
    rows += [
        "0,2024-07-01 08:00:00,../etc",
        "0,2024-07-01 08:00:00,a\0b",
        "1,2024-07-01 08:00:00",
        "7,2024-07-01 08:00:00, ",
    ]
    path = configured(tmp_path, source="gate")
    assert imported(path, a_file(tmp_path, "\n".join(["State,TIME,IP", *rows]))) == 1
    out, err = said()
    assert out == "park: imported: 2 records, 2024-07-01 to 2024-07-01"
    assert err.startswith(
        "not readable: 6: row 2 (state is not a number), row 3 (state is not a number), row 4 ("
    )
    assert err.endswith(" and 1 more")
    assert sums(stored(path)) == {"12": (1, 0, 0), "gate": (0, 0, 1)}


HEAD = (
    "-- MariaDB dump 10.19\nCREATE TABLE `peopleflow` (\n"
    "  `state` int(11),\n  `time` datetime,\n  `ip` text\n);\n"
)
ROW = "(0,'2024-07-01 08:00:00','12')"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(
            f"{HEAD}INSERT INTO `peopleflow` VALUES {ROW},(1,'20", "ends too early", id="inside a row"
        ),
        pytest.param(f"{HEAD}INSERT INTO `peopleflow` VALUES {ROW},", "ends too early", id="between rows"),
        pytest.param(
            f"{HEAD}INSERT INTO `peopleflow` VALUES {ROW};\n", "ends too early", id="between statements"
        ),
        pytest.param(
            f"INSERT INTO peopleflow VALUES {ROW};", "lacks the columns state and time", id="no columns"
        ),
        pytest.param(
            "CREATE TABLE peopleflow (`a` int);", "lacks the columns state and time", id="other columns"
        ),
        pytest.param(
            "CREATE TABLE other (`a` int);",
            "there is no table peopleflow; its tables: other; choose one with --table",
            id="another table",
        ),
        pytest.param(
            HEAD + HEAD.replace("peopleflow", "PeopleFlow"),
            "the tables peopleflow and PeopleFlow; choose",
            id="two tables",
        ),
        pytest.param(
            f"{HEAD}INSERT INTO peopleflow VALUES {ROW};\nUSE `b`;\n{HEAD}",
            "has the table peopleflow of more than one database; dump one",
            id="two databases",
        ),
        pytest.param("x'" + "a" * 100, "ends too early", id="no dump"),
        pytest.param("", "there is no table", id="empty"),
    ],
)
def test_a_dump_that_is_not_whole_or_not_its_own_brings_nothing(
    tmp_path: Path, said: Said, text: str, complaint: str
) -> None:
    path = configured(tmp_path)
    assert imported(path, a_file(tmp_path, text, "old.sql")) == 1
    assert complaint in said()[1]
    assert stored(path) == {}


def test_a_dump_is_read_as_text_and_only_its_table(tmp_path: Path) -> None:
    """With comments, other tables, quotes and parentheses in values, and a row longer than a piece."""
    long = "x" * 3_000_000
    text = (
        f"/*M!999999\\- enable the sandbox mode */ \n{HEAD}/*!40101 SET NAMES utf8 */;\n"
        f"INSERT INTO `other` VALUES (1,'it''s (a) \\'quote\\'; {long}',NULL,_binary 'x');\n"
        "DELIMITER ;;\nCREATE TRIGGER t BEFORE INSERT ON other FOR EACH ROW BEGIN SET @a = 1; END ;;\n"
        "DELIMITER ;\nINSERT IGNORE INTO peopleflow (`ip`, `time`, `state`) VALUES\n"
        " ('24', '2024-07-01 08:00:00', 1) , (_utf8mb4 'it''s', '2024-07-01 09:00:00', NULL);\n"
        "-- Dump completed on 2024-07-02"
    )
    path = configured(tmp_path)
    (tmp_path / "old.sql").write_text(text, encoding="utf-16")
    assert imported(path, tmp_path / "old.sql") == 1  # one row has no state
    assert sums(stored(path)) == {"24": (0, 1, 0)}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"state,time,ip\n0,2024-07-01 08:00:00,12\n1,2024-07-01", id="in a row"),
        pytest.param(
            "state,time,ip\n0,2024-07-01 08:00:00,12\n1".encode("utf-16") + b"\0", id="in a letter of UTF-16"
        ),
    ],
)
def test_a_csv_file_that_is_cut_off_brings_nothing(tmp_path: Path, said: Said, content: bytes) -> None:
    """A day that has counts is never added to: the rest of its last day could not come later."""
    path, old = configured(tmp_path), tmp_path / "old.csv"
    old.write_bytes(content)
    assert imported(path, old) == 1
    assert "old.csv ends too early: its last line is not complete" in said()[1]
    assert stored(path) == {}


def test_a_csv_file_with_a_quote_that_is_never_closed_brings_nothing(tmp_path: Path, said: Said) -> None:
    path = configured(tmp_path)
    rows = ['"0","2024-07-01 08:00:00","12"', '"0","2024-07-01 08:00:00","1']  # it was of "12"
    assert imported(path, a_file(tmp_path, "\n".join(["state,time,ip", *rows]))) == 1
    assert "old.csv: line 3 cannot be read as CSV" in said()[1]
    assert stored(path) == {}


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "1,2024-07-01 08:00:00,12\n"])
def test_a_csv_file_without_its_heading_is_refused(tmp_path: Path, said: Said, text: str) -> None:
    path = configured(tmp_path)
    assert imported(path, a_file(tmp_path, text)) == 1
    assert "its first line does not name the columns state and time, as a CSV file must" in said()[1]


def test_the_table_is_chosen_by_name(tmp_path: Path, said: Said) -> None:
    both = (
        HEAD
        + HEAD.replace("peopleflow", "PeopleFlow")
        + f"INSERT INTO PeopleFlow VALUES {ROW};\n-- Dump completed"
    )
    path = configured(tmp_path)
    assert imported(path, a_file(tmp_path, both, "old.sql"), table="People") == 1
    assert "there is no table People; its tables: peopleflow and PeopleFlow; choose one with" in said()[1]
    assert imported(path, a_file(tmp_path, both, "old.sql"), table="PeopleFlow") == 0
    assert sums(stored(path)) == {"12": (1, 0, 0)}


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        pytest.param(ESCAPED, "there is no table peopleflow", id="no table"),
        pytest.param("wrong-canary-8f3a", "rejects this user or password", id="wrong password"),
    ],
)
def test_a_database_that_cannot_be_read_is_named_without_its_password(
    tmp_path: Path,
    mariadb: Server,
    said: Said,
    password: str,
    complaint: str,
) -> None:
    url = mariadb.url(mariadb.new_database()).replace(ESCAPED, password)
    assert imported(configured(tmp_path), url) == 1
    out, err = said()
    assert complaint in err
    assert password not in out + err
    assert PASSWORD not in out + err


# -- the config ---------------------------------------------------------------------------------------------

CONFIG = """
host = "db.example"
user = "flow"
password = "canary-pass-8f3a"
db = "park"
api_id = 12345
api_hash = "canary-hash"
"""
CALL = """
def calculate(data):
	count = { "SSID": "SS-007", "TagType": "Count", "TagID": "911", "TagValue": "" }
	came = { "SSID": "SS-007", "TagType": "CountAccuIn", "TagID": "912" }
def call(data):
	url = "http://upstream.example:8008/report"
"""


def old_folder(tmp_path: Path, config: str = CONFIG, call: str | None = CALL) -> Path:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "config.py").write_text(config)
    if call is not None:
        (folder / "callAPI.py").write_text(call)
    return folder


def test_the_config_has_the_report_and_no_secret(tmp_path: Path, said: Said) -> None:
    path = tmp_path / "config.json"
    assert print_config(path, Wanted(program=PROGRAM, old=str(old_folder(tmp_path)))) == 0
    out, err = said()
    assert "canary" not in out + err
    content = json.loads(out)
    assert content["pollers"]["visitors"] == {
        "kind": "visitors",
        "inbox": "inbox/visitors",
        "no_files": {"after": "310s"},
        "report": {
            "every": "5m",
            "send": False,
            "window": "interval",
            "time_format": "%Y-%m-%d %H:%M:%S",
            "url": "http://upstream.example:8008/report",
            "ssid": "SS-007",
            "tags": {"Count": "911", "CountAccuIn": "912"},
        },
    }
    assert (
        "put into secrets/database-url beside the config: mysql+pymysql://USER:PASSWORD@HOST/NAME with" in err
    )
    path.write_text(out)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/database-url").write_text("mysql+pymysql://flow:canary@db.example/park")
    (tmp_path / "secrets/chat-url").write_text("tgram://123456789:AAEabcdefghijklmnopqrstuvwxyz012345/-1001")
    assert list(load(path, environ={}).settings.pollers) == ["visitors"]


def test_a_folder_leads_to_its_database(tmp_path: Path, mariadb: Server) -> None:
    database = store(mariadb, ROWS)
    login = {"host": "127.0.0.1", "user": "tally", "password": PASSWORD, "db": database, "port": mariadb.port}
    folder = old_folder(tmp_path, "".join(f"{name} = {value!r}\n" for name, value in login.items()))
    path = configured(tmp_path)
    assert imported(path, folder) == 0
    assert sums(stored(path)) == expected(ROWS)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        pytest.param(None, "callAPI.py: no such file or directory", id="missing"),
        pytest.param(
            'url = "http://flow:canary-8f3a@upstream.example/"', "names no address or SSID", id="password"
        ),
        pytest.param(
            'url = "http://upstream.example/?key=canary-8f3a"', "names no address or SSID", id="key"
        ),
        pytest.param("print 'canary-8f3a'", "is not Python that can be read", id="Python 2"),
    ],
)
def test_without_the_report_the_rest_of_the_config_comes(
    tmp_path: Path, said: Said, call: str | None, complaint: str
) -> None:
    folder = old_folder(tmp_path, call=call)
    assert print_config(tmp_path / "config.json", Wanted(program=PROGRAM, old=str(folder))) == 0
    out, err = said()
    assert complaint in err
    assert "url" not in json.loads(out)["pollers"]["visitors"]["report"]
    assert "canary" not in out + err


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        pytest.param("password = open('/etc/passwd').read()", 'has no text "user"', id="code"),
        pytest.param(
            "host = user = db = 'a'\npassword = 10**10**10", 'has no text "password"', id="a computation"
        ),
        pytest.param(f"host = {'9' * 6000}", "is not Python that can be read", id="a huge number"),
        pytest.param("host = 'a\0canary'", "is not Python that can be read", id="NUL"),
        pytest.param("host = 'canary", "is not Python that can be read", id="broken"),
        pytest.param("host = " + "(" * 500, "is not Python that can be read", id="deep parentheses"),
        pytest.param("host = " + "-" * 200_000 + "1", "is not Python that can be read", id="deep signs"),
        pytest.param("#" * (2 << 20), "is too large", id="large"),
    ],
)
def test_the_config_is_read_and_never_run(tmp_path: Path, said: Said, config: str, complaint: str) -> None:
    folder = old_folder(
        tmp_path, f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\n{config}"
    )
    assert print_config(tmp_path / "config.json", Wanted(program=PROGRAM, old=str(folder))) == 1
    out, err = said()
    assert complaint in err
    assert "canary" not in out + err
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_none_is_refused(tmp_path: Path, said: Said) -> None:
    folder = old_folder(tmp_path)
    (folder / "config.py").unlink()
    os.mkfifo(folder / "config.py")
    assert print_config(tmp_path / "config.json", Wanted(program=PROGRAM, old=str(folder))) == 1
    assert "config.py is not a regular file" in said()[1]
    (folder / "config.py").unlink()
    (folder / "config.py").write_bytes(b"host = '\xff\xfe'")
    assert print_config(tmp_path / "config.json", Wanted(program=PROGRAM, old=str(folder))) == 1
    assert "is not text in UTF-8" in said()[1]
