"""state.db is damaged, missing, or older than out/: nothing is counted twice, and readings are restored."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from support import warm
from support.daemon import wait_until
from support.divera_server import Client, DiveraServer, divera_server
from support.killing import rest, start_again, started
from support.site import Site, prepare, take
from support.verdict import stored
from tallyd.adapters.outfiles import OutFiles
from tallyd.adapters.state import State
from tallyd.config.jobs import tasks_of
from tallyd.config.load import load
from tallyd.core.schedule.timetable import slots
from tallyd.storage.recovery import open_state
from tallyd.storage.store import Store

PAGE = 4096
NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
NOWHERE = Client("http://127.0.0.1:1/nobody/api/users")

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def server() -> Iterator[DiveraServer]:
    with divera_server() as serving:
        yield serving


@pytest.fixture(scope="module")
def counted(server: DiveraServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site whose daemon took the due slot and was then stopped."""
    site = prepare(tmp_path_factory.mktemp("counted") / "site", server.client("counted"))
    assert start_again(site) == []
    return site


@pytest.fixture
def site(counted: Site, server: DiveraServer, tmp_path: Path) -> Site:
    """A copy of `counted`. Only state.db has the missed slots: if it is lost, they are not notified again."""
    copy = counted.copied(tmp_path / "site", server.client(tmp_path.name))
    return replace(copy, expected={copy.past: "taken", copy.due: "taken"})


def _overwritten(offset: int, content: bytes) -> Damage:
    def damage(path: Path) -> None:
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(content)

    return damage


def _cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 + 100)


def _undecodable(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE mark SET at=CAST(x'ff' AS TEXT)")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(random.Random(1).randbytes(30_000)), id="garbage"),
        pytest.param(_cut, id="cut in the middle"),
        pytest.param(_overwritten(2 * PAGE, random.Random(2).randbytes(PAGE)), id="a page of garbage"),
        pytest.param(_overwritten(5 * PAGE, bytes([0xFF])), id="a page of no known kind"),
        pytest.param(_overwritten(47, b"\x84"), id="a header of no known format"),
        pytest.param(_overwritten(60, bytes(4)), id="tables, but no version"),
        pytest.param(_undecodable, id="a watermark that is no text"),
    ],
)
def test_a_damaged_state_is_renamed_and_rebuilt_from_the_out_files(damage: Damage, site: Site) -> None:
    damage(site.database)
    damaged = site.database.read_bytes()
    asked = site.client.requests
    assert start_again(site) == []
    (quarantined,) = site.database.parent.glob("state.db.damaged-*Z")
    assert quarantined.read_bytes() == damaged
    assert site.client.requests == asked, "a slot that had its reading was asked for again"


def test_status_shows_the_damaged_file_until_it_is_removed(site: Site) -> None:
    site.database.write_bytes(b"no database" * 1000)
    assert start_again(site) == []
    (quarantined,) = site.database.parent.glob("state.db.damaged-*Z")
    (problem,) = _status(site)["problems"]
    assert problem["key"] == "tallyd/damaged"
    assert str(quarantined) in problem["text"]
    quarantined.unlink()
    assert start_again(site) == []
    assert _status(site)["problems"] == []


@pytest.mark.parametrize(
    "lose",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
        pytest.param(lambda path: path.unlink(), id="removed"),
        pytest.param(lambda path: shutil.rmtree(path.parent), id="removed with its folder"),
    ],
)
def test_a_missing_state_is_rebuilt_from_the_out_files(lose: Damage, site: Site) -> None:
    lose(site.database)
    assert start_again(site) == []


def test_a_slot_that_came_after_the_last_reading_is_taken_though_the_state_is_damaged(
    server: DiveraServer, tmp_path: Path
) -> None:
    site = prepare(tmp_path / "site", server.client("later"), past_days=0)
    site.database.write_bytes(b"no database" * 1000)
    # After the slot of the past reading, missing slots are found.
    assert start_again(site) == []


