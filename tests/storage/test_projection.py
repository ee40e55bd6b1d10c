"""out/ of this machine after another one has worked: what it lacks is written from the state."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, daily, one_person
from tallyd.adapters.outfiles import OutFiles
from tallyd.storage.projection import A_MONTH, let_missing_be_written
from tallyd.storage.recovery import open_state


def test_what_is_not_on_this_disk_is_written_again_with_the_latest_and_nothing_else(tmp_path: Path) -> None:
    poller = FakePoller(daily("08:00", "08:10", "08:20"), one_person)
    with FakeClock(at("2026-11-20 07:59")) as clock, World(tmp_path, clock, poller) as world:
        world.run(minutes=40, least_s=20)
        before = world.out_files()
        assert len(before) == 3
        folder = tmp_path / "out" / "one"
        kept = sorted(folder.glob("*/*.json"))[0]
        content = {path.relative_to(folder): path.read_text() for path in folder.glob("*/*.json")}
        for path in folder.glob("**/*.json"):
            if path != kept:
                path.unlink()
        stood = kept.stat().st_mtime_ns
        out = OutFiles(tmp_path / "out")
        assert let_missing_be_written(world.state, out, since=clock.now() - A_MONTH) == 2
        world.run(minutes=2)
        assert {path.relative_to(folder): path.read_text() for path in folder.glob("*/*.json")} == content
        assert (folder / "latest.json").exists()
        assert kept.stat().st_mtime_ns == stood
        assert let_missing_be_written(world.state, out, since=clock.now() - A_MONTH) == 0
        shutil.rmtree(folder)
        assert let_missing_be_written(world.state, out, since=clock.now() + timedelta(days=4)) == 0


def test_only_who_shares_the_state_writes_the_files_of_another_host(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        FakeClock(at("2026-11-20 07:59")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"))) as world,
    ):
        world.run(minutes=5)
        shutil.rmtree(tmp_path / "out")
        caplog.set_level("INFO", logger="tallyd")
        for token, waiting in ((None, 0), ("a token", 1)):
            caplog.clear()
            with closing(open_state(world.config, now=clock.now(), token=token)) as state:
                assert len(state.out_files.unwritten()) == waiting
            assert [vars(each)["count"] for each in caplog.records] == [1] * waiting
