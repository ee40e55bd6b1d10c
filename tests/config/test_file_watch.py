"""The watch on the config file and on the files it names: what is a change, and when it is reported."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tallyd.config.file_watch import SETTLE_S, ConfigWatch


class Watched:
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
        """Whether a change is reported within the next five seconds; more than once is a failure."""
        found = self.looks(5)
        assert found.count(True) <= 1
        return any(found)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def by_rename(path: Path, text: str) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(text)
    beside.replace(path)


def same_size(watched: Watched) -> None:
    watched.secret.write_text("k2")
    os.utime(watched.secret, ns=(1, 1))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda watched: watched.config.write_text('{"name": "x"}'), id="written-in-place"),
        pytest.param(lambda watched: by_rename(watched.config, "{}"), id="replaced-by-a-copy"),
        pytest.param(lambda watched: watched.secret.write_text("k22"), id="a-file-it-names"),
        pytest.param(same_size, id="a-file-of-the-same-size"),
        pytest.param(lambda watched: os.utime(watched.config, ns=(5, 5)), id="touched"),
        pytest.param(lambda watched: watched.secret.unlink(), id="a-file-it-names-is-gone"),
        pytest.param(lambda watched: watched.config.unlink(), id="gone"),
    ],
)
def test_a_change_is_noticed_once_after_it_has_stood_still(
    watched: Watched, change: Callable[[Watched], object]
) -> None:
    assert not watched.later()
    change(watched)
    assert watched.looks(1) == [False], "not at once: an editor may still be writing"
    assert watched.later()
    assert not watched.later()


def test_a_file_that_was_edited_between_its_reading_and_the_start_of_the_watch_is_noticed(
    tmp_path: Path,
) -> None:
    watched = Watched(tmp_path)
    watched.config.write_text("edited while the daemon was starting")
    watched.watch = ConfigWatch((watched.config, watched.secret), monotonic=watched.now_s)
    assert watched.looks(3) == [False, True, False]


def test_it_is_noticed_as_soon_as_it_has_stood_still_for_so_long(watched: Watched) -> None:
    watched.config.write_text("{ }")
    assert SETTLE_S == 2.0
    assert watched.looks(4) == [False, False, True, False]


def test_a_file_that_is_still_being_written_is_waited_for(watched: Watched) -> None:
    for length in range(10):
        watched.config.write_text("x" * (length + 3))
        assert watched.looks(1) == [False]
    assert watched.looks(3) == [False, True, False]


def test_a_change_that_is_undone_meanwhile_is_none(watched: Watched) -> None:
    before = watched.secret.stat()
    quarantined = watched.secret.with_suffix(".aside")
    watched.secret.rename(quarantined)
    assert watched.looks(1) == [False]
    quarantined.rename(watched.secret)
    assert watched.secret.stat().st_ino == before.st_ino
    assert not watched.later()


def test_a_file_that_comes_back_is_a_change_again(watched: Watched) -> None:
    watched.secret.unlink()
    assert watched.later()
    watched.secret.write_text("k1")
    assert watched.later()


def test_a_file_that_is_named_from_now_on_is_watched_and_one_no_longer_named_is_not(
    watched: Watched, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    watched.watch.follow((watched.config, other))
    assert not watched.later()
    watched.secret.write_text("changed, and nobody cares")
    assert not watched.later()
    other.write_text("it is there now")
    assert watched.later()


def test_what_changes_while_it_is_being_read_is_a_change_still_to_come(watched: Watched) -> None:
    watched.config.write_text('{"read": 1}')
    assert watched.later()
    watched.config.write_text('{"read too late": 1}')
    watched.watch.follow((watched.config, watched.secret))
    assert watched.later()


def test_following_the_same_files_again_is_no_change(watched: Watched) -> None:
    watched.config.write_text('{"read": 1}')
    assert watched.later()
    watched.watch.follow((watched.config, watched.secret))
    assert not watched.later()


def test_a_link_that_is_turned_to_another_file_is_a_change(watched: Watched, tmp_path: Path) -> None:
    first, second, link = tmp_path / "a", tmp_path / "b", tmp_path / "link"
    first.write_text("same")
    second.write_text("same")
    link.symlink_to(first)
    watched.watch.follow((watched.config, link))
    assert not watched.later()
    link.unlink()
    link.symlink_to(second)
    assert watched.later()
