"""Folders that are held open while many files are moved: what may happen to them, and that all are closed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.inbox.dropping import Site, descriptors, names
from tallyd.adapters.inbox.folders import MOST_HELD
from tallyd.contract.inbox import Waiting
from tallyd.core.errors import InboxError


def _dropped(site: Site, *paths: str) -> dict[str, Waiting]:
    """Drop files, each with its path as its content; return them by name."""
    for path in paths:
        site.drop(path, path.encode())
    return {one.name: one for one in site.folder.look().waiting}


def _taken(site: Site, waiting: Waiting) -> bytes:
    content = site.read(waiting)
    site.folder.done(waiting)
    return content


@pytest.mark.parametrize("which", ["", "done", "done/2026-11-20", "done/2026-11-20/12"])
def test_a_folder_of_ours_that_is_removed_in_mid_sweep_is_made_again(site: Site, which: str) -> None:
    waiting = _dropped(site, "12/a.json", "12/b.json", "12/c.json")
    with site.folder.held():
        _taken(site, waiting["12/a.json"])
        shutil.rmtree(site.path / ".tallyd" / which)
        _taken(site, waiting["12/b.json"])
        _taken(site, waiting["12/c.json"])
    assert site.quarantined("done", "2026-11-20") == {"12/b.json": b"12/b.json", "12/c.json": b"12/c.json"}
    assert site.folder.look().waiting == ()


def test_the_folder_of_rejected_files_that_is_removed_in_mid_sweep_is_made_again(site: Site) -> None:
    waiting = _dropped(site, "12/a.json", "12/b.json")
    with site.folder.held():
        site.folder.rejected(waiting["12/a.json"], {})
        shutil.rmtree(site.path / ".tallyd" / "rejected")
        site.folder.rejected(waiting["12/b.json"], {})
    assert list(site.quarantined("rejected")) == ["12/b.json", "12/b.json.reason.json"]


def test_a_folder_that_is_replaced_in_mid_sweep_loses_nothing(site: Site) -> None:
    """The new folder has a file with the same name, size and time. It still counts as another file."""
    waiting = _dropped(site, "12/a.json", "12/b.json")
    with site.folder.held():
        site.read(waiting["12/a.json"])
        (site.path / "12").rename(site.path.parent / "away")
        site.drop("12/a.json", b"AAAAAAAAA")
        site.folder.done(waiting["12/a.json"])
        assert site.read(waiting["12/b.json"]) == b"12/b.json"
    assert (site.path / "12/a.json").read_bytes() == b"AAAAAAAAA"
    assert site.quarantined("done") == {"2026-11-20/12/a.json": b"12/a.json"}
    assert names(site.folder.look()) == ["12/a.json"]


def test_a_folder_that_is_replaced_during_a_sweep_is_found_by_the_next_look(site: Site) -> None:
    waiting = _dropped(site, "12/a.json", "12/b.json", "13/c.json")
    with site.folder.held():
        site.read(waiting["12/a.json"])
        shutil.rmtree(site.path / "12")
        site.drop("12/a.json", b"AAAAAAAAA")
        site.drop("12/b.json", b"BBBBBBBBB")
        with pytest.raises(InboxError, match="changed after it was seen"):
            site.folder.done(waiting["12/a.json"])
        assert site.read(waiting["13/c.json"]) == b"13/c.json"
    again = {one.name: one for one in site.folder.look().waiting}
    assert {name: site.read(one) for name, one in again.items() if name != "13/c.json"} == {
        "12/a.json": b"AAAAAAAAA",
        "12/b.json": b"BBBBBBBBB",
    }


def test_a_link_in_the_place_of_a_folder_is_not_followed_in_mid_sweep(site: Site, tmp_path: Path) -> None:
    waiting = _dropped(site, "12/a.json", "12/b.json")
    other = tmp_path / "other"
    shutil.copytree(site.path / "12", other)
    with site.folder.held():
        site.read(waiting["12/a.json"])
        shutil.rmtree(site.path / "12")
        (site.path / "12").symlink_to(other)
        with pytest.raises(InboxError, match="not a directory"):
            site.folder.done(waiting["12/a.json"])
        with pytest.raises(InboxError):
            site.read(waiting["12/b.json"])
    assert sorted(one.name for one in other.iterdir()) == ["a.json", "b.json"]


def test_an_inbox_that_is_replaced_during_a_sweep_is_used_again(site: Site) -> None:
    waiting = _dropped(site, "12/a.json", "b.json")
    with site.folder.held():
        site.read(waiting["12/a.json"])
        shutil.rmtree(site.path)
        site.path.mkdir()
        site.folder.done(waiting["12/a.json"])
        with pytest.raises(InboxError, match="gone"):
            site.read(waiting["b.json"])
    again = _dropped(site, "12/a.json", "b.json")
    with site.folder.held():
        assert [_taken(site, one) for one in again.values()] == [b"12/a.json", b"b.json"]


def test_what_comes_after_midnight_goes_to_the_new_day(site: Site) -> None:
    waiting = _dropped(site, "12/a.json", "12/b.json")
    with site.folder.held():
        _taken(site, waiting["12/a.json"])
        site.clocks.at += timedelta(hours=12)
        _taken(site, waiting["12/b.json"])
    assert list(site.quarantined("done")) == ["2026-11-20/12/a.json", "2026-11-21/12/b.json"]


def test_of_many_folders_few_are_open_at_a_time(site: Site) -> None:
    paths = [f"{number:04}/deep/a.json" for number in range(4 * MOST_HELD)]
    waiting = _dropped(site, *paths)
    before, most = len(descriptors()), 0
    with site.folder.held():
        for one in waiting.values():
            site.read(one)
            most = max(most, len(descriptors()))
        for one in waiting.values():
            site.folder.done(one)
            most = max(most, len(descriptors()))
    assert most - before <= 2 * MOST_HELD + 1, "those of the inbox, ours, and the inbox itself"
    assert len(descriptors()) == before
    assert len(site.quarantined("done")) == len(paths)


def _change(folder: Path) -> None:
    (folder / "a.json").write_bytes(b"else")


def _remove(folder: Path) -> None:
    shutil.rmtree(folder)


def _remove_all(folder: Path) -> None:
    shutil.rmtree(folder.parent)


def _make_it_a_folder(folder: Path) -> None:
    (folder / "a.json").unlink()
    (folder / "a.json").mkdir()


def _spoil(folder: Path) -> None:
    (folder.parent / ".tallyd").symlink_to(folder)


@pytest.mark.parametrize("harm", [_change, _remove, _remove_all, _make_it_a_folder, _spoil])
@pytest.mark.parametrize("is_read_first", [True, False])
def test_no_descriptor_stays_open_whatever_goes_wrong(
    site: Site, harm: Callable[[Path], None], is_read_first: bool
) -> None:
    waiting = _dropped(site, "12/a.json", "12/b.json", "12/deep/c.json", "d.json")
    before = descriptors()
    with site.folder.held():
        site.read(waiting["12/b.json"])
        if is_read_first:
            site.read(waiting["12/a.json"])
        harm(site.path / "12")
        for one in waiting.values():
            with suppress(InboxError):
                site.read(one)
            with suppress(InboxError):
                site.folder.rejected(one, {})
            with suppress(InboxError):
                site.folder.done(one)
    assert descriptors() == before
