"""Moving files away: nothing is overwritten, only the file that was read is moved, no link is followed."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.inbox.dropping import AsNobody, Site, names
from support.needs import needs
from tallyd.adapters.inbox.rename import ChangedError, identity, rename_new, rename_reserved, take
from tallyd.contract.inbox import Waiting
from tallyd.core.errors import InboxError

Rename = Callable[..., None]


def _opened(site: Site, name: str, content: bytes = b"[]") -> Waiting:
    """Drop a file and read it."""
    site.drop(name, content)
    (waiting,) = (one for one in site.folder.look().waiting if one.name == name)
    site.read(waiting)
    return waiting


def test_a_done_file_goes_to_its_day_and_source_in_private_folders(site: Site) -> None:
    site.folder.done(_opened(site, "12/a.json"))
    site.folder.done(_opened(site, "12/day/b.json"))
    site.folder.done(_opened(site, "c.json"))
    assert list(site.quarantined("done")) == [
        "2026-11-20/12/a.json",
        "2026-11-20/12/day__b.json",
        "2026-11-20/hall/c.json",
    ]
    for folder, _, _ in os.walk(site.path / ".tallyd"):
        assert stat.S_IMODE(Path(folder).stat().st_mode) == 0o700
    assert site.folder.look().waiting == ()


def test_a_rejected_file_has_its_reason_beside_it(site: Site) -> None:
    site.folder.rejected(_opened(site, "12/a.json"), {"rule": "Tür \udc80", "records": [1, 2]})
    assert list(site.quarantined("rejected")) == ["12/a.json", "12/a.json.reason.json"]
    reason = json.loads(site.quarantined("rejected")["12/a.json.reason.json"])
    assert reason == {"rule": "Tür \udc80", "records": [1, 2]}


def test_a_file_can_be_rejected_unread_but_only_as_it_was_seen(site: Site) -> None:
    path = site.drop("a.json")
    waiting = site.only()
    path.write_bytes(b"[1]")
    with pytest.raises(InboxError, match="changed"):
        site.folder.rejected(waiting, {})
    assert site.quarantined("rejected") == {}, "neither the file nor a reason"
    site.age(path, 60)
    site.folder.rejected(site.only(), {})
    assert list(site.quarantined("rejected", "hall")) == ["a.json", "a.json.reason.json"]


def test_done_files_of_one_name_are_all_kept(site: Site) -> None:
    for number in range(20):
        site.folder.done(_opened(site, "a.json", b"%d" % number))
    kept = site.quarantined("done", "2026-11-20", "hall")
    assert sorted(kept.values(), key=int) == [b"%d" % number for number in range(20)]
    assert {"a.json", "a-2.json", "a-9.json"} <= set(kept)


def test_rejected_files_of_one_name_are_all_kept_each_with_its_reason(site: Site) -> None:
    for number in range(20):
        site.folder.rejected(_opened(site, "a.json", b"%d" % number), {"number": number})
    found = site.folder.rejected_files()
    kept = site.quarantined("rejected")
    assert len(found) == 20
    for one in found:
        assert one.reason == {"number": int(kept[one.name])}


def test_a_data_file_named_like_a_reason_is_not_taken_for_one(site: Site) -> None:
    site.folder.rejected(_opened(site, "a.json.reason.json"), {"of": "reason"})
    site.folder.rejected(_opened(site, "a.json"), {"of": "a"})
    assert {one.name: one.reason for one in site.folder.rejected_files()} == {
        "hall/a.json.reason_.json": {"of": "reason"},
        "hall/a.json": {"of": "a"},
    }


def test_deleting_deletes_and_leaves_nothing_behind(site: Site) -> None:
    site.folder.done(_opened(site, "12/a.json"), delete=True)
    assert not (site.path / "12/a.json").exists()
    assert site.quarantined() == {}


@pytest.mark.parametrize("delete", [False, True], ids=["move", "delete"])
def test_a_file_that_is_gone_is_fine(delete: bool, site: Site) -> None:
    waiting = _opened(site, "12/a.json")
    (site.path / "12/a.json").unlink()
    site.folder.done(waiting, delete=delete)
    site.folder.rejected(waiting, {})
    assert site.quarantined() == {}
    (site.path / "12").rmdir()
    site.folder.done(waiting, delete=delete)
    assert site.folder.look().untakable == {}


@pytest.mark.parametrize("same", [False, True], ids=["other content", "content, size and time the same"])
@pytest.mark.parametrize("delete", [False, True], ids=["move", "delete"])
def test_a_file_that_was_replaced_after_it_was_read_stays(delete: bool, same: bool, site: Site) -> None:
    waiting = _opened(site, "12/a.json", b"one")
    (site.path / "12/a.json").rename(site.path / "12/kept.old")  # else the inode may be given again
    site.drop("12/a.json", b"one" if same else b"two!")
    with pytest.raises(InboxError, match="changed after it was seen"):
        site.folder.done(waiting, delete=delete)
    assert names(site.folder.look()) == ["12/a.json"], "offered again at once"
    assert site.quarantined() == {}


def test_a_folder_that_was_renamed_takes_its_files_along(site: Site) -> None:
    waiting = _opened(site, "12/a.json")
    (site.path / "12").rename(site.path / "24")
    site.folder.done(waiting)
    assert names(site.folder.look()) == ["24/a.json"]


def test_what_slips_into_a_files_place_at_the_last_moment_is_put_back(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("another")
    (tmp_path / "done").mkdir()
    folder, target = (os.open(one, os.O_RDONLY) for one in (tmp_path, tmp_path / "done"))
    answers = iter([True, False])
    with pytest.raises(ChangedError):
        take("a.json", "a.json", folder=folder, new_folder=target, wanted=lambda _: next(answers))
    os.close(folder)
    os.close(target)
    assert (tmp_path / "a.json").read_text() == "another"
    assert list((tmp_path / "done").iterdir()) == []


@pytest.mark.parametrize("rename", [rename_new, rename_reserved])
def test_a_name_that_is_taken_is_never_overwritten(rename: Rename, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    (tmp_path / "link").symlink_to("nowhere")
    folder = os.open(tmp_path, os.O_RDONLY)
    for taken in ("b", "link"):
        with pytest.raises(FileExistsError):
            rename("a", taken, old_folder=folder, new_folder=folder)
    rename("a", "c", old_folder=folder, new_folder=folder)
    with pytest.raises(FileNotFoundError):
        rename("a", "d", old_folder=folder, new_folder=folder)
    os.close(folder)
    assert {one.name for one in tmp_path.iterdir()} == {"b", "c", "link"}
    assert ((tmp_path / "b").read_text(), (tmp_path / "c").read_text()) == ("b", "a")


@pytest.mark.parametrize("rename", [rename_new, rename_reserved])
def test_many_files_with_the_same_name_each_get_another_one(rename: Rename, tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    for number in range(40):
        (tmp_path / f"old{number}").write_text(str(number))

    def move(number: int) -> None:
        for free in range(40):
            with suppress(FileExistsError):
                rename(f"old{number}", f"new{free}", old_folder=folder, new_folder=folder)
                return

    threads = [threading.Thread(target=move, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(folder)
    assert {int(one.read_text()) for one in tmp_path.iterdir()} == set(range(40))


@pytest.mark.parametrize(
    "place", [".tallyd", ".tallyd/done", ".tallyd/done/2026-11-20", ".tallyd/done/2026-11-20/12"]
)
@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_link_or_a_file_in_place_of_our_folder_is_rejected(
    kind: str, place: str, site: Site, tmp_path: Path
) -> None:
    waiting = _opened(site, "12/a.json")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (site.path / place).parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        (site.path / place).symlink_to(elsewhere)
    else:
        (site.path / place).write_text("")
    with pytest.raises(InboxError) as caught:
        site.folder.done(waiting)
    assert caught.value.text.startswith(f"{site.path / place} is a symbolic link or a file")
    assert list(elsewhere.iterdir()) == []
    look = site.folder.look()
    assert look.waiting == (), "not read again at each look"
    assert look.untakable["12/a.json"] == caught.value.text
    assert (".tallyd" in look.untakable) == (place == ".tallyd"), "reported before a file is read"


def test_a_link_in_place_of_the_folder_of_a_rejected_source_is_an_error(site: Site, tmp_path: Path) -> None:
    waiting = _opened(site, "12/a.json")
    (site.path / ".tallyd/rejected").mkdir(parents=True)
    (site.path / ".tallyd/rejected/12").symlink_to(tmp_path)
    with pytest.raises(InboxError, match="is a symbolic link or a file"):
        site.folder.rejected(waiting, {})
    assert not (tmp_path / "a.json").exists()
    assert not (tmp_path / "a.json.reason.json").exists()


def test_a_folder_of_another_user_is_rejected(site: Site) -> None:
    needs(root=True)
    waiting = _opened(site, "12/a.json")
    (site.path / ".tallyd").mkdir()
    os.chown(site.path / ".tallyd", 65534, 65534)
    with pytest.raises(InboxError, match="belongs to user 65534, not to the user of tallyd"):
        site.folder.done(waiting)
    assert "belongs to user 65534" in site.folder.look().untakable[".tallyd"]


def test_a_sticky_folder_is_reported_with_advice(site: Site) -> None:
    needs(root=True)
    waiting = _opened(site, "a.json")
    site.path.chmod(0o1777)
    with AsNobody(site.path), pytest.raises(InboxError, match=r"a\.json: operation not permitted.*sticky"):
        site.folder.done(waiting)
    assert names(site.folder.look()) == []
    assert (site.path / "a.json").exists()


def test_a_folder_of_ours_that_others_may_write_is_closed_to_them(site: Site) -> None:
    waiting = _opened(site, "12/a.json")
    (site.path / ".tallyd").mkdir()
    (site.path / ".tallyd").chmod(0o777)
    site.folder.done(waiting)
    assert stat.S_IMODE((site.path / ".tallyd").stat().st_mode) == 0o755


def test_a_file_counts_as_the_same_only_with_device_inode_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = (tmp_path / "a").stat()
    (tmp_path / "b").write_text("1")
    os.utime(tmp_path / "b", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert identity((tmp_path / "b").stat()) != identity(before)
    os.utime(tmp_path / "a", ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert identity((tmp_path / "a").stat()) != identity(before)
