"""Two daemons with one database and one poller name: both say so. A database that is away is no news."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, daily
from tallyd.adapters.records.database import Database
from tallyd.cli.process.resources import Outside
from tallyd.config.load import load
from tallyd.config.model import Config
from tallyd.core.errors import RecordsError
from tallyd.core.hosts import Host, Neighbours

START = at("2026-11-20 09:00")
KEY = "tallyd/apps/doubled"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


def host(name: str, clock: FakeClock, *, started_s: float = 3600, beat_s: float = 0) -> Host:
    now = clock.now()
    return Host(
        id=f"{name} {started_s}",
        name=name,
        folder="/state",
        version="1.0",
        started_at=now - timedelta(seconds=started_s),
        beat_at=now - timedelta(seconds=beat_s),
        ahead_s=0.0,
        config_digest="",
        duties={"apps": frozenset({"checks"})},
    )


def both(clock: FakeClock, *, started_s: float = 3600, beat_s: float = 0) -> Callable[[], Neighbours]:
    """Return what this daemon sees beside another, whose last beat is `beat_s` old."""
    return lambda: Neighbours(
        me=host("pi1", clock, started_s=started_s), others=(host("pi2", clock, beat_s=beat_s),)
    )


def alone(clock: FakeClock, *, started_s: float = 3600) -> Callable[[], Neighbours]:
    return lambda: replace(both(clock, started_s=started_s)(), others=())


def is_open(world: World) -> bool:
    alert = world.store.alerts.alerts().get(KEY)
    return alert is not None and alert.is_open


def away() -> Neighbours:
    raise RecordsError("PostgreSQL at db.example: the connection was lost")


def test_an_alert_says_where_the_other_one_runs_until_it_is_gone(tmp_path: Path, clock: FakeClock) -> None:
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"))) as world:
        world.run(minutes=2)
        assert not is_open(world)
        world.host_beat = both(clock)
        world.run(minutes=2)
        alert = world.store.alerts.alerts()[KEY]
        assert (alert.severity, alert.fields["host"]) == ("error", "pi2 (/state)")
        assert [each.name for each in world.daemon.other_hosts()] == ["pi2"]
        world.host_beat = both(clock, beat_s=301)
        world.run(minutes=2)
        assert not is_open(world)


def test_while_the_database_is_away_the_alert_stays_and_no_other_comes(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"))) as world:
        world.host_beat = both(clock)
        world.run(minutes=2)
        known = set(world.store.alerts.alerts())
        world.host_beat = away
        caplog.set_level("INFO", "tallyd")
        world.run(minutes=10)
        assert set(world.store.alerts.alerts()) == known
        assert is_open(world)
        said = [record for record in caplog.records if record.message == "host beat not stored"]
        assert [record.levelname for record in said] == ["INFO"], "once, not with every beat"


def test_a_restart_ends_the_alert_only_once_it_knows_that_the_other_one_is_gone(
    tmp_path: Path, clock: FakeClock
) -> None:
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"))) as world:
        world.host_beat = both(clock)
        world.run(minutes=2)
        world.host_beat = away
        world.restart()
        world.run(minutes=2)
        assert is_open(world), "the database has not answered yet"
        world.host_beat = alone(clock, started_s=30)
        world.run(minutes=2)
        assert is_open(world), "the other one may not have beaten since"
        world.host_beat = alone(clock, started_s=90)
        world.run(minutes=2)
        assert not is_open(world)


def test_the_alert_ends_when_the_config_no_longer_uses_the_database(tmp_path: Path, clock: FakeClock) -> None:
    with clock, World(tmp_path, clock, FakePoller(daily("08:00"))) as world:
        world.host_beat = both(clock)
        world.run(minutes=2)
        world.host_beat = lambda: None
        world.restart()
        world.run(minutes=2)
        assert not is_open(world)


# -- what `tallyd run` beats with ---------------------------------------------------------------------


def config_in(folder: Path, database: Path, **pollers: object) -> Config:
    folder.mkdir(exist_ok=True)
    path = folder / "config.json"
    path.write_text(json.dumps({"database": {"url": f"sqlite:///{database}"}, "pollers": pollers}))
    return load(path, environ={})


APPS = {"kind": "servers", "targets": {"PROD": {"url": "http://127.0.0.1/"}}}
PARK = {"kind": "visitors", "inbox": "in", "sources": {"a": {}}}


def test_two_daemons_on_one_database_see_each_other_with_what_they_do(tmp_path: Path) -> None:
    database = tmp_path / "records.db"
    first = config_in(tmp_path / "first", database, apps=APPS, park=PARK)
    second = config_in(tmp_path / "second", database, apps=APPS, park=PARK)
    with (
        time_machine.travel(START, tick=False),
        closing(Outside(first, now=lambda: START, on_files=lambda _poller, _job: None)) as one,
        closing(Outside(second, now=lambda: START, on_files=lambda _poller, _job: None)) as other,
    ):
        assert one.beat() is None, "a poller makes the tables"
        assert not database.exists()
        with closing(Database(f"sqlite:///{database}")) as made:
            made.prepare()
        mine = one.beat()
        assert mine is not None
        assert mine.others == ()
        theirs = other.beat()
        assert theirs is not None
        (seen,) = theirs.others
        assert (seen.folder, seen.config_digest) == (str(first.state_dir), first.digest)
        assert len(first.digest) == 64, "the column has room for no more"
        assert first.digest != hashlib.sha256(first.path.read_bytes()).hexdigest(), "it may hold a password"
        assert seen.duties == {"apps": {"checks"}, "park": {"inbox"}}
        one.apply_config(config_in(tmp_path / "first", database))
        one.beat()
        theirs = other.beat()
        assert theirs is not None
        assert [each.duties for each in theirs.others] == [{}], "after a reload without pollers"


def test_a_daemon_whose_pollers_do_not_use_the_database_leaves_it_alone(tmp_path: Path) -> None:
    config = config_in(tmp_path / "one", tmp_path / "records.db")
    with closing(Outside(config, now=lambda: START)) as outside:
        assert outside.beat() is None
    assert not (tmp_path / "records.db").exists()
