"""The watch on the config file and on the files it names: what is a change, and when it is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tallyd.config.file_watch import SETTLE_S, ConfigWatch


class Desk:
    """Two watched files and a clock; `changed()` looks as the daemon does, every second."""

    def __init__(self, folder: Path) -> None:
        self.config, self.secret = folder / "config.json", folder / "key"
        self.config.write_text("{}")
        self.secret.write_text("k1")
        self._now_s = 50.0
        self.watch = ConfigWatch((self.config, self.secret), monotonic=self.now_s)
        assert self.later(), "the start counts as a change"

    def now_s(self) -> float:
        return self._now_s

    def looks(self, count: int) -> list[bool]:
        """Look so often, a second apart."""
        found = []
        for _ in range(count):
            self._now_s += 1.0
            found.append(self.watch.has_changed())
        return found

    def later(self) -> bool:
        """Whether a change is told within the next five seconds; told more than once is a failure."""
        found = self.looks(5)
        assert found.count(True) <= 1
        return any(found)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def by_rename(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def same_size(desk: Desk) -> None:
    desk.secret.write_text("k2")
    os.utime(desk.secret, ns=(1, 1))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda desk: desk.config.write_text('{"name": "x"}'), id="written-in-place"),
        pytest.param(lambda desk: by_rename(desk.config, "{}"), id="replaced-by-a-copy"),
        pytest.param(lambda desk: desk.secret.write_text("k22"), id="a-file-it-names"),
        pytest.param(same_size, id="a-file-of-the-same-size"),
        pytest.param(lambda desk: os.utime(desk.config, ns=(5, 5)), id="touched"),
        pytest.param(lambda desk: desk.secret.unlink(), id="a-file-it-names-is-gone"),
        pytest.param(lambda desk: desk.config.unlink(), id="gone"),
    ],
)
def test_a_change_is_told_once_after_it_has_stood_still(desk: Desk, change: Callable[[Desk], object]) -> None:
    assert not desk.later()
    change(desk)
    assert desk.looks(1) == [False], "not at once: an editor may still be writing"
    assert desk.later()
    assert not desk.later()


def test_a_file_that_was_edited_between_its_reading_and_the_start_of_the_watch_is_told(
    tmp_path: Path,
) -> None:
    desk = Desk(tmp_path)
    desk.config.write_text("edited while the daemon was starting")
    desk.watch = ConfigWatch((desk.config, desk.secret), monotonic=desk.now_s)
    assert desk.looks(3) == [False, True, False]


def test_it_is_told_as_soon_as_it_has_stood_still_for_so_long(desk: Desk) -> None:
    desk.config.write_text("{ }")
    assert SETTLE_S == 2.0
    assert desk.looks(4) == [False, False, True, False]


def test_a_file_that_is_still_being_written_is_waited_for(desk: Desk) -> None:
    for length in range(10):
        desk.config.write_text("x" * (length + 3))
        assert desk.looks(1) == [False]
    assert desk.looks(3) == [False, True, False]


def test_a_change_that_is_undone_meanwhile_is_none(desk: Desk) -> None:
    before = desk.secret.stat()
    quarantined = desk.secret.with_suffix(".aside")
    desk.secret.rename(quarantined)
    assert desk.looks(1) == [False]
    quarantined.rename(desk.secret)
    assert desk.secret.stat().st_ino == before.st_ino
    assert not desk.later()


def test_a_file_that_comes_back_is_a_change_again(desk: Desk) -> None:
    desk.secret.unlink()
    assert desk.later()
    desk.secret.write_text("k1")
    assert desk.later()


def test_a_file_that_is_named_from_now_on_is_watched_and_one_no_longer_named_is_not(
    desk: Desk, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    desk.watch.follow((desk.config, other))
    assert not desk.later()
    desk.secret.write_text("changed, and nobody cares")
    assert not desk.later()
    other.write_text("it is there now")
    assert desk.later()


def test_what_changes_while_it_is_being_read_is_a_change_still_to_come(desk: Desk) -> None:
    desk.config.write_text('{"read": 1}')
    assert desk.later()
    desk.config.write_text('{"read too late": 1}')
    desk.watch.follow((desk.config, desk.secret))
    assert desk.later()


def test_following_the_same_files_again_is_no_change(desk: Desk) -> None:
    desk.config.write_text('{"read": 1}')
    assert desk.later()
    desk.watch.follow((desk.config, desk.secret))
    assert not desk.later()


def test_a_link_that_is_turned_to_another_file_is_a_change(desk: Desk, tmp_path: Path) -> None:
    first, second, link = tmp_path / "a", tmp_path / "b", tmp_path / "link"
    first.write_text("same")
    second.write_text("same")
    link.symlink_to(first)
    desk.watch.follow((desk.config, link))
    assert not desk.later()
    link.unlink()
    link.symlink_to(second)
    assert desk.later()
