"""Looks into the inbox: which files wait, from which source, in which order; what is skipped or reported."""

from __future__ import annotations

import os
import socket
import threading
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.inbox.dropping import NOON, AsNobody, Site, names, only_now
from tallyd.adapters.inbox import Folder
from tallyd.contract.inbox import Inbox, Look


def test_the_first_sub_folder_is_the_source_and_files_beside_it_have_their_own(site: Site) -> None:
    site.drop("12/a.json", age_s=30)
    site.drop("12/day/deeper/b.json", age_s=20)
    site.drop("c.json", b"[1]", age_s=10)
    inbox: Inbox = site.folder
    look = inbox.look()
    assert [(one.source, one.name) for one in look.waiting] == [
        ("12", "12/a.json"),
        ("12", "12/day/deeper/b.json"),
        ("hall", "c.json"),
    ]
    assert (look.waiting[2].size, look.waiting[2].modified_at) == (3, NOON - timedelta(seconds=10))
    assert look.arrivals == {
        "12": NOON - timedelta(seconds=20),
        "hall": NOON - timedelta(seconds=10),
    }


def test_an_empty_inbox_is_here_and_nothing_is_made_in_it(site: Site) -> None:
    assert site.folder.look() == Look(state="here")
    assert list(site.path.iterdir()) == []


def test_the_oldest_come_first_and_of_one_age_by_name(site: Site) -> None:
    for name, age_s in (("b.json", 50), ("a.json", 50), ("z.json", 90), ("12/y.json", 50)):
        site.drop(name, age_s=age_s)
    assert names(site.folder.look()) == ["z.json", "12/y.json", "a.json", "b.json"]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.json",
        ".tallyd/done/2026-11-20/12/a.json",
        ".snapshot/a.json",
        "12/.a.json.Xy12",
        "a.json.tmp",
        "a.json.part",
        "a.json.FILEPART",
        "a.json~",
        "12.part/a.json",
        "a.txt",
        "json",
        "a.JSON",
    ],
)
def test_what_is_hidden_unfinished_or_of_another_name_is_passed_over(name: str, site: Site) -> None:
    site.drop(name)
    assert site.folder.look() == Look(state="here")


def test_only_regular_files_are_offered_and_nothing_else_is_opened_or_followed(
    site: Site, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.json").write_text("[]")
    (site.path / "link.json").symlink_to(elsewhere / "secret.json")
    (site.path / "dangling.json").symlink_to("nowhere")
    (site.path / "12").symlink_to(elsewhere)
    os.mkfifo(site.path / "fifo.json")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site.path / "socket.json"))
        (site.path / "folder.json").mkdir()
        assert site.folder.look() == Look(state="here")


def test_a_file_settles_before_it_is_offered_but_has_arrived(site: Site) -> None:
    site.drop("12/a.json", age_s=1.9)
    look = site.folder.look()
    assert (look.waiting, look.unsettled) == ((), 1)
    assert look.arrivals == {"12": NOON - timedelta(seconds=1.9)}
    site.clocks.forward(0.2)
    look = site.folder.look()
    assert (names(look), look.unsettled) == (["12/a.json"], 0)


@pytest.mark.parametrize(
    "at", [datetime(1980, 1, 1, tzinfo=UTC), NOON + timedelta(hours=3)], ids=["1980", "in three hours"]
)
def test_a_file_with_a_senseless_modification_time_must_not_change_for_a_while(
    at: datetime, site: Site
) -> None:
    path = site.drop("12/a.json")
    os.utime(path, (at.timestamp(), at.timestamp()))
    assert site.folder.look().unsettled == 1
    site.clocks.forward(1.5)
    path.write_bytes(b"[1, 2]")
    os.utime(path, (at.timestamp(), at.timestamp()))
    assert site.folder.look().unsettled == 1
    site.clocks.forward(1.5)
    assert site.folder.look().unsettled == 1, "it grew 1.5 s ago"
    site.clocks.forward(0.5)
    look = site.folder.look()
    assert names(look) == ["12/a.json"]
    assert look.arrivals == {"12": NOON}, "when it was first seen"


def test_a_clock_that_is_set_back_holds_no_file_up(site: Site) -> None:
    site.drop("a.json", age_s=5)
    site.clocks.at -= timedelta(days=900)
    assert site.folder.look().unsettled == 1
    site.clocks.forward(2)
    assert names(site.folder.look()) == ["a.json"]


@pytest.mark.parametrize("second", [-(2**33), 2**33, 2**37], ids=["before 1970", "2242", "past a calendar"])
def test_no_time_of_change_breaks_a_look(second: int, site: Site) -> None:
    path = site.drop("a.json")
    os.utime(path, (second, second))
    site.folder.look()
    site.clocks.forward(2)
    waiting = site.only()
    assert site.read(waiting) == b"[]"
    site.folder.done(waiting)
    assert only_now(site.folder.look()) == Look(state="here")


