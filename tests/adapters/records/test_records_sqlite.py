"""Tests for SQLite only."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from adapters.records.conftest import prepared
from adapters.records.samples import DAY, IN, NOW, many, visitor_file
from adapters.records.sites import Site, passages
from adapters.records.test_passage_readable import of_day
from support.needs import needs
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.poller_records import PollerRecords
from tallyd.adapters.records.tables import REVISION
from tallyd.config.folders import database_url
from tallyd.contract.lags import HourCount
from tallyd.core.errors import RecordsError


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Site]:
    with prepared("sqlite", f"sqlite:///{tmp_path / 'own.db'}", None) as site:
        yield site


def test_what_was_committed_survives_a_power_cut(own: Site) -> None:
    """WAL and FULL; the first is the file's, the second each connection's own."""
    with own.database.access.reading() as connection:  # the settings of the adapter's own connection
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


@pytest.fixture
def page_limit() -> Iterator[list[int]]:
    """How many pages a database may have, for connections made from now on."""
    limit = [2**30]

    def confine(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={limit[0]}")

    event.listen(Pool, "connect", confine)
    yield limit
    event.remove(Pool, "connect", confine)


def test_a_full_disk_is_an_error_that_leaves_nothing(own: Site, page_limit: list[int]) -> None:
    own.database.records("x").ingest([visitor_file("a", IN)], now=NOW, keep_rows=True)
    own.database.close()
    page_limit[0] = 60
    records = own.database.records("x")
    large = visitor_file("b", *many(20_000))

    for _ in range(2):
        with pytest.raises(RecordsError, match=r"disk is full \(SQLITE_FULL\)"):
            records.ingest([large], now=NOW, keep_rows=True)
    assert records.ingest([visitor_file("c", IN)], now=NOW, keep_rows=True) == ("done",)
    assert len(passages(own, records)) == 2

    own.database.close()
    page_limit[0] = 2**30
    assert records.ingest([large], now=NOW, keep_rows=True) == ("done",)
    assert len(passages(own, records)) == 20_002


def test_a_really_full_disk_behaves_in_the_same_way(tmp_path: Path) -> None:
    needs("mount", root=True)
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tallyd-test", str(folder)], check=True)
    try:
        with prepared("sqlite", f"sqlite:///{folder / 'records.db'}", None) as site:
            records = site.records()
            for _ in range(2):
                with pytest.raises(RecordsError, match="SQLITE_"):
                    records.ingest([visitor_file("a", *many(50_000))], now=NOW, keep_rows=True)
            assert records.ingest([visitor_file("b", *many(100))], now=NOW, keep_rows=True) == ("done",)
            assert len(passages(site, records)) == 100
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_path_with_odd_signs_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "a name%20with#odd?signs&é.db"

    with prepared("sqlite", f"sqlite:///{quote(str(path))}", None):
        assert path.stat().st_size > 0


def test_a_folder_whose_name_is_not_utf_8_holds_a_database_like_any_other(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()

    with prepared("sqlite", database_url("sqlite:///records.db", folder), None) as site:
        records = site.database.records("x")
        assert records.ingest([visitor_file("a", IN)], now=NOW, keep_rows=True) == ("done",)
    assert (folder / "records.db").stat().st_size > 0


def test_a_deleted_file_is_an_error_and_is_not_created_again(own: Site) -> None:
    records = own.records()
    records.ingest([visitor_file("a", IN)], now=NOW, keep_rows=True)
    path = Path(own.url.removeprefix("sqlite:///"))
    for each in path.parent.glob("own.db*"):
        each.rename(path.parent / f"away-{each.name}")

    with pytest.raises(RecordsError, match="missing"):
        records.ingest([visitor_file("b", IN)], now=NOW, keep_rows=True)
    with pytest.raises(RecordsError, match="missing"):
        records.counts(*DAY)
    assert not path.exists()

    for each in path.parent.glob("away-*"):
        each.rename(path.parent / each.name.removeprefix("away-"))
    again = [visitor_file("a", IN), visitor_file("b", IN)]
    assert records.ingest(again, now=NOW, keep_rows=True) == ("repeat", "done")


def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    path.write_bytes(b"no database, but long enough to be looked at\n" * 100)
    database = Database(f"sqlite:///{path}")

    with pytest.raises(RecordsError, match="is not a SQLite database"):
        database.prepare()
    database.close()


def test_a_missing_folder_of_the_database_is_reported(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nowhere/records.db")

    with pytest.raises(RecordsError, match="no such file or directory"):
        database.prepare()
    database.close()


def test_the_file_is_not_for_everybody(own: Site) -> None:
    assert Path(own.url.removeprefix("sqlite:///")).stat().st_mode & 0o137 == 0


def test_the_counts_of_a_day_are_one_range_of_the_key(own: Site) -> None:
    """It reads neither passages nor years of counts, however many there are."""
    plan = own.query(
        "EXPLAIN QUERY PLAN SELECT source, sum(n_in) FROM passage_minute"
        " WHERE poller='x' AND minute>='2026-11-20 00:00:00' AND minute<'2026-11-21 00:00:00' GROUP BY source"
    )
    assert "SEARCH passage_minute USING PRIMARY KEY (poller=? AND minute>? AND minute<?)" in plan[0][3]


def test_sqlite_reads_only_the_rows_of_these_files(own: Site) -> None:
    plan = [row[3] for row in own.query("EXPLAIN QUERY PLAN " + of_day(own, "visitors"))]

    assert "SEARCH passage USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan
    assert "SEARCH file USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert any("ingested_file_by_passages" in step for step in plan)


def test_a_passage_takes_at_most_32_bytes_in_sqlite(own: Site) -> None:
    records = own.records()
    before = Path(own.url.removeprefix("sqlite:///")).stat().st_size

    records.ingest([visitor_file("a", *many(50_000), batch=5000)], now=NOW, keep_rows=True)

    own.query("PRAGMA wal_checkpoint(TRUNCATE)")
    size = Path(own.url.removeprefix("sqlite:///")).stat().st_size - before
    assert size / 50_000 < 32


USES: dict[str, Callable[[PollerRecords], object]] = {
    "a read": lambda records: records.counts(*DAY),
    "a file": lambda records: records.ingest([visitor_file("a", IN)], now=NOW, keep_rows=True),
    "a check": lambda records: records.note_checks([], {("2026-11-20 12:00:00", "PROD"): HourCount(1, None)}),
    "a deletion": lambda records: records.prune(NOW, most=10),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
def test_whatever_is_done_first_finds_the_tables_made(
    tmp_path: Path, use: Callable[[PollerRecords], object]
) -> None:
    with closing(Database(f"sqlite:///{tmp_path / 'new.db'}", prepares=True)) as database:
        found = use(database.records("park"))
        assert getattr(found, "trouble", None) is None
        assert database.revision() == REVISION
