"""Real mounts of a few kilobytes in memory: missing, read-only, full, one inside the other."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.inbox.dropping import Site, descriptors, names, only_now
from support.needs import needs
from tallyd.contract.inbox import Look
from tallyd.core.errors import InboxError


class Mounts:
    """Makes mounts and removes them after the test."""

    def __init__(self, over: ExitStack) -> None:
        self._over = over

    def memory(self, path: Path, size: str = "64k") -> None:
        self._mount(path, "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs")

    def bind(self, source: Path, path: Path) -> None:
        self._mount(path, "--bind", str(source))

    def read_only(self, path: Path) -> None:
        subprocess.run(["mount", "-o", "remount,ro", path], check=True)

    def _mount(self, path: Path, *how: str) -> None:
        path.mkdir(exist_ok=True, parents=True)
        done = subprocess.run(["mount", *how, str(path)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"needs leave to mount: {done.stderr.strip()}")
        self._over.callback(_unmount, path)


def _unmount(path: Path) -> None:
    subprocess.run(["umount", "--lazy", path], capture_output=True, check=False)  # perhaps done by the test


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    needs("mount", root=True)
    with ExitStack() as over:
        yield Mounts(over)


def test_an_inbox_that_must_be_a_mount_is_used_while_it_is_one(site: Site, mounts: Mounts) -> None:
    site.folder = site.again(is_mount=True)
    site.folder.take_lock()
    assert site.folder.look() == Look(state="unmounted")
    mounts.memory(site.path)
    site.drop("12/a.json")
    waiting = site.only()
    site.read(waiting)
    assert (site.path / ".tallyd/lock").exists()
    site.folder.close()
    subprocess.run(["umount", site.path], check=True)
    with pytest.raises(InboxError, match="nothing is mounted on"):
        site.folder.done(waiting)
    assert only_now(site.folder.look()) == Look(state="unmounted")
    assert list(site.path.iterdir()) == []
    mounts.memory(site.path)
    assert only_now(site.folder.look()) == Look(state="here")


def test_an_unmount_ends_the_hold_of_the_lock_at_the_next_look(site: Site, mounts: Mounts) -> None:
    site.folder = site.again(is_mount=True)
    mounts.memory(site.path)
    site.folder.take_lock()
    busy = subprocess.run(["umount", site.path], capture_output=True, check=False)
    assert busy.returncode != 0, "the lock is an open file"
    subprocess.run(["umount", "--lazy", site.path], check=True)
    before = len(descriptors())
    assert site.folder.look() == Look(state="unmounted")
    assert len(descriptors()) == before - 1
    mounts.memory(site.path)


def test_a_bind_mount_of_the_same_file_system_is_not_what_must_be_mounted(
    site: Site, mounts: Mounts, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    mounts.bind(tmp_path / "other", site.path)
    assert site.again(is_mount=True).look() == Look(state="unmounted")


def test_a_full_disk_keeps_the_file_and_leaves_no_half_reason(site: Site, mounts: Mounts) -> None:
    mounts.memory(site.path, "16k")  # four pages
    site.drop("a.json", b"x" * 8000)
    waiting = site.only()
    site.read(waiting)
    with pytest.raises(InboxError, match=r"a\.json: no space left on device; free space"):
        site.folder.rejected(waiting, {"records": ["y" * 12000]})
    look = site.folder.look()
    assert look.waiting == ()
    assert look.untakable["a.json"].startswith("no space left on device")
    assert site.quarantined("rejected") == {}
    site.clocks.forward(61)
    site.folder.rejected(site.only(), {})
    assert list(site.quarantined("rejected", "hall")) == ["a.json", "a.json.reason.json"]
    assert only_now(site.folder.look()) == Look(state="here")


def test_a_read_only_inbox_is_read_and_says_that_nothing_can_be_moved(site: Site, mounts: Mounts) -> None:
    mounts.memory(site.path)
    site.drop("12/a.json", b"[1]")
    site.drop("12/b.json", b"[2]")
    mounts.read_only(site.path)
    with pytest.raises(InboxError, match="read-only file system"):
        site.folder.take_lock()
    look = site.folder.look()
    assert names(look) == ["12/a.json", "12/b.json"]
    assert "read-only file system" in look.untakable[".tallyd"]
    for waiting in look.waiting:
        site.read(waiting)
        with pytest.raises(InboxError, match="read-only file system; mount it writable"):
            site.folder.done(waiting)
    look = site.folder.look()
    assert look.waiting == ()
    assert sorted(look.untakable) == [".tallyd", "12/a.json", "12/b.json"]
    subprocess.run(["mount", "-o", "remount,rw", site.path], check=True)
    site.clocks.forward(61)
    for waiting in site.folder.look().waiting:
        site.folder.done(waiting)
    assert only_now(site.folder.look()) == Look(state="here")


def test_another_disk_within_the_inbox_is_reported_and_not_scanned(site: Site, mounts: Mounts) -> None:
    mounts.memory(site.path / "24")
    site.drop("24/a.json")
    site.drop("12/b.json")
    look = site.folder.look()
    assert names(look) == ["12/b.json"]
    assert list(look.untakable) == ["24/"]
    assert "configure it as its own inbox" in look.untakable["24/"]


@pytest.mark.parametrize("place", ["12", ".tallyd"])
def test_two_bind_mounts_of_one_disk_are_explained(
    place: str, site: Site, mounts: Mounts, tmp_path: Path
) -> None:
    (tmp_path / "bound").mkdir()
    mounts.bind(tmp_path / "bound", site.path / place)
    site.drop("12/a.json")
    waiting = site.only()
    site.read(waiting)
    with pytest.raises(InboxError, match="are two mounts, even of one disk"):
        site.folder.done(waiting)
    with pytest.raises(InboxError, match="are two mounts, even of one disk"):
        site.folder.done(waiting, delete=True)
    with pytest.raises(InboxError, match="are two mounts, even of one disk"):
        site.folder.rejected(waiting, {})
    assert (site.path / waiting.name).exists()
    assert site.quarantined("rejected") == {}