def test_a_folder_that_cannot_be_listed_is_reported_and_the_others_are_scanned(site: Site) -> None:
    site.drop("12/a.json")
    for number in range(40):
        site.path.joinpath("24", *["d"] * number).mkdir(parents=True)
    site.path.joinpath("24", *["d"] * 39, "b.json").write_text("[]")
    look = site.folder.look()
    assert names(look) == ["12/a.json"]
    ((place, reason),) = look.untakable.items()
    assert place == "24/" + "d/" * 32
    assert "move it up" in reason


def test_a_folder_without_permission_is_reported_and_the_others_are_scanned(site: Site) -> None:
    site.drop("12/a.json")
    site.drop("24/b.json")
    for folder in (site.path, site.path / "12"):
        folder.chmod(0o755)
    (site.path / "24").chmod(0o000)
    with AsNobody(site.path):
        look = site.folder.look()
    (site.path / "24").chmod(0o755)
    assert names(look) == ["12/a.json"]
    assert list(look.untakable) == ["24/"]
    assert look.untakable["24/"].startswith("permission denied; let the user of tallyd")


def test_an_inbox_that_cannot_be_opened_is_here_but_blind(site: Site) -> None:
    site.path.chmod(0o000)
    with AsNobody(site.path):
        look = site.folder.look()
    site.path.chmod(0o755)
    assert look == Look(state="here", untakable={".": look.untakable["."]}, is_blind=True)
    assert look.untakable["."].startswith(f"{site.path}: permission denied; let the user of tallyd")


def test_files_that_vanish_and_come_during_looks_are_fine(site: Site) -> None:
    over = threading.Event()

    def churn() -> None:
        while not over.is_set():
            for number in range(50):
                site.drop(f"{number % 5}/{number}.json")
            for number in range(50):
                (site.path / f"{number % 5}/{number}.json").unlink()
            for number in range(5):
                (site.path / str(number)).rmdir()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        looks = [site.folder.look() for _ in range(200)]
    finally:
        over.set()
        thread.join()
    assert {one.state for one in looks} == {"here"}
    assert all(one.untakable == {} for one in looks)


def test_an_inbox_that_goes_and_comes_back_is_found_again_and_never_made(site: Site) -> None:
    site.drop("a.json")
    waiting = site.only()
    site.path.rename(site.path.with_name("away"))
    assert only_now(site.folder.look()) == Look(state="gone")
    site.folder.take_lock()
    assert not site.path.exists()
    site.path.mkdir()
    site.folder.done(waiting)  # it is gone, which is fine
    assert only_now(site.folder.look()) == Look(state="here")
    site.drop("b.json")
    assert site.only().name == "b.json"


def test_a_file_in_place_of_the_inbox_counts_as_a_missing_inbox(site: Site) -> None:
    site.path.rmdir()
    site.path.write_text("no folder")
    assert site.folder.look() == Look(state="gone")


def test_an_inbox_may_be_reached_by_a_link(site: Site, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(site.path)
    site.drop("a.json")
    assert len(Folder(tmp_path / "way", own_source="x").look().waiting) == 1


def test_an_unmounted_inbox_is_neither_scanned_nor_changed(site: Site) -> None:
    site.drop("a.json")
    waiting = site.only()
    folder = site.again(is_mount=True)
    assert folder.look() == Look(state="unmounted")
    folder.take_lock()
    with pytest.raises(Exception, match="nothing is mounted on"):
        folder.done(waiting)
    assert [one.name for one in site.path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("source", ["", ".", "..", "a/b", "x" * 201])
def test_a_source_that_cannot_be_a_folder_name_is_rejected(source: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a valid source name"):
        Folder(tmp_path, own_source=source)


def test_a_look_offers_the_oldest_files_and_counts_the_others(site: Site) -> None:
    for number in range(25):
        site.drop(f"{number}.json", age_s=100 - number)
    few = Folder(site.path, own_source="x", most=10, now=site.clocks.now)
    look = few.look()
    assert names(look) == [f"{number}.json" for number in range(10)]
    assert look.more == 15


@pytest.mark.slow
def test_a_hundred_thousand_files_cost_little_time_and_memory(site: Site) -> None:
    for source in range(4):
        (site.path / str(source)).mkdir()
    for number in range(100_000):
        path = f"{site.path}/{number % 4}/20261120{number:06d}.json"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    site.clocks.at = datetime.now(UTC) + timedelta(seconds=5)
    began = time.process_time()
    offered = site.folder.look()
    assert time.process_time() - began < 2, "a bound for a busy machine; alone it is 0.4 s"
    assert (len(offered.waiting), offered.more) == (10_000, 90_000)
    all_of_them = Folder(site.path, own_source="x", most=200_000, now=site.clocks.now)
    for folder, count, most_kept in ((site.folder, 10_000, 5 << 20), (all_of_them, 100_000, 40 << 20)):
        tracemalloc.start()
        look = folder.look()
        kept, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(look.waiting) == count
        assert kept < most_kept
        assert most < most_kept + (20 << 20)
