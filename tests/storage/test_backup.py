"""A day that ends on another machine: whenever the backup was made, nothing is there twice, or lost."""

from __future__ import annotations

import io
import random
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from support.fakeclock import FakeClock, at
from support.fakeworld import Killed, World
from support.outages import OPS, Source, minutely, top
from tallyd.adapters.archive import Archive, NewArchive
from tallyd.adapters.locks import FileLock
from tallyd.config.model import Config
from tallyd.config.portable import Portable
from tallyd.contract.toolbox import Toolbox
from tallyd.core.alerts.message import Message
from tallyd.core.errors import BackupError
from tallyd.core.reading import Reading, Slot
from tallyd.storage.backup import LOOKS, Made, Origin, make_backup
from tallyd.storage.restore import restore_data


def saved(
    config: Config, clock: FakeClock, *, sleep: Callable[[float], object] = lambda _s: None, **options: bool
) -> tuple[Archive, Made]:
    """Return a backup of a data folder as it is now."""
    file, chosen = io.BytesIO(), {"is_private": False, "with_out": False, **options}
    made = make_backup(
        Origin.of(config), NewArchive(file), Portable(b"{}", {}, ()), now=clock.now, sleep=sleep, **chosen
    )
    archive = Archive(file, "x.zip")
    archive.check()
    return archive, made


