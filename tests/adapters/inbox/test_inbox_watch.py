"""Kernel events: they wake the job and show which files are complete, but everything works without them."""

from __future__ import annotations

import itertools
import os
import resource
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.inbox.dropping import descriptors, names
from support.daemon import LONGEST_S, wait_until
from tallyd.adapters.inbox import Folder
from tallyd.adapters.inbox.filenames import Pattern
from tallyd.adapters.inbox.watcher import MOST_WATCHED, Watcher


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def woken() -> threading.Event:
    return threading.Event()


@pytest.fixture
def folder(inbox: Path, woken: threading.Event) -> Iterator[Folder]:
    """A watched folder in which no file becomes ready by its age."""
    made = Folder(inbox, own_source="hall", settle_s=3600)
    made.watch(woken.set)
    yield made
    made.close()


def _trouble(watcher: Watcher) -> str | None:
    return watcher.trouble


def _waiting(folder: Folder) -> list[str]:
    return names(folder.look())


def test_a_file_that_was_written_and_closed_is_ready_at_once(
    folder: Folder, inbox: Path, woken: threading.Event
) -> None:
    with (inbox / "a.json").open("w") as file:
        file.write("[]")
        file.flush()
        assert not woken.wait(0.3), "still being written"
        assert _waiting(folder) == []
    assert woken.wait(LONGEST_S)
    wait_until(lambda: _waiting(folder) == ["a.json"])
    assert _waiting(folder) == ["a.json"], "and at the next look, if it was not taken"


def test_a_file_that_was_renamed_into_the_inbox_is_ready_at_once(
    folder: Folder, inbox: Path, tmp_path: Path, woken: threading.Event
) -> None:
    (tmp_path / "a").write_text("[]")
    (tmp_path / "a").rename(inbox / "a.json")
    assert woken.wait(LONGEST_S)
    (inbox / "b.json.part").write_text("[]")
    (inbox / "b.json.part").rename(inbox / "b.json")
    wait_until(lambda: _waiting(folder) == ["a.json", "b.json"])


def test_folders_that_come_later_are_watched_too(folder: Folder, inbox: Path) -> None:
    (inbox / "12/day").mkdir(parents=True)
    folder.look()
    (inbox / "12/day/deeper").mkdir()
    time.sleep(0.3)
    (inbox / "12/day/deeper/a.json").write_text("[]")
    wait_until(lambda: _waiting(folder) == ["12/day/deeper/a.json"])


def test_a_file_that_is_written_on_after_it_was_closed_has_to_settle(folder: Folder, inbox: Path) -> None:
    (inbox / "a.json").write_text("[1,")
    wait_until(lambda: _waiting(folder) == ["a.json"])
    with (inbox / "a.json").open("a") as file:
        file.write("2")
        file.flush()
        assert _waiting(folder) == []
        file.write("]")
    wait_until(lambda: _waiting(folder) == ["a.json"])


def test_an_empty_file_that_was_closed_has_to_settle(
    folder: Folder, inbox: Path, woken: threading.Event
) -> None:
    (inbox / "a.json").touch()
    assert woken.wait(LONGEST_S)
    assert _waiting(folder) == []


