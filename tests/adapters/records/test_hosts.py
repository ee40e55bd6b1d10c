"""The daemons on each kind of database: who runs, by the database's own time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, update

from adapters.records.sites import Site
from tallyd.adapters.records.database import Database
from tallyd.adapters.records.hosts import HostTable
from tallyd.adapters.records.reader import RecordsReader
from tallyd.adapters.records.tables import HOST
from tallyd.contract.passages import seen_text
from tallyd.core.hosts import Duties, Neighbours

NOW = datetime(2031, 5, 1, 12, 0, tzinfo=UTC)
"""The clock of this host, which is years ahead of the database's."""
CHECKS: Duties = {"apps": frozenset({"checks"})}


@pytest.fixture(autouse=True)
def alone(site: Site) -> Iterator[None]:
    """Leave no row of another test."""
    yield
    with site.database.access.writing() as connection:
        connection.execute(delete(HOST))


def daemon(site: Site, name: str, folder: str = "/srv/state") -> HostTable:
    return site.database.hosts(name=name, folder=folder)


def beat(table: HostTable, duties: Duties = CHECKS, *, now: datetime = NOW) -> Neighbours:
    return table.beat(version="1.2.3", config_digest="abc", duties=duties, now=lambda: now)


def age(site: Site, name: str, by: timedelta) -> None:
    """Let the rows of a host be older."""
    with site.database.access.writing() as connection:
        for row in site.database.read_hosts(now=datetime.now(UTC)):
            if row.name == name:
                older = {
                    "started_at": seen_text(row.started_at - by),
                    "beat_at": seen_text(row.beat_at - by),
                }
                connection.execute(update(HOST).where(HOST.c.id == row.id).values(older))


def test_each_daemon_sees_itself_and_the_others(site: Site) -> None:
    duties = {"park": frozenset({"inbox", "report"}), "apps": frozenset({"checks"})}
    first, second = daemon(site, "pi1", "/srv/Zustände \udcff"), daemon(site, "pi2")
    assert beat(first, duties).others == ()
    seen = beat(second)
    assert (seen.me.name, seen.me.duties) == ("pi2", CHECKS)
    (other,) = seen.others
    assert other.place == "pi1 (/srv/Zustände ?)"
    assert (other.version, other.config_digest, other.duties) == ("1.2.3", "abc", duties)
    assert [each.name for each in beat(first).others] == ["pi2"]
    assert len(site.query("SELECT id FROM host")) == 2


def test_the_times_are_the_databases_own_and_shown_by_the_clock_of_the_reader(site: Site) -> None:
    """A host whose clock is wrong by years is not gone."""
    if site.kind == "sqlite":
        pytest.skip("the hosts of a file have one clock")
    first, second = daemon(site, "pi1"), daemon(site, "pi2")
    beat(first, now=NOW)
    past = NOW - timedelta(days=4000)
    (other,) = beat(second, now=past).others
    assert timedelta(0) <= past - other.beat_at < timedelta(minutes=4)
    assert not other.is_gone(past)


@pytest.mark.parametrize(
    ("by", "is_wrong"),
    [(timedelta(0), False), (timedelta(minutes=27), True), (timedelta(days=-4000), True)],
    ids=["right", "ahead", "behind"],
)
def test_a_host_says_how_far_its_clock_is_from_the_databases(
    served: Site, by: timedelta, is_wrong: bool
) -> None:
    seen = beat(daemon(served, "pi1"), now=datetime.now(UTC) + by).me
    assert abs(seen.ahead_s - by.total_seconds()) < 30
    assert seen.has_wrong_clock is is_wrong


def test_a_clean_stop_leaves_no_row_and_a_daemon_that_never_beat_asks_nothing(site: Site) -> None:
    one, other = daemon(site, "pi1"), daemon(site, "pi2")
    beat(one)
    other.leave()
    assert [row[0] for row in site.query("SELECT name FROM host")] == ["pi1"]
    beat(other)
    one.leave()
    assert [row[0] for row in site.query("SELECT name FROM host")] == ["pi2"]
    assert beat(other).others == ()


def test_the_same_beat_twice_in_a_second_keeps_one_row(site: Site) -> None:
    table = daemon(site, "pi1")
    for _ in range(3):
        beat(table)
    assert len(site.query("SELECT id FROM host")) == 1


def test_a_daemon_that_started_again_replaces_its_row_at_once(site: Site) -> None:
    beat(daemon(site, "pi1"))
    beat(daemon(site, "pi1", "/other"))
    beat(daemon(site, "pi2"))
    found = beat(daemon(site, "pi1"))
    assert [(each.name, each.folder) for each in found.others] == [("pi1", "/other"), ("pi2", "/srv/state")]


def test_of_a_copied_disk_each_daemon_sees_the_other(site: Site) -> None:
    original, copy = daemon(site, "pi1"), daemon(site, "pi1")
    beat(original)
    assert beat(copy).others == ()
    (seen,) = beat(original).others
    assert seen.id == beat(copy).me.id
    (seen,) = beat(copy).others
    assert seen.id == beat(original).me.id


def test_another_daemon_counts_once_it_has_beaten_after_our_start(site: Site) -> None:
    """What ended before this one began is no second daemon, even if its row is young."""
    one, other = daemon(site, "pi1"), daemon(site, "pi2")
    beat(other)
    age(site, "pi2", timedelta(seconds=10))
    assert beat(one).doubled(NOW) == {}
    age(site, "pi2", timedelta(seconds=-40))  # its next beat
    assert list(beat(one).doubled(NOW)) == ["apps"]


def test_a_row_without_beats_is_gone_after_five_minutes_and_deleted_after_a_day(site: Site) -> None:
    one = daemon(site, "pi1")
    beat(one)
    beat(daemon(site, "pi2"))
    age(site, "pi2", timedelta(minutes=4))
    assert [each.is_gone(NOW) for each in beat(one).others] == [False]
    age(site, "pi2", timedelta(minutes=4))
    assert [each.is_gone(NOW) for each in beat(one).others] == [True]
    age(site, "pi2", timedelta(days=1))
    with closing(RecordsReader(site.url)) as reader:
        assert reader.hosts(now=NOW) != ()
    assert beat(one).others == ()
    assert len(site.query("SELECT id FROM host")) == 1


def test_readers_see_all_daemons_without_writing(site: Site) -> None:
    beat(daemon(site, "pi1"))
    beat(daemon(site, "pi2"))
    with closing(RecordsReader(site.url)) as reader:
        assert [each.name for each in reader.hosts(now=NOW)] == ["pi1", "pi2"]
        age(site, "pi2", timedelta(days=2))
        assert [each.name for each in reader.hosts(now=NOW)] == ["pi1"]


def test_a_database_without_tables_has_no_daemons(empty_url: str) -> None:
    with closing(RecordsReader(empty_url)) as reader:
        assert reader.hosts(now=NOW) == ()


def test_many_daemons_that_beat_at_once_do_not_lock_each_other_out(site: Site) -> None:
    tables = [daemon(site, f"pi{number}") for number in range(6)]
    with ThreadPoolExecutor(len(tables)) as executor:
        for _ in range(5):
            assert len(list(executor.map(beat, tables))) == len(tables)
    assert len(beat(tables[0]).others) == len(tables) - 1


def test_two_processes_use_connections_of_their_own(site: Site) -> None:
    beat(daemon(site, "pi1"))
    with closing(Database(site.url, prepares=True)) as database:
        found = beat(database.hosts(name="pi2", folder="/srv/state"))
    assert [each.name for each in found.others] == ["pi1"]
