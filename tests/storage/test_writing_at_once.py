"""The thread of a run, the scheduler thread and `tallyd once` may all write the same out file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest

from support.divera_server import Client
from support.site import Site, prepare, take
from support.verdict import stored
from tallyd.adapters.outfiles import OutError, OutFiles
from tallyd.adapters.state import State
from tallyd.cli.shared import utc_now
from tallyd.config.jobs import Task, tasks_of
from tallyd.config.load import load
from tallyd.storage.store import Store

PATIENCE_S = 0.2
"""How long to wait for a second writer, which must not come."""


class SlowDisk(OutFiles):
    """Shows when a file is being written, and takes its time until `second` is there or has not come."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.first = threading.Event()
        self.second = threading.Event()
        self.writes = 0

    def write(self, poller: str, name: str, text: str) -> Literal["written", "taken"]:
        self.writes += 1
        if self.first.is_set():
            self.second.set()
        self.first.set()
        self.second.wait(PATIENCE_S)
        return super().write(poller, name, text)


class FullDisk(OutFiles):
    """Writes nothing; readings stay in state.db."""

    def write(self, poller: str, name: str, text: str) -> Literal["written", "taken"]:
        raise OutError("no space left on device")


class NoLatest(OutFiles):
    """Writes out files, but no `latest.json`: none of them is noted as written."""

    def write_latest(self, poller: str, text: str) -> None:
        raise OutError("no space left on device")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return prepare(tmp_path / "site", Client("http://127.0.0.1:1/nobody/api/users"))


@pytest.fixture
def task(site: Site) -> Task:
    (task,) = tasks_of(load(site.config, environ={}))
    return task


@pytest.fixture
def state(site: Site) -> Iterator[State]:
    state = State(site.database)
    yield state
    state.close()


def test_a_look_during_the_writing_of_a_run_does_not_write_the_file_as_well(
    site: Site, task: Task, state: State
) -> None:
    disk = SlowDisk(site.folder / "out")
    store = Store(state, disk, now=utc_now)
    with ThreadPoolExecutor(1) as run:
        taken = run.submit(take, store, task, site.due, 5)
        assert disk.first.wait(5)
        store.write_unwritten((task,))
        taken.result()
    assert disk.writes == 1
    assert not disk.second.is_set()
    assert state.alerts.open() == ()
    assert [row.written for row in stored(site.database).of(site.due)] == [True]


def test_two_processes_that_write_the_same_file_leave_it_whole(site: Site, task: Task, state: State) -> None:
    take(Store(state, FullDisk(site.folder / "out"), now=utc_now), task, site.due, 5)
    (out,) = state.out_files.unwritten()
    folder = site.out / Path(out.name).parent
    # A temporary file of another process, which was killed or is still writing.
    other = folder / f".{Path(out.name).name}.1.tmp"
    other.parent.mkdir()
    other.write_text("{")
    store = Store(state, OutFiles(site.folder / "out"), now=utc_now)
    store.write_unwritten((task,))
    assert json.loads((site.out / out.name).read_text())["total"] == 5
    assert state.out_files.unwritten() == ()
    assert other.read_text() == "{"
    assert store.out.remove_leftovers() == 1


def test_a_file_on_disk_that_was_not_noted_is_written_again_with_the_same_bytes(
    site: Site, task: Task, state: State
) -> None:
    take(Store(state, NoLatest(site.folder / "out"), now=utc_now), task, site.due, 5)
    (out,) = state.out_files.unwritten()
    before = (site.out / out.name).read_bytes()
    Store(state, OutFiles(site.folder / "out"), now=utc_now).write_unwritten((task,))
    assert state.out_files.unwritten() == ()
    assert (site.out / out.name).read_bytes() == before
    assert len(list(site.out.glob("*/*.json"))) == 2  # the past one, and this one once


def test_a_run_writes_unwritten_files_of_its_job_and_looks_skip_a_running_job(
    site: Site, task: Task, state: State
) -> None:
    take(Store(state, FullDisk(site.folder / "out"), now=utc_now), task, site.missed, 4)
    store = Store(state, OutFiles(site.folder / "out"), now=utc_now)
    store.write_unwritten((task,), running={task.name})
    assert len(state.out_files.unwritten()) == 1
    take(store, task, site.due, 5)
    assert state.out_files.unwritten() == ()
    assert json.loads((site.out / "latest.json").read_text())["total"] == 5