def test_a_folder_that_is_renamed_says_nothing_of_its_files(
    folder: Folder, inbox: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a.json").write_text("[]")
    (tmp_path / "out").rename(inbox / "12")
    folder.look()
    (inbox / "12").rename(inbox / "24")
    time.sleep(0.5)
    assert _waiting(folder) == []


def test_what_is_not_looked_at_wakes_nobody(folder: Folder, inbox: Path, woken: threading.Event) -> None:
    for name in (".tallyd", "12.part"):
        (inbox / name).mkdir()
    folder.look()
    for name in (".a.json", "a.txt", "a.json.tmp", ".tallyd/a.json", "12.part/a.json"):
        (inbox / name).write_text("[]")
    (inbox / "a.txt").unlink()
    assert not woken.wait(0.5)


def test_files_that_are_moved_away_cause_no_event_and_replayed_ones_do(
    folder: Folder, inbox: Path, woken: threading.Event
) -> None:
    (inbox / "a.json").write_text("[]")
    wait_until(lambda: _waiting(folder) == ["a.json"])
    woken.clear()
    folder.rejected(folder.look().waiting[0], {})
    assert not woken.wait(0.5)
    folder.replay("all")
    assert woken.wait(LONGEST_S)
    assert _waiting(folder) == ["a.json"]


@pytest.mark.parametrize("seen", [False, True], ids=["between two looks", "seen gone"])
def test_a_replaced_folder_is_watched_again_after_a_look(
    seen: bool, folder: Folder, inbox: Path, woken: threading.Event
) -> None:
    (inbox / "keeps-the-inode").mkdir()
    if seen:
        shutil.rmtree(inbox)
        assert folder.look().state == "gone"
    else:
        inbox.rename(inbox.with_name("old"))
    inbox.mkdir()
    assert folder.look().state == "here"
    woken.clear()
    (inbox / "a.json").write_text("[]")
    assert woken.wait(LONGEST_S)
    assert _waiting(folder) == ["a.json"]


def test_a_folder_that_was_replaced_within_a_moment_is_watched_again(
    folder: Folder, inbox: Path, woken: threading.Event
) -> None:
    inbox.rmdir()
    inbox.mkdir()  # most file systems give it the inode of the old one
    numbers = itertools.count()

    def is_woken() -> bool:
        folder.look()
        (inbox / f"{next(numbers)}.json").write_text("[]")
        return woken.wait(0.2)

    wait_until(is_woken)


@pytest.mark.parametrize("how", ["deleted", "renamed"])
def test_a_replaced_source_folder_is_watched_again_after_a_look(
    how: str, folder: Folder, inbox: Path, woken: threading.Event
) -> None:
    (inbox / "12").mkdir()
    folder.look()
    if how == "deleted":
        (inbox / "12").rmdir()
    else:
        (inbox / "12").rename(inbox / "24")
    (inbox / "12").mkdir()
    numbers = itertools.count()

    def is_woken() -> bool:
        folder.look()
        (inbox / f"12/{next(numbers)}.json").write_text("[]")
        return woken.wait(0.2)

    wait_until(is_woken)


def test_folders_that_are_not_watched_are_still_scanned(inbox: Path) -> None:
    for number in range(MOST_WATCHED + 6):
        (inbox / str(number)).mkdir()
        (inbox / f"{number}/a.json").write_text("[]")
    threads = threading.active_count()
    folder = Folder(inbox, own_source="hall", settle_s=0)
    folder.watch(lambda: None)
    time.sleep(0.01)
    for _ in range(2):
        assert len(folder.look().waiting) == MOST_WATCHED + 6
    assert threading.active_count() <= threads + MOST_WATCHED + 3
    folder.close()
    assert threading.active_count() == threads


def test_a_second_watch_takes_the_place_of_the_first(
    folder: Folder, inbox: Path, woken: threading.Event
) -> None:
    other = threading.Event()
    threads = threading.active_count()
    folder.watch(other.set)
    assert threading.active_count() == threads
    (inbox / "a.json").write_text("[]")
    assert other.wait(LONGEST_S)
    assert not woken.is_set()


def test_a_folder_that_is_not_there_yet_is_watched_once_it_is(inbox: Path, woken: threading.Event) -> None:
    inbox.rmdir()
    folder = Folder(inbox, own_source="hall", settle_s=3600)
    folder.watch(woken.set)
    assert folder.look().state == "gone"
    inbox.mkdir()
    folder.look()
    (inbox / "a.json").write_text("[]")
    assert woken.wait(LONGEST_S)
    folder.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_callback_that_fails_costs_events_for_a_while_and_no_more(inbox: Path) -> None:
    clock = [0.0]
    calls: list[int] = []

    def fail_once() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("a bug of the caller")

    folder = Folder(inbox, own_source="hall", settle_s=0, monotonic=lambda: clock[0])
    folder.watch(fail_once)
    (inbox / "a.json").write_text("[]")
    wait_until(lambda: len(calls) == 1)
    time.sleep(0.1)
    assert _waiting(folder) == ["a.json"], "the looks go on"
    clock[0] += 61
    folder.look()
    (inbox / "b.json").write_text("[]")
    wait_until(lambda: len(calls) > 1)
    folder.close()


def test_without_free_descriptors_there_are_no_events_but_the_looks_go_on(
    inbox: Path, woken: threading.Event
) -> None:
    folder = Folder(inbox, own_source="hall", settle_s=0)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = descriptors()[-1]
    filled = [os.dup(0)]
    while filled[-1] < used:
        filled.append(os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (filled[-1] + 2, limits[1]))
    try:
        folder.watch(woken.set)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for one in filled:
            os.close(one)
    (inbox / "a.json").write_text("[]")
    time.sleep(0.01)
    assert _waiting(folder) == ["a.json"]
    assert not woken.is_set()
    folder.close()


def test_a_folder_that_cannot_be_watched_leaves_no_thread_and_is_tried_again(
    inbox: Path, woken: threading.Event
) -> None:
    threads, before = threading.active_count(), descriptors()
    clock = [0.0]
    later = inbox.with_name("later")
    watcher = Watcher(later, Pattern("*"), woken.set, monotonic=lambda: clock[0])
    folder = os.open(inbox, os.O_RDONLY)
    watcher.tend(folder)
    assert _trouble(watcher) == "no such file or directory"
    assert threading.active_count() == threads
    inbox.rename(later)
    watcher.tend(folder)
    assert _trouble(watcher) is not None, "not tried at every look"
    clock[0] += 61
    watcher.tend(folder)
    os.close(folder)
    assert _trouble(watcher) is None
    (later / "a").write_text("a")
    assert woken.wait(LONGEST_S)
    watcher.close()
    assert descriptors() == before


def test_closing_ends_every_thread_and_descriptor(inbox: Path, woken: threading.Event) -> None:
    threads, before = threading.active_count(), descriptors()
    folder = Folder(inbox, own_source="hall")
    folder.watch(woken.set)
    folder.close()
    folder.close()
    assert threading.active_count() == threads
    assert descriptors() == before
    (inbox / "a.json").write_text("[]")
    assert not woken.wait(0.3)