@pytest.mark.parametrize(
    "wal", [b"", bytes(100), random.Random(3).randbytes(40_000)], ids=["emptied", "zeros", "garbage"]
)
def test_a_slot_whose_commit_was_lost_with_the_log_is_not_taken_again(
    wal: bytes, server: DiveraServer, tmp_path: Path
) -> None:
    site = prepare(tmp_path / "site", server.client(tmp_path.name))
    is_at_rest = rest(site)
    with started(site) as daemon:
        wait_until(is_at_rest)
        daemon.kill()  # all that was committed is still in the log beside state.db
    log = site.database.with_name("state.db-wal")
    assert log.stat().st_size > 0
    log.write_bytes(wal)
    assert [row.due_at for row in stored(site.database).rows] == [site.past]
    site = replace(site, expected={site.past: "taken", site.due: "taken"})
    assert start_again(site) == []
    assert site.client.answers == [1]


def test_a_backup_from_the_middle_of_a_run_does_not_take_its_slot_again(
    server: DiveraServer, tmp_path: Path
) -> None:
    site = prepare(tmp_path / "site", server.client("backup"))
    site.client.gate.clear()
    with started(site) as daemon:
        assert site.client.wait_asked(1)
        daemon.kill()
    with closing(sqlite3.connect(site.database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    backup = site.database.read_bytes()
    site.client.gate.set()
    assert start_again(site) == []
    site.database.write_bytes(backup)
    assert stored(site.database).begun == {site.due: ("claimed", 1)}
    asked = site.client.requests
    assert start_again(site) == []
    assert site.client.requests == asked


def test_a_sound_state_is_not_written_to_because_of_files_in_out(site: Site) -> None:
    (site.out / "2026-11").mkdir(exist_ok=True)
    (site.out / "2026-11" / "2026-11-20T080000+0100.json").write_text('{"schema": "other/1"}')
    before = site.database.read_bytes()
    open_state(load(site.config, environ={}), now=NOW).close()
    assert site.database.read_bytes() == before


# -- anywhere in the file ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with enough readings for state.db to have pages of every kind."""
    site = prepare(tmp_path_factory.mktemp("past") / "site", NOWHERE)
    (task,) = tasks_of(load(site.config, environ={}))
    state = State(site.database)
    store = Store(state, OutFiles(site.folder / "out"), now=lambda: NOW)
    since, until = site.past - timedelta(days=30), site.past - timedelta(days=1)
    for number, due in enumerate(slots(task.job.when, task.zone, after=since, until=until)):
        take(store, task, due.at, number)
    state.close()
    return site


def _damages(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield one damaged content after the other, and where the damage is."""
    chance = random.Random(4)
    for at in range(100):
        for value in {0, 0xFF, content[at] ^ 1, content[at] ^ 0x80} - {content[at]}:
            # A version above ours is no damage: a newer tallyd wrote the file.
            if not 60 <= at < 64:
                yield f"byte {at} is {value}", content[:at] + bytes([value]) + content[at + 1 :]
    for page in range(0, len(content), PAGE):
        for what, filling in (("zeros", bytes(PAGE)), ("garbage", chance.randbytes(PAGE))):
            yield f"page {page // PAGE} is {what}", content[:page] + filling + content[page + PAGE :]
    for end in (0, 1, 99, 100, 512, PAGE - 1, PAGE, PAGE + 1, len(content) - PAGE, len(content) - 1):
        yield f"cut at {end}", content[:end]
    for number in range(100):
        flipped = bytearray(content)
        for _ in range(chance.choice((1, 3, 20))):
            flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        yield f"flipped bits {number}", bytes(flipped)


@pytest.mark.slow
def test_whatever_is_damaged_the_daemon_can_begin_and_knows_its_past(past: Site) -> None:
    config = load(past.config, environ={})
    (task,) = tasks_of(config)
    content = past.database.read_bytes()
    readings = len(stored(past.database).rows)
    numbers = count()
    for where, damaged in _damages(content):
        for left in past.database.parent.glob("state.db*"):
            left.unlink()
        past.database.write_bytes(damaged)
        state = open_state(config, now=NOW + timedelta(seconds=next(numbers)))
        try:
            assert state.slots.marks(*task.name), where
            assert state.slots.pending(*task.name) == (), where
            assert (state.alerts.open(), state.out_files.unwritten()) == ((), ()), where
            if "bits" not in where:
                assert len(state.readings.history()) == readings, where
        finally:
            state.close()


def _status(site: Site) -> dict[str, list[dict[str, str]]]:
    said = warm.run("-m", "tallyd", "--config", str(site.config), "status", "--json")
    found: dict[str, list[dict[str, str]]] = json.loads(said.stdout)
    return found
