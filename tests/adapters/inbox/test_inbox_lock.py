"""One daemon on an inbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.inbox.dropping import Site
from tallyd.adapters.inbox import InboxHeldError
from tallyd.contract.inbox import Look
from tallyd.core.errors import InboxError

HOLD = """
import sys
from pathlib import Path
from tallyd.adapters.inbox import Folder
folder = Folder(Path(sys.argv[1]), own_source="x")
folder.take_lock()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_daemon_is_rejected_with_the_pid_of_the_first_until_that_dies(site: Site) -> None:
    site.drop("a.json")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(site.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InboxHeldError, match=f"another tallyd \\(process {other.pid}\\)") as caught:
            site.folder.take_lock()
        assert caught.value.pid == other.pid
        look = site.folder.look()
        assert look == Look(state="here", untakable={".tallyd/lock": caught.value.text}, is_blind=True)
        other.kill()
    assert site.folder.look().waiting != (), "taken by the look, once it is free"
    with pytest.raises(InboxHeldError):
        site.again().take_lock()


def test_the_lock_may_be_taken_twice_by_its_holder_and_is_given_back(site: Site) -> None:
    site.folder.take_lock()
    site.folder.take_lock()
    other = site.again()
    site.folder.close()
    site.folder.close()
    other.take_lock()
    other.close()
    assert (site.path / ".tallyd/lock").read_text() == f"{os.getpid()}\n"


def test_the_next_look_locks_an_inbox_that_was_replaced(site: Site) -> None:
    site.folder.take_lock()
    shutil.rmtree(site.path)
    assert site.folder.look().state == "gone"
    site.path.mkdir()
    site.folder.look()
    with pytest.raises(InboxHeldError):
        site.again().take_lock()


def test_an_inbox_that_comes_later_is_locked_when_it_is_found(site: Site) -> None:
    site.path.rmdir()
    site.folder.take_lock()
    site.path.mkdir()
    site.folder.look()
    with pytest.raises(InboxHeldError):
        site.again().take_lock()


def test_commands_look_and_replay_beside_the_holder(site: Site) -> None:
    site.folder.take_lock()
    site.drop("a.json")
    site.folder.rejected(site.only(), {})
    assert site.again().replay("all") == ("hall/a.json",)
    assert len(site.again().look().waiting) == 1


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "link for .tallyd"])
def test_a_lock_that_is_not_our_file_is_rejected(kind: str, site: Site, tmp_path: Path) -> None:
    lock = site.path / ".tallyd/lock"
    if kind == "link for .tallyd":
        (site.path / ".tallyd").symlink_to(tmp_path)
    else:
        lock.parent.mkdir()
    if kind == "link":
        lock.symlink_to(tmp_path / "target")
    elif kind == "fifo":
        os.mkfifo(lock)
    elif kind == "folder":
        lock.mkdir()
    with pytest.raises(InboxError) as caught:
        site.folder.take_lock()
    assert not isinstance(caught.value, InboxHeldError)
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / "lock").exists()
    site.drop("a.json")
    look = site.folder.look()
    assert len(look.waiting) == 1, "counting goes on"
    assert look.untakable[".tallyd"] == caught.value.text
