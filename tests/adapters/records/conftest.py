"""PostgreSQL and MariaDB, started once for all tests of a process, and a database in each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.records.servers import MariaDb, PostgreSql, Server, postgresql_programs
from adapters.records.sites import Site
from support.needs import needs
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.poller_records import PollerRecords

KINDS = ("sqlite", "postgresql", "mariadb")


@contextmanager
def running(make: type[Server]) -> Iterator[Server]:
    # Not below pytest's own folder: only its owner may enter that, and the servers are other users.
    with tempfile.TemporaryDirectory(prefix="tallyd-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = make(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def prepared(kind: str, url: str, server: Server | None) -> Iterator[Site]:
    database = Database(url)
    try:
        database.prepare()
        yield Site(kind, url, database, server)
    finally:
        database.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    postgresql_programs()
    with running(PostgreSql) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    needs("mariadbd", "mariadb-install-db")
    with running(MariaDb) as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with prepared("sqlite", f"sqlite:///{tmp_path_factory.mktemp('records') / 'records.db'}", None) as site:
        yield site


@pytest.fixture(scope="session")
def postgresql_site(postgresql: Server) -> Iterator[Site]:
    with prepared("postgresql", postgresql.url(postgresql.new_database()), postgresql) as site:
        yield site


@pytest.fixture(scope="session")
def mariadb_site(mariadb: Server) -> Iterator[Site]:
    with prepared("mariadb", mariadb.url(mariadb.new_database()), mariadb) as site:
        yield site


@pytest.fixture(scope="session", params=KINDS)
def site(request: pytest.FixtureRequest) -> Site:
    """Each kind of database in turn."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


@pytest.fixture(scope="session", params=KINDS[1:])
def served(request: pytest.FixtureRequest) -> Site:
    """Each kind that has a server."""
    found: Site = request.getfixturevalue(f"{request.param}_site")
    return found


@pytest.fixture
def records(site: Site) -> PollerRecords:
    """The records of a poller that nobody else has."""
    return site.records()


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if site.server is None:
        return f"sqlite:///{tmp_path / 'new.db'}"
    return site.server.url(site.server.new_database())
