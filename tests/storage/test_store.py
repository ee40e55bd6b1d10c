"""state.db that fails and works again, as the store sees it."""

from __future__ import annotations

from pathlib import Path

from support.fakeclock import FakeClock, at
from support.fakeworld import FakePoller, World, daily
from tallyd.adapters.state import Recorded, StateError
from tallyd.storage.held import Held


def test_state_db_works_again_once_it_can_be_read_and_nothing_is_held(tmp_path: Path) -> None:
    with (
        FakeClock(at("2026-11-20 07:59")) as clock,
        World(tmp_path, clock, FakePoller(daily("08:00"))) as world,
    ):
        store = world.store
        store.note_trouble(StateError("the disk is full"))
        store.held.add(Held(frozenset(), Recorded))
        assert store.check_state()
        assert store.state_trouble == "the disk is full"
        store.commit_held()
        assert [store.check_state(), bool(store.state_trouble)] == [True, False]
        world.kill()
        assert [store.check_state(), bool(store.state_trouble)] == [False, True]
        store.finish(())
        assert world.out_files() == []
