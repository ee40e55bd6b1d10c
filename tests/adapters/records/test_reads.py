"""Queries to databases that are not ours: what they return, what they cannot do, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import DBAPIError

from adapters.records.servers import ESCAPED, PASSWORD
from adapters.records.sites import Site
from tallyd.adapters.reads.reads import TimedReads
from tallyd.contract.reads import QueryResult
from tallyd.core.errors import SourceError, Stopped

NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
FOREVER = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mariadb": "SELECT benchmark(10000000000, md5('x'))",
}


@pytest.fixture
def reads() -> Iterator[TimedReads]:
    made = TimedReads(now=lambda: NOW)
    yield made
    made.close()


def ask(reads: TimedReads, site: Site, query: str) -> QueryResult:
    return reads.query(site.url, query, timeout_s=10).result()


def test_a_value_comes_back_as_it_is(reads: TimedReads, site: Site) -> None:
    result = ask(reads, site, "SELECT 17, 'a % :b' WHERE 'x' LIKE '%x'")
    assert (result.rows, result.failure, result.read_at) == (((17, "a % :b"),), "", NOW)
    assert ask(reads, site, "SELECT 1 WHERE 1 = 0").rows == ()
    assert ask(reads, site, "SELECT 1 UNION ALL SELECT 1 UNION ALL SELECT 1").rows == ((1,), (1,))
    assert ask(reads, site, "WITH n AS (SELECT 3 AS i) SELECT max(i) FROM n -- the newest\n ;").rows == (
        (3,),
    )
    assert PASSWORD not in result.place
    assert ESCAPED not in result.place


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("TIMESTAMP '2026-11-20 14:03:12'", datetime(2026, 11, 20, 14, 3, 12)),  # noqa: DTZ001 # as it is
        ("TIMESTAMP WITH TIME ZONE '2026-11-20 14:03:12+01'", datetime(2026, 11, 20, 13, 3, 12, tzinfo=UTC)),
    ],
    ids=["local", "with an offset"],
)
def test_a_time_of_a_server_is_a_time(
    reads: TimedReads, postgresql_site: Site, value: str, found: datetime
) -> None:
    assert ask(reads, postgresql_site, f"SELECT {value}").rows == ((found,),)


def test_nothing_in_it_changes(reads: TimedReads, site: Site) -> None:
    for statement in (
        "DELETE FROM server_hour",
        "CREATE TABLE theirs (id INTEGER)",
        "INSERT INTO server_hour (poller, server, hour, checks) VALUES ('a', 'b', '2026', 1)",
    ):
        assert ask(reads, site, statement).failure
    assert site.query("SELECT count(*) FROM server_hour WHERE poller = 'a'") == [(0,)]
    with pytest.raises(DBAPIError):
        site.query("SELECT * FROM theirs")


def test_a_query_that_it_cannot_run_is_said_without_the_query(reads: TimedReads, site: Site) -> None:
    failure = ask(reads, site, "SELECT secret_column FROM secret_table").failure
    assert failure.startswith("it does not know a table or column of the query")
    assert "secret" not in failure
    for query in (
        "SELEKT 1 + 'secret'",
        "DELETE FROM server_hour",
        "SELECT 1) AS x; DELETE FROM server_hour",
    ):
        assert "it cannot read the query; write one SELECT" in ask(reads, site, query).failure, query
    assert ask(reads, site, "SELECT 1").rows == ((1,),), "the connection is still good"


def test_a_query_that_takes_too_long_ends_on_the_server(reads: TimedReads, site: Site) -> None:
    with pytest.raises(SourceError) as caught:
        reads.query(site.url, FOREVER[site.kind], timeout_s=0.5).result()
    assert caught.value.transient
    assert not caught.value.text.startswith("the database"), "it is named"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    if site.server is not None:
        running = {
            "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE state='active' AND query LIKE '%{}%'",
            "mariadb": "SELECT count(*) FROM information_schema.processlist WHERE info LIKE '%{}%'",
        }[site.kind].format("pg_sl' || 'eep" if site.kind == "postgresql" else "bench' 'mark")
        for _ in range(100):
            if site.server.execute(running) == [(0,)]:
                break
        else:
            pytest.fail("it still runs")


def test_a_database_that_is_away_says_so_without_its_url(reads: TimedReads) -> None:
    url = "postgresql+psycopg://tally:canary-Zq7@127.0.0.1:1/orders"
    with pytest.raises(SourceError, match="nothing accepts connections there") as caught:
        reads.query(url, "SELECT 1", timeout_s=5).result()
    assert caught.value.text.startswith("PostgreSQL at 127.0.0.1:1: ")
    assert "Zq7" not in str(caught.value)


def test_after_the_end_nothing_is_read(reads: TimedReads, sqlite_site: Site) -> None:
    hanging = reads.query(sqlite_site.url, FOREVER["sqlite"], timeout_s=2)
    reads.close()
    with pytest.raises(Stopped):
        hanging.result(timeout=10)
    with pytest.raises(Stopped):
        reads.newest_file("/tmp/*", timeout_s=1)
