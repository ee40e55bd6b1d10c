"""Disks, databases and folders go wrong under visitors' files: nothing is lost, nothing counted twice.

Each is a story of its own on the real process, judged by what lies there in the end: rows, minute counts,
ledger and stored files are compared with what was dropped.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest

from adapters.records.conftest import (  # noqa: F401 # fixtures, found by their names
    mariadb,
    mariadb_site,
    postgresql,
    postgresql_site,
    running,
    served,
)
from adapters.records.relay import Relay
from adapters.records.servers import PostgreSql, postgresql_programs
from adapters.records.sites import Site
from support import warm
from support.daemon import running as daemon_of
from support.daemon import wait_until
from support.mounts import disk, filled, filled_up_with_files, mount, remount, unmount
from support.sweeping import Park, keys, passages
from support.visits_site import Sites, VisitsSite, counted_wrong, fill, fill_plainly, violations
from tallyd.adapters.records.database import Database


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Sites:
    return Sites(tmp_path_factory.mktemp("faults"))


def once(site: VisitsSite, *words: str) -> subprocess.CompletedProcess[str]:
    return warm.run("-m", "tallyd", "--config", str(site.config), "once", site.poller, *words)


def sweep(site: VisitsSite) -> tuple[int, dict[str, Any]]:
    """Take what waits, by another process; return its exit status and how many files became what."""
    done = once(site, "--job", "sweep")
    assert done.stdout, done.stderr
    files: dict[str, Any] = json.loads(done.stdout)["files"]
    return done.returncode, {name: number for name, number in files.items() if number}


# -- two at once ---------------------------------------------------------------------------------------------


def test_two_processes_on_one_inbox_whose_lock_is_defeated_count_each_file_once(sites: Sites) -> None:
    site = sites.new()
    for _ in range(400):
        site.drop("12", 3)
    other = VisitsSite(
        site.folder.with_name("other"), site.poller, f"sqlite:///{site.folder}/state/records.db"
    )
    other.folder.mkdir()
    other.keys = {"inbox": str(site.inbox)}
    other.write_config()
    lock = site.inbox / ".tallyd" / "lock"
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(sweep, each) for each in (site, other)]
        while not all(each.done() for each in both):
            lock.unlink(missing_ok=True)
            time.sleep(0.0005)
    assert sum(each.result()[1].get("done", 0) for each in both) == 400
    assert violations(site) == []


# -- the database --------------------------------------------------------------------------------------------


def test_while_postgresql_is_away_files_wait_one_alert_tells_it_and_it_mends_itself(tmp_path: Path) -> None:
    postgresql_programs()
    with running(PostgreSql) as server, closing(Database(server.url(server.new_database()))) as database:
        database.prepare()
        park = Park(tmp_path, database.records("park"))
        park.drop("12/a.json", passages("125901"))
        park.run()
        server.stop()
        park.drop("12/b.json", passages("125902"))
        found = []
        for _ in range(11):
            found.append(keys(park.run().problems))
            park.clocks.forward(60)
        assert found == [[]] + [["park/database/unreachable"]] * 10
        server.start()
        reading = park.run()
        assert (reading.problems, "unreachable" in (reading.evaluates or ())) == ((), True)
        assert park.files(park.run()) == {}
        assert park.n_in() == 2
        assert len(park.quarantined("done")) == 2


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_connection_that_is_lost_during_the_commit_counts_a_file_once(
    served: Site,  # noqa: F811 # see above
    tmp_path: Path,
    cut: Literal["before", "after"],
) -> None:
    assert served.server is not None
    port = served.server.port
    with Relay(port) as relay:
        url = served.url.replace(f":{port}/", f":{relay.port}/")
        with closing(Database(url)) as database:
            _loses_a_connection(Park(tmp_path, database.records(served.new_poller())), relay, cut)


def _loses_a_connection(park: Park, relay: Relay, cut: Literal["before", "after"]) -> None:
    park.run()
    park.drop("12/a.json", passages("125901", "125902"))
    relay.cut = cut
    assert park.files(park.run()) == {"waiting": 1}
    assert relay.cuts == 1
    assert park.files(park.run()) == ({"done": 1} if cut == "before" else {"repeat": 1})
    assert park.n_in() == 2
    assert len(park.quarantined("done")) == 1


def test_a_full_disk_of_the_database_keeps_files_in_the_inbox(sites: Sites) -> None:
    site = sites.new()
    with disk(site.folder / "db", size="400k") as full:
        shutil.copy(site.folder / "state" / "records.db", full)
        site.url = f"sqlite:///{full}/records.db"
        site.write_config()
        ballast = filled(full)
        fill(site)
        _, files = sweep(site)
        assert files == {"waiting": 6}
        ballast.unlink()
        status, _ = sweep(site)
        shutil.copy(full / "records.db", site.folder / "state" / "records.db")
        assert (status, violations(site)) == (0, [])


def test_a_database_file_that_is_moved_away_under_the_daemon_is_no_new_one_and_is_used_again(
    sites: Sites,
) -> None:
    site = sites.new()
    file, away = site.folder / "state" / "records.db", site.folder / "away"
    with daemon_of(site.config) as daemon:
        fill_plainly(site)
        wait_until(lambda: not site.waiting())
        away.mkdir()
        for part in file.parent.glob("records.db*"):
            part.rename(away / part.name)
        fill_plainly(site)
        wait_until(lambda: "files wait in the inbox" in site.log.read_text())
        assert (file.exists(), len(site.waiting())) == (False, 3)
        for part in away.iterdir():
            part.rename(file.parent / part.name)
        wait_until(lambda: not site.waiting())
        assert daemon.end() == 0
    assert violations(site) == []


def test_a_database_on_a_disk_that_turned_read_only_keeps_files_in_the_inbox(sites: Sites) -> None:
    site = sites.new()
    with disk(site.folder / "db", size="4m") as place:
        shutil.copy(site.folder / "state" / "records.db", place)
        site.url = f"sqlite:///{place}/records.db"
        site.write_config()
        remount(place, "ro")
        with daemon_of(site.config) as daemon:
            fill_plainly(site)
            wait_until(lambda: "files wait in the inbox" in site.log.read_text())
            assert len(site.waiting()) == 3
            remount(place, "rw")
            wait_until(lambda: not site.waiting())
            assert daemon.end() == 0
        shutil.copy(place / "records.db", site.folder / "state" / "records.db")
    assert violations(site) == []


# -- the inbox -----------------------------------------------------------------------------------------------


def test_a_disk_without_room_for_done_leaves_files_that_are_counted_once(sites: Sites) -> None:
    site = sites.new()
    with disk(site.inbox):
        fill_plainly(site)
        (site.inbox / ".tallyd").mkdir(mode=0o700)
        (site.inbox / ".tallyd" / "lock").touch()
        ballast = filled_up_with_files(site.inbox)
        _, files = sweep(site)
        assert files == {"done": 3}
        assert (len(site.waiting()), counted_wrong(site)) == (3, [])
        shutil.rmtree(ballast)
        assert sweep(site) == (0, {"repeat": 3})
        assert violations(site) == []


def test_an_inbox_that_turns_read_only_is_counted_once_and_cleared_when_it_is_writable(sites: Sites) -> None:
    site = sites.new()
    with disk(site.inbox):
        fill_plainly(site)
        (site.inbox / ".tallyd").mkdir(mode=0o700)
        remount(site.inbox, "ro")
        _, files = sweep(site)
        assert files == {"done": 3}
        assert len(site.waiting()) == 3
        remount(site.inbox, "rw")
        assert sweep(site) == (0, {"repeat": 3})
        assert violations(site) == []


def test_an_inbox_that_is_deleted_and_made_anew_is_used_again(sites: Sites) -> None:
    site = sites.new()
    with daemon_of(site.config) as daemon:
        fill_plainly(site)
        wait_until(lambda: not site.waiting())
        shutil.rmtree(site.inbox)
        fill_plainly(site)
        wait_until(lambda: not site.waiting())
        assert daemon.end() == 0
    assert counted_wrong(site) == []
    assert len(site.quarantined("done")) == 3


def _looks(site: VisitsSite) -> int:
    return site.log.read_text().count('"run begins"')


def test_an_inbox_that_is_unmounted_and_mounted_again_is_used_again(sites: Sites) -> None:
    site = sites.new(inbox_is_mount=True)
    with disk(site.inbox), daemon_of(site.config) as daemon:
        fill_plainly(site)
        wait_until(lambda: not site.waiting())
        unmount(site.inbox)
        beside = VisitsSite(site.folder, site.poller, site.url)
        hidden = beside.drop("12", 2)
        before = _looks(site)
        wait_until(lambda: _looks(site) >= before + 2, what="looks at the folder without its mount")
        assert list(site.inbox.iterdir()) == [site.inbox / "12"], "nothing is made in it"
        mount(site.inbox)
        fill_plainly(site)
        wait_until(lambda: not site.waiting())
        assert daemon.end() == 0
        assert counted_wrong(site) == []
        unmount(site.inbox)
        assert beside.waiting() == [site.inbox / "12" / hidden.name]


# -- what tallyd writes besides ------------------------------------------------------------------------------


def test_a_full_disk_of_out_loses_no_report(sites: Sites) -> None:
    site = sites.new(report={"every": "5m"})
    with disk(site.folder / "out", size="16k") as full:
        fill_plainly(site)
        ballast = filled(full)
        done = once(site)
        assert done.returncode == 1
        assert "the reading is stored, but its file is not" in done.stderr
        assert counted_wrong(site) == []
        ballast.unlink()
        with daemon_of(site.config) as daemon:
            wait_until(lambda: daemon.out_files(site.poller))
            assert daemon.end() == 0
        (first, *_) = daemon.out_files(site.poller)
        assert json.loads(first.read_text())["counts"]["in"] == 5


def test_a_full_disk_of_the_log_stops_no_file(sites: Sites) -> None:
    site = sites.new()
    with disk(site.folder / "log", size="16k") as full:
        filled(full)
        with daemon_of(site.config) as daemon:
            fill(site)
            wait_until(lambda: not site.waiting())
            assert daemon.end() == 0
    assert violations(site) == []