@dataclass
class Moved:
    """A daemon that makes a backup in its n-th pause, fetch or delivery, dies, and goes on elsewhere.

    Its problems begin and end with the minutes of the day, on whichever machine they are found.
    """

    folder: Path
    during: str
    which: int
    met: int = 0
    archive: Archive | None = None
    is_notifying: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(self.which)

    def run(self, clock: FakeClock) -> None:
        self.clock, self.poller = clock, minutely(Source())
        self.poller.act = self.fetch
        self.old = self.machine("old")
        self.old.teller_deliver(self.deliver)
        (self.old.folder / "state" / "locks").mkdir()
        with pytest.raises(Killed), self.old, FileLock(self.old.folder / "state" / "lock").take():
            self.run_on()
        clock.pass_s(self.chance.random() * 100)
        assert self.archive is not None
        self.new = self.machine("new")
        restore_data(self.archive, self.new.config)
        with self.new:
            self.new.run(minutes=20)
            self.outcomes = self.new.outcomes()

    def run_on(self) -> NoReturn:
        while True:
            self.old.run(seconds=1 + self.chance.random() * 20)
            self.pass_one("pause")

    def machine(self, name: str) -> World:
        (self.folder / name).mkdir()
        return World(self.folder / name, self.clock, self.poller, zone="UTC", top=top())

    def pass_one(self, during: str) -> None:
        if during != self.during or self.archive is not None:
            return
        self.met += 1
        if self.met == self.which:
            self.archive, made = saved(self.old.config, self.clock)
            self.is_notifying = made.is_notifying
            raise Killed

    def fetch(self, slot: Slot, tools: Toolbox) -> Reading:
        self.pass_one("fetch")
        minute = slot.due_at.minute
        below = [f"{number}-{minute // 6}" for number in range(3) if minute // (number + 2) % 3 == 0]
        return Source(below=below)(slot, tools)

    def deliver(self, url: str, message: Message) -> None:
        self.old.chats(url, message)
        self.pass_one("delivery")

    def files(self, world: World) -> dict[str, str]:
        """Return the content of the out files by name."""
        folder = world.folder / "out" / "one"
        return {str(path.relative_to(folder)): path.read_text() for path in folder.glob("*/*.json")}


@pytest.mark.parametrize("which", [1, 2, 5, 11])
@pytest.mark.parametrize("during", ["pause", "fetch", "delivery"])
def test_no_slot_and_no_notice_is_there_twice_or_gone(tmp_path: Path, during: str, which: int) -> None:
    with FakeClock(at("2026-11-20 07:59:30")) as clock:
        moved = Moved(tmp_path, during, which)
        moved.run(clock)
    old, new = moved.files(moved.old), moved.files(moved.new)
    assert {name: new.get(name) for name in old} == old
    slots = [outcome.rpartition(" ")[0] for outcome in moved.outcomes]
    assert slots == sorted(set(slots))
    begin, end = (datetime.fromisoformat(each) for each in (slots[0], slots[-1]))
    assert len(slots) == (end - begin) / timedelta(minutes=1) + 1, "each minute was taken, or is missed"
    twice = [line for line, count in Counter(notices(moved.old, moved.new)).items() if count > 1]
    assert moved.is_notifying == (during == "delivery")
    assert bool(twice) == moved.is_notifying, "nobody can know whether a message has arrived"


def notices(*machines: World) -> list[str]:
    """Return the lines about problems that channels were sent."""
    texts = [text for each in machines for text in each.chats.texts()]
    return [line for text in texts for line in text.split("\n") if " on " in line]


def test_a_backup_waits_for_a_notice_that_is_on_its_way(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    with FakeClock(at("2026-11-20 07:59:30")) as clock:
        poller = minutely(Source(below=["50101"]))
        old = World(tmp_path / "old", clock, poller, zone="UTC", top=top())
        (old.folder / "state" / "locks").mkdir()
        old.chats.down.add(OPS)
        with old, FileLock(old.folder / "state" / "lock").take():
            old.run(minutes=1)

            def deliver(_s: float) -> None:
                old.chats.down.clear()
                old.run(minutes=1)

            archive, made = saved(old.config, clock, sleep=deliver)
        assert not made.is_notifying
        new = World(tmp_path / "new", clock, poller, zone="UTC", top=top())
        restore_data(archive, new.config)
        with new:
            new.run(minutes=3)
    assert len(notices(old)) == 1
    assert notices(new) == []


def test_a_backup_waits_for_the_notice_of_a_mute(tmp_path: Path) -> None:
    with FakeClock(at("2026-11-20 07:59:30")) as clock:
        world = World(tmp_path, clock, minutely(Source(below=["50101"])), zone="UTC", top=top())
        (world.folder / "state" / "locks").mkdir()
        with world, FileLock(world.folder / "state" / "lock").take():
            world.run(minutes=1)
            assert not saved(world.config, clock)[1].is_notifying
            until = clock.now() + timedelta(hours=1)
            world.state.notifications.mute("one/*", since=clock.now(), until=until, why="", by="anna")
            assert saved(world.config, clock)[1].is_notifying


def test_a_copy_in_which_a_notice_begins_is_made_again(tmp_path: Path) -> None:
    with FakeClock(at("2026-11-20 07:59:30")) as clock:
        policy = top(escalate=[{"after": "1h", "channels": ["phone"]}])
        world = World(tmp_path, clock, minutely(Source(below=["50101"])), zone="UTC", top=policy)
        (world.folder / "state" / "locks").mkdir()
        with world, FileLock(world.folder / "state" / "lock").take():
            world.run(minutes=2)
            looks: list[float] = []
            times = iter([clock.now()] * 2 + [clock.now() + timedelta(hours=2)] * 2 + [clock.now()] * 2)
            made = make_backup(
                Origin.of(world.config),
                NewArchive(io.BytesIO()),
                Portable(b"{}", {}, ()),
                is_private=False,
                with_out=False,
                now=lambda: next(times),
                sleep=looks.append,
            )
            assert not made.is_notifying
            assert len(looks) == 2


def test_a_state_that_cannot_be_read_while_a_daemon_runs_is_not_copied(tmp_path: Path) -> None:
    with FakeClock(at("2026-11-20 07:59:30")) as clock:
        world = World(tmp_path, clock, minutely(Source()), zone="UTC", top=top())
        (world.folder / "state" / "locks").mkdir()
        with world, FileLock(world.folder / "state" / "lock").take():
            world.state.close()
            (world.folder / "state" / "state.db").write_bytes(b"not a database" * 1000)
            with pytest.raises(BackupError, match="file is not a database"):
                saved(world.config, clock)


@pytest.mark.parametrize(
    ("poller", "waits"),
    [
        pytest.param("report.weekly", True, id="for people"),
        pytest.param("park", False, id="for an upstream, which may get it twice"),
    ],
)
def test_a_backup_waits_for_a_report_that_is_on_its_way(tmp_path: Path, poller: str, waits: bool) -> None:
    with FakeClock(at("2026-11-20 07:59:30")) as clock:
        world = World(tmp_path, clock, minutely(Source()), zone="UTC", top=top())
        (world.folder / "state" / "locks").mkdir()
        with world, FileLock(world.folder / "state" / "lock").take():
            with closing(sqlite3.connect(world.folder / "state" / "state.db")) as db, db:
                db.execute(
                    "INSERT INTO outbox (poller, ssid, day, body, version, slot_at, state)"
                    " VALUES (?, 'ops', '2026-11-20', '{}', 1, '2026-11-20T07:00:00.000000Z', 'waiting')",
                    (poller,),
                )
            assert saved(world.config, clock)[1].is_notifying == waits


def test_a_channel_that_accepts_nothing_does_not_hold_up_a_backup(tmp_path: Path) -> None:
    looks: list[float] = []
    with FakeClock(at("2026-11-20 07:59:30")) as clock:
        world = World(tmp_path, clock, minutely(Source(below=["50101"])), zone="UTC", top=top())
        (world.folder / "state" / "locks").mkdir()
        world.chats.down.add(OPS)
        with world:
            world.run(minutes=1)
            assert not saved(world.config, clock, sleep=looks.append)[1].is_notifying, "no daemon runs"
            assert looks == []
            with FileLock(world.folder / "state" / "lock").take():
                assert saved(world.config, clock, sleep=looks.append)[1].is_notifying
    assert len(looks) == LOOKS


class Pruning(NewArchive):
    """An archive in whose time the daemon deletes what is old."""

    def add(self, name: str, path: Path) -> None:
        for old in path.parent.glob("2026*.json"):
            if old > path:
                old.unlink()
        super().add(name, path)


def test_an_out_file_that_is_deleted_meanwhile_is_left_out(tmp_path: Path) -> None:
    month = tmp_path / "out" / "one" / "2026-11"
    with FakeClock(at("2026-11-20 07:59:30")) as clock:
        world = World(tmp_path, clock, minutely(Source()), zone="UTC", top=top())
        with world:
            world.run(minutes=3)
        archive, names = Pruning(io.BytesIO()), sorted(path.name for path in month.glob("2026*.json"))
        make_backup(
            Origin.of(world.config),
            archive,
            Portable(b"{}", {}, ()),
            is_private=False,
            with_out=True,
            now=clock.now,
        )
    assert len(names) == 3
    assert [name for name in archive.files if "2026" in name] == [f"out/one/2026-11/{names[0]}"]
