"""Opening and reading: always the file that the look saw, complete, and the same at every read."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from adapters.inbox.dropping import AsNobody, Site, descriptors, names
from tallyd.adapters.inbox.open_file import CHUNK_BYTES
from tallyd.adapters.inbox.rename import identity
from tallyd.adapters.inbox.tracking import MOST_TROUBLES, Troubles
from tallyd.core.errors import InboxError


def test_chunks_are_those_of_the_content_however_often_it_is_read(site: Site) -> None:
    content = os.urandom(2 * CHUNK_BYTES + 17)
    site.drop("a.json", content)
    waiting = site.only()
    for _ in range(2):
        chunks = list(site.folder.chunks(waiting))
        assert b"".join(chunks) == content
        assert max(map(len, chunks)) == CHUNK_BYTES
    assert site.folder.is_unchanged(waiting)


def test_an_empty_file_is_a_file(site: Site) -> None:
    site.drop("a.json", b"")
    assert list(site.folder.chunks(site.only())) == []


def test_what_changed_between_look_and_open_is_not_read(site: Site) -> None:
    path = site.drop("a.json")
    waiting = site.only()
    path.write_bytes(b"[1]")
    with pytest.raises(InboxError, match="changed after it was seen"):
        site.read(waiting)
    site.age(path, 60)
    assert site.read(site.only()) == b"[1]", "it is offered at once: nothing is wrong with it"


def test_opening_a_file_that_is_gone_is_an_error(site: Site) -> None:
    path = site.drop("12/a.json")
    waiting = site.only()
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(InboxError, match=r"12/a\.json is gone"):
        site.read(waiting)


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_took_a_files_place_is_neither_followed_nor_waited_for(
    kind: str, site: Site, tmp_path: Path
) -> None:
    path = site.drop("12/a.json")
    waiting = site.only()
    path.rename(tmp_path / "a.json")
    if kind == "link":
        path.symlink_to(tmp_path / "a.json")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(InboxError, match="no regular file"):
        site.read(waiting)
    with pytest.raises(InboxError):
        site.folder.done(waiting)
    assert (tmp_path / "a.json").read_bytes() == b"[]"
    assert os.path.lexists(path)


def test_a_folder_that_became_a_link_is_not_followed(site: Site, tmp_path: Path) -> None:
    site.drop("12/a.json")
    waiting = site.only()
    (site.path / "12").rename(tmp_path / "elsewhere")
    (site.path / "12").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InboxError, match=r"12/a\.json"):
        site.read(waiting)
    with pytest.raises(InboxError, match=r"12/a\.json"):
        site.folder.done(waiting)
    assert (tmp_path / "elsewhere" / "a.json").exists()


def test_content_that_changes_while_it_is_read_is_an_error_at_the_latest_at_the_end(site: Site) -> None:
    path = site.drop("a.json", b"x" * (CHUNK_BYTES + 1))
    waiting = site.only()
    chunks = site.folder.chunks(waiting)
    next(chunks)
    with path.open("r+b") as file:
        file.write(b"y")
    assert not site.folder.is_unchanged(waiting)
    with pytest.raises(InboxError, match="changed after it was seen"):
        list(chunks)


def test_a_file_that_is_cut_short_while_it_is_read_is_an_error(site: Site) -> None:
    path = site.drop("a.json", b"x" * (CHUNK_BYTES + 1))
    chunks = site.folder.chunks(site.only())
    next(chunks)
    os.truncate(path, CHUNK_BYTES)
    with pytest.raises(InboxError, match="changed after it was seen"):
        list(chunks)


def test_another_file_under_the_name_is_a_change(site: Site) -> None:
    path = site.drop("a.json", b"one")
    waiting = site.only()
    path.rename(path.with_suffix(".old"))
    site.drop("a.json", b"one")
    assert not site.folder.is_unchanged(waiting)
    with pytest.raises(InboxError, match="changed after it was seen"):
        site.read(waiting)


def test_a_file_is_read_only_up_to_the_limit_although_a_look_offers_it(site: Site) -> None:
    site.folder = site.again(max_bytes=1000)
    site.drop("a.json", b"x" * 1000)
    site.drop("b.json", b"x" * 1001, age_s=30)
    exact, more = site.folder.look().waiting
    assert len(site.read(exact)) == 1000
    with pytest.raises(InboxError, match=r"b\.json: is larger than 1000 bytes"):
        site.read(more)
    look = site.folder.look()
    assert names(look) == ["a.json"]
    assert look.untakable == {"b.json": "is larger than 1000 bytes"}


def test_a_file_without_permission_is_reported_with_advice(site: Site) -> None:
    path = site.drop("12/a.json")
    waiting = site.only()
    path.chmod(0o000)
    with AsNobody(site.path):
        with pytest.raises(InboxError, match=r"12/a\.json: permission denied; let the user of tallyd"):
            site.read(waiting)
        look = site.folder.look()
    assert (look.waiting, list(look.untakable)) == ((), ["12/a.json"])


def test_what_is_remembered_of_trouble_is_bounded(tmp_path: Path) -> None:
    troubles = Troubles(monotonic=lambda: 0.0)
    found = tmp_path.stat()
    for number in range(MOST_TROUBLES + 5):
        troubles.note(str(number), identity(found), "a test")
    assert len(troubles) == MOST_TROUBLES
    assert troubles.of("4", found) == (None, True)
    assert troubles.of("5", found) == ("a test", False)
    troubles.begin()
    troubles.of("7", found)
    troubles.end()
    assert len(troubles) == 1, "what a look did not come across is gone"


def test_an_unusable_file_is_reported_and_tried_again_after_a_minute_or_a_change(site: Site) -> None:
    site.folder = site.again(max_bytes=2)
    path = site.drop("a.json", b"123")
    with pytest.raises(InboxError):
        site.read(site.only())
    site.clocks.forward(59)
    assert site.folder.look().waiting == ()
    site.clocks.forward(1)
    look = site.folder.look()
    assert (names(look), list(look.untakable)) == (["a.json"], ["a.json"]), "reported until it works"
    with pytest.raises(InboxError):
        site.read(site.only())
    assert site.folder.look().waiting == ()
    path.write_bytes(b"12")
    site.age(path, 60)
    look = site.folder.look()
    assert (names(look), look.untakable) == (["a.json"], {})


def test_no_descriptor_is_left_open(site: Site) -> None:
    site.drop("12/a.json")
    waiting = site.only()
    before = descriptors()
    for _ in range(20):
        site.read(waiting)
        site.folder.look()
    site.folder.done(waiting)
    with pytest.raises(InboxError):
        site.read(waiting)
    site.folder.rejected_files()
    assert descriptors() == before


def test_what_lands_in_done_is_always_what_was_hashed_whoever_replaces_files_meanwhile(site: Site) -> None:
    over = threading.Event()

    def replace() -> None:
        number = 0
        while not over.is_set():
            number += 1
            # Each has a time of its own: an inode may be given again.
            new = site.drop("12/new.tmp", b"%d" % number, age_s=60 + number / 1000)
            new.rename(site.path / "12/a.json")

    site.drop("12/a.json", b"0")
    thread = threading.Thread(target=replace)
    thread.start()
    stored: list[bytes] = []
    refused = 0
    try:
        while len(stored) < 100 and refused < 20_000:
            for waiting in site.folder.look().waiting:
                try:
                    content = site.read(waiting)
                    site.folder.done(waiting)
                    stored.append(content)
                except InboxError:
                    refused += 1
    finally:
        over.set()
        thread.join()
    # It is also fine if done() finds that the file is gone: then done/ does not have it.
    assert set(site.quarantined("done").values()) <= set(stored)
    assert len(stored) == 100
