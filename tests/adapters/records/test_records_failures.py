"""Databases that stop, hang, or lose the connection at the worst moment."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest

from adapters.records.conftest import prepared, running
from adapters.records.relay import Relay
from adapters.records.samples import DAY, IN, NOW, many, visitor_file
from adapters.records.servers import ESCAPED, MariaDb, PostgreSql, Server
from adapters.records.sites import Site, passages
from support.long import some
from support.processes import free_port
from support.rows import Passage
from tallyd.adapters.records.database import Database
from tallyd.contract.passages import Count
from tallyd.core.errors import RecordsError

ROWS = many(3000)


@pytest.fixture
def relay(served: Site) -> Iterator[Relay]:
    assert served.server
    with Relay(served.server.port) as between:
        yield between


@pytest.fixture
def far(served: Site, relay: Relay) -> Iterator[Database]:
    """The database, with the relay in between."""
    assert served.server
    database = Database(served.server.url(served.url.rpartition("/")[2], relay.port), patience_s=2.0)
    assert database.revision() is not None
    yield database
    database.close()


def test_a_session_that_is_ended_in_mid_transaction_leaves_nothing(served: Site) -> None:
    records = served.records()

    def ended() -> Iterator[list[Passage]]:
        yield ROWS[:1000]
        assert served.server
        served.server.end_sessions()
        yield ROWS[1000:]

    with pytest.raises(RecordsError, match="connection"):
        records.ingest([visitor_file("a", *ROWS, read=ended)], now=NOW, keep_rows=True)

    assert records.counts(*DAY) == {}
    assert passages(served, records) == []
    assert records.ingest([visitor_file("a", *ROWS)], now=NOW, keep_rows=True) == ("done",)
    assert len(passages(served, records)) == len(ROWS)


@pytest.mark.parametrize(("cut", "then"), [("before", "done"), ("after", "repeat")])
def test_after_a_connection_was_lost_during_the_commit_the_ledger_decides(
    served: Site, relay: Relay, far: Database, cut: Literal["before", "after"], then: str
) -> None:
    poller = served.new_poller()
    records = far.records(poller)
    records.known([visitor_file("a").fingerprint])
    relay.cut = cut

    with pytest.raises(RecordsError):
        records.ingest([visitor_file("a", *ROWS)], now=NOW, keep_rows=True)

    assert relay.cuts == 1
    assert records.ingest([visitor_file("a", *ROWS)], now=NOW, keep_rows=True) == (then,)
    assert records.counts(*DAY)["12"] == Count(1000, 1000, 1000, ROWS[0][2], ROWS[-1][2])
    assert len(passages(served, records)) == len(ROWS)


def test_a_database_that_stops_answering_is_given_up(served: Site, relay: Relay, far: Database) -> None:
    records = far.records(served.new_poller())

    def hanging() -> Iterator[list[Passage]]:
        relay.frozen.set()
        yield ROWS

    began = time.monotonic()
    with pytest.raises(RecordsError, match=r"in time|lost"):
        records.ingest([visitor_file("a", *ROWS, read=hanging)], now=NOW, keep_rows=True)
    with pytest.raises(RecordsError, match=r"in time|lost"):
        records.counts(*DAY)
    assert time.monotonic() - began < 60

    relay.frozen.clear()
    assert records.ingest([visitor_file("a", *ROWS)], now=NOW, keep_rows=True) == ("done",)


@pytest.mark.parametrize("kind", ["postgresql+psycopg", "mysql+pymysql"])
def test_what_accepts_and_never_says_a_word_is_given_up(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        database = Database(
            f"{kind}://tally:secret-Zq7@127.0.0.1:{listener.getsockname()[1]}/x", patience_s=2.0
        )
        began = time.monotonic()
        with pytest.raises(RecordsError, match="did not answer in time") as caught:
            database.prepare()
        assert time.monotonic() - began < 60
    assert "Zq7" not in str(caught.value)
    database.close()


@pytest.mark.parametrize(
    ("kind", "name"), [("postgresql+psycopg", "PostgreSQL"), ("mysql+pymysql", "MariaDB or MySQL")]
)
def test_a_server_is_called_by_host_and_port_whatever_its_password(kind: str, name: str) -> None:
    port = free_port()
    database = Database(f"{kind}://tally:{ESCAPED}@127.0.0.1:{port}/x", patience_s=2.0)
    with pytest.raises(RecordsError) as caught:
        database.prepare()
    assert caught.value.text == f"{name} at 127.0.0.1:{port}: nothing accepts connections there"
    database.close()


@pytest.mark.parametrize("make", some([PostgreSql, MariaDb], 1), ids=lambda make: make.kind)
def test_a_server_that_was_killed_is_used_again_once_it_is_back(make: type[Server]) -> None:
    with running(make) as server, prepared(server.kind, server.url(server.new_database()), server) as site:
        records = site.records()
        assert records.ingest([visitor_file("a", IN)], now=NOW, keep_rows=True) == ("done",)

        def killed() -> Iterator[list[Passage]]:
            yield ROWS[:1000]
            server.stop()
            yield ROWS[1000:]

        with pytest.raises(RecordsError):
            records.ingest([visitor_file("b", *ROWS, read=killed)], now=NOW, keep_rows=True)
        for _ in range(2):
            with pytest.raises(RecordsError, match="nothing accepts connections"):
                records.counts(*DAY)
        server.start()

        assert records.counts(*DAY) == {"12": Count(1, 0, 0, IN[2], IN[2])}
        again = [visitor_file("a", IN), visitor_file("b", *ROWS)]
        assert records.ingest(again, now=NOW, keep_rows=True) == ("repeat", "done")
        assert len(passages(site, records)) == 1 + len(ROWS)


def test_a_server_without_the_tables_is_reported(served: Site) -> None:
    assert served.server
    database = Database(served.server.url(served.server.new_database()))

    with pytest.raises(RecordsError, match="restart tallyd"):
        database.records("x").counts(*DAY)
    database.close()


def test_a_wrong_password_is_reported_without_showing_it(served: Site) -> None:
    assert served.server
    database = Database(served.url.replace("Zq7", "wrong-Zq7"))

    with pytest.raises(RecordsError, match="user or password") as caught:
        database.prepare()
    assert "Zq7" not in caught.value.text
    database.close()


def test_a_missing_database_is_reported(served: Site) -> None:
    database = Database(served.url.rpartition("/")[0] + "/nowhere")

    with pytest.raises(RecordsError, match="no database with this name"):
        database.revision()
    database.close()


def test_postgresql_in_another_encoding_is_rejected(postgresql: Server) -> None:
    postgresql.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    database = Database(postgresql.url("latin"))

    with pytest.raises(RecordsError, match="ENCODING 'UTF8'"):
        database.prepare()
    database.close()


def test_other_threads_go_on_while_one_waits_for_a_database_that_hangs(
    served: Site, relay: Relay, far: Database
) -> None:
    records = far.records(served.new_poller())
    relay.frozen.set()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(records.counts, *DAY)

        assert served.records().ingest([visitor_file("a", IN)], now=NOW, keep_rows=True) == ("done",)

        assert not waiting.done()
        with pytest.raises(RecordsError):
            waiting.result(timeout=15)
